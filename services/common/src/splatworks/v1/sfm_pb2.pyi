import datetime

from google.longrunning import operations_pb2 as _operations_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from splatworks.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Matching(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MATCHING_UNSPECIFIED: _ClassVar[Matching]
    MATCHING_AUTO: _ClassVar[Matching]
    MATCHING_EXHAUSTIVE: _ClassVar[Matching]
    MATCHING_SEQUENTIAL: _ClassVar[Matching]
MATCHING_UNSPECIFIED: Matching
MATCHING_AUTO: Matching
MATCHING_EXHAUSTIVE: Matching
MATCHING_SEQUENTIAL: Matching

class ReconstructRequest(_message.Message):
    __slots__ = ("request_id", "output_uri", "timeout", "cache_policy", "photos_uri", "options", "photos_credentials")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_URI_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    CACHE_POLICY_FIELD_NUMBER: _ClassVar[int]
    PHOTOS_URI_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    PHOTOS_CREDENTIALS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    output_uri: str
    timeout: _duration_pb2.Duration
    cache_policy: _common_pb2.CachePolicy
    photos_uri: str
    options: SfmOptions
    photos_credentials: SourceCredentials
    def __init__(self, request_id: _Optional[str] = ..., output_uri: _Optional[str] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., cache_policy: _Optional[_Union[_common_pb2.CachePolicy, str]] = ..., photos_uri: _Optional[str] = ..., options: _Optional[_Union[SfmOptions, _Mapping]] = ..., photos_credentials: _Optional[_Union[SourceCredentials, _Mapping]] = ...) -> None: ...

class SourceCredentials(_message.Message):
    __slots__ = ("access_key", "secret_key")
    ACCESS_KEY_FIELD_NUMBER: _ClassVar[int]
    SECRET_KEY_FIELD_NUMBER: _ClassVar[int]
    access_key: str
    secret_key: str
    def __init__(self, access_key: _Optional[str] = ..., secret_key: _Optional[str] = ...) -> None: ...

class SfmOptions(_message.Message):
    __slots__ = ("max_feature_size", "max_features", "matching", "seed")
    MAX_FEATURE_SIZE_FIELD_NUMBER: _ClassVar[int]
    MAX_FEATURES_FIELD_NUMBER: _ClassVar[int]
    MATCHING_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    max_feature_size: int
    max_features: int
    matching: Matching
    seed: int
    def __init__(self, max_feature_size: _Optional[int] = ..., max_features: _Optional[int] = ..., matching: _Optional[_Union[Matching, str]] = ..., seed: _Optional[int] = ...) -> None: ...

class ReconstructResponse(_message.Message):
    __slots__ = ("result", "total_images", "registered_images", "points", "mean_reprojection_error_px")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_IMAGES_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_IMAGES_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    MEAN_REPROJECTION_ERROR_PX_FIELD_NUMBER: _ClassVar[int]
    result: _common_pb2.StageResult
    total_images: int
    registered_images: int
    points: int
    mean_reprojection_error_px: float
    def __init__(self, result: _Optional[_Union[_common_pb2.StageResult, _Mapping]] = ..., total_images: _Optional[int] = ..., registered_images: _Optional[int] = ..., points: _Optional[int] = ..., mean_reprojection_error_px: _Optional[float] = ...) -> None: ...
