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

class Profile(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROFILE_UNSPECIFIED: _ClassVar[Profile]
    PROFILE_DRAFT: _ClassVar[Profile]
    PROFILE_STANDARD: _ClassVar[Profile]
PROFILE_UNSPECIFIED: Profile
PROFILE_DRAFT: Profile
PROFILE_STANDARD: Profile

class TrainRequest(_message.Message):
    __slots__ = ("request_id", "output_uri", "timeout", "cache_policy", "colmap_uri", "options")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_URI_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    CACHE_POLICY_FIELD_NUMBER: _ClassVar[int]
    COLMAP_URI_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    output_uri: str
    timeout: _duration_pb2.Duration
    cache_policy: _common_pb2.CachePolicy
    colmap_uri: str
    options: TrainOptions
    def __init__(self, request_id: _Optional[str] = ..., output_uri: _Optional[str] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., cache_policy: _Optional[_Union[_common_pb2.CachePolicy, str]] = ..., colmap_uri: _Optional[str] = ..., options: _Optional[_Union[TrainOptions, _Mapping]] = ...) -> None: ...

class TrainOptions(_message.Message):
    __slots__ = ("profile", "max_steps", "max_gaussians", "max_image_side", "sh_degree", "target_psnr", "hold_out_every", "seed", "checkpoint_seconds")
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    MAX_STEPS_FIELD_NUMBER: _ClassVar[int]
    MAX_GAUSSIANS_FIELD_NUMBER: _ClassVar[int]
    MAX_IMAGE_SIDE_FIELD_NUMBER: _ClassVar[int]
    SH_DEGREE_FIELD_NUMBER: _ClassVar[int]
    TARGET_PSNR_FIELD_NUMBER: _ClassVar[int]
    HOLD_OUT_EVERY_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    profile: Profile
    max_steps: int
    max_gaussians: int
    max_image_side: int
    sh_degree: int
    target_psnr: float
    hold_out_every: int
    seed: int
    checkpoint_seconds: int
    def __init__(self, profile: _Optional[_Union[Profile, str]] = ..., max_steps: _Optional[int] = ..., max_gaussians: _Optional[int] = ..., max_image_side: _Optional[int] = ..., sh_degree: _Optional[int] = ..., target_psnr: _Optional[float] = ..., hold_out_every: _Optional[int] = ..., seed: _Optional[int] = ..., checkpoint_seconds: _Optional[int] = ...) -> None: ...

class TrainResponse(_message.Message):
    __slots__ = ("result", "gaussians", "steps", "psnr", "ssim")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    GAUSSIANS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    PSNR_FIELD_NUMBER: _ClassVar[int]
    SSIM_FIELD_NUMBER: _ClassVar[int]
    result: _common_pb2.StageResult
    gaussians: int
    steps: int
    psnr: float
    ssim: float
    def __init__(self, result: _Optional[_Union[_common_pb2.StageResult, _Mapping]] = ..., gaussians: _Optional[int] = ..., steps: _Optional[int] = ..., psnr: _Optional[float] = ..., ssim: _Optional[float] = ...) -> None: ...
