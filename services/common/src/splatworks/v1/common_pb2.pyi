import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASON_UNSPECIFIED: _ClassVar[Reason]
    REASON_INPUT_NOT_FOUND: _ClassVar[Reason]
    REASON_INPUT_INVALID: _ClassVar[Reason]
    REASON_TOO_FEW_IMAGES: _ClassVar[Reason]
    REASON_SFM_DIVERGED: _ClassVar[Reason]
    REASON_OUT_OF_MEMORY: _ClassVar[Reason]
    REASON_WORKER_LOST: _ClassVar[Reason]
    REASON_PREEMPTED: _ClassVar[Reason]
    REASON_DEADLINE_EXCEEDED: _ClassVar[Reason]
    REASON_QUEUE_DEADLINE_EXCEEDED: _ClassVar[Reason]
    REASON_NO_FREE_SLOT: _ClassVar[Reason]
    REASON_STORAGE_UNAVAILABLE: _ClassVar[Reason]
    REASON_CANCELLED: _ClassVar[Reason]
    REASON_INTERNAL: _ClassVar[Reason]

class CachePolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CACHE_POLICY_UNSPECIFIED: _ClassVar[CachePolicy]
    CACHE_POLICY_REUSE: _ClassVar[CachePolicy]
    CACHE_POLICY_NEVER: _ClassVar[CachePolicy]
REASON_UNSPECIFIED: Reason
REASON_INPUT_NOT_FOUND: Reason
REASON_INPUT_INVALID: Reason
REASON_TOO_FEW_IMAGES: Reason
REASON_SFM_DIVERGED: Reason
REASON_OUT_OF_MEMORY: Reason
REASON_WORKER_LOST: Reason
REASON_PREEMPTED: Reason
REASON_DEADLINE_EXCEEDED: Reason
REASON_QUEUE_DEADLINE_EXCEEDED: Reason
REASON_NO_FREE_SLOT: Reason
REASON_STORAGE_UNAVAILABLE: Reason
REASON_CANCELLED: Reason
REASON_INTERNAL: Reason
CACHE_POLICY_UNSPECIFIED: CachePolicy
CACHE_POLICY_REUSE: CachePolicy
CACHE_POLICY_NEVER: CachePolicy

class StageProgress(_message.Message):
    __slots__ = ("stage", "request_id", "step", "done", "total", "percent", "eta", "message", "metrics", "unit", "create_time", "end_time")
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    STAGE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    ETA_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    stage: str
    request_id: str
    step: str
    done: float
    total: float
    percent: float
    eta: _duration_pb2.Duration
    message: str
    metrics: _containers.ScalarMap[str, float]
    unit: str
    create_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, stage: _Optional[str] = ..., request_id: _Optional[str] = ..., step: _Optional[str] = ..., done: _Optional[float] = ..., total: _Optional[float] = ..., percent: _Optional[float] = ..., eta: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., message: _Optional[str] = ..., metrics: _Optional[_Mapping[str, float]] = ..., unit: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Artifact(_message.Message):
    __slots__ = ("path", "uri", "size_bytes", "sha256", "media_type")
    PATH_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    path: str
    uri: str
    size_bytes: int
    sha256: str
    media_type: str
    def __init__(self, path: _Optional[str] = ..., uri: _Optional[str] = ..., size_bytes: _Optional[int] = ..., sha256: _Optional[str] = ..., media_type: _Optional[str] = ...) -> None: ...

class StageResult(_message.Message):
    __slots__ = ("artifacts", "manifest_uri", "input_digest", "cached", "work_time")
    ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_URI_FIELD_NUMBER: _ClassVar[int]
    INPUT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    CACHED_FIELD_NUMBER: _ClassVar[int]
    WORK_TIME_FIELD_NUMBER: _ClassVar[int]
    artifacts: _containers.RepeatedCompositeFieldContainer[Artifact]
    manifest_uri: str
    input_digest: str
    cached: bool
    work_time: _duration_pb2.Duration
    def __init__(self, artifacts: _Optional[_Iterable[_Union[Artifact, _Mapping]]] = ..., manifest_uri: _Optional[str] = ..., input_digest: _Optional[str] = ..., cached: _Optional[bool] = ..., work_time: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
