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

class Quality(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUALITY_UNSPECIFIED: _ClassVar[Quality]
    QUALITY_HIGH: _ClassVar[Quality]
    QUALITY_DEFAULT: _ClassVar[Quality]
    QUALITY_SMALL: _ClassVar[Quality]
QUALITY_UNSPECIFIED: Quality
QUALITY_HIGH: Quality
QUALITY_DEFAULT: Quality
QUALITY_SMALL: Quality

class CompressRequest(_message.Message):
    __slots__ = ("request_id", "output_uri", "timeout", "cache_policy", "gaussian_uri", "colmap_uri", "options")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_URI_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    CACHE_POLICY_FIELD_NUMBER: _ClassVar[int]
    GAUSSIAN_URI_FIELD_NUMBER: _ClassVar[int]
    COLMAP_URI_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    output_uri: str
    timeout: _duration_pb2.Duration
    cache_policy: _common_pb2.CachePolicy
    gaussian_uri: str
    colmap_uri: str
    options: CompressOptions
    def __init__(self, request_id: _Optional[str] = ..., output_uri: _Optional[str] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., cache_policy: _Optional[_Union[_common_pb2.CachePolicy, str]] = ..., gaussian_uri: _Optional[str] = ..., colmap_uri: _Optional[str] = ..., options: _Optional[_Union[CompressOptions, _Mapping]] = ...) -> None: ...

class CompressOptions(_message.Message):
    __slots__ = ("quality",)
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    quality: Quality
    def __init__(self, quality: _Optional[_Union[Quality, str]] = ...) -> None: ...

class CompressResponse(_message.Message):
    __slots__ = ("result", "gaussians", "size_bytes", "ratio", "psnr_loss")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    GAUSSIANS_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    RATIO_FIELD_NUMBER: _ClassVar[int]
    PSNR_LOSS_FIELD_NUMBER: _ClassVar[int]
    result: _common_pb2.StageResult
    gaussians: int
    size_bytes: int
    ratio: float
    psnr_loss: float
    def __init__(self, result: _Optional[_Union[_common_pb2.StageResult, _Mapping]] = ..., gaussians: _Optional[int] = ..., size_bytes: _Optional[int] = ..., ratio: _Optional[float] = ..., psnr_loss: _Optional[float] = ...) -> None: ...
