import datetime

from google.longrunning import operations_pb2 as _operations_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from splatworks.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Profile(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROFILE_UNSPECIFIED: _ClassVar[Profile]
    PROFILE_DRAFT: _ClassVar[Profile]
    PROFILE_STANDARD: _ClassVar[Profile]
    PROFILE_HIGH: _ClassVar[Profile]

class Engine(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENGINE_UNSPECIFIED: _ClassVar[Engine]
    ENGINE_AUTO: _ClassVar[Engine]
    ENGINE_NATIVE: _ClassVar[Engine]
    ENGINE_GSPLAT: _ClassVar[Engine]

class Strategy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STRATEGY_UNSPECIFIED: _ClassVar[Strategy]
    STRATEGY_AUTO: _ClassVar[Strategy]
    STRATEGY_ADC: _ClassVar[Strategy]
    STRATEGY_MCMC: _ClassVar[Strategy]

class Holdout(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HOLDOUT_UNSPECIFIED: _ClassVar[Holdout]
    HOLDOUT_AUTO: _ClassVar[Holdout]
    HOLDOUT_EVERY_N: _ClassVar[Holdout]
    HOLDOUT_NONE: _ClassVar[Holdout]

class Background(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BACKGROUND_UNSPECIFIED: _ClassVar[Background]
    BACKGROUND_BLACK: _ClassVar[Background]
    BACKGROUND_WHITE: _ClassVar[Background]
    BACKGROUND_RANDOM: _ClassVar[Background]

class PlateauMetric(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PLATEAU_METRIC_UNSPECIFIED: _ClassVar[PlateauMetric]
    PLATEAU_METRIC_PSNR: _ClassVar[PlateauMetric]
    PLATEAU_METRIC_COVERED_PSNR: _ClassVar[PlateauMetric]
    PLATEAU_METRIC_SSIM: _ClassVar[PlateauMetric]
PROFILE_UNSPECIFIED: Profile
PROFILE_DRAFT: Profile
PROFILE_STANDARD: Profile
PROFILE_HIGH: Profile
ENGINE_UNSPECIFIED: Engine
ENGINE_AUTO: Engine
ENGINE_NATIVE: Engine
ENGINE_GSPLAT: Engine
STRATEGY_UNSPECIFIED: Strategy
STRATEGY_AUTO: Strategy
STRATEGY_ADC: Strategy
STRATEGY_MCMC: Strategy
HOLDOUT_UNSPECIFIED: Holdout
HOLDOUT_AUTO: Holdout
HOLDOUT_EVERY_N: Holdout
HOLDOUT_NONE: Holdout
BACKGROUND_UNSPECIFIED: Background
BACKGROUND_BLACK: Background
BACKGROUND_WHITE: Background
BACKGROUND_RANDOM: Background
PLATEAU_METRIC_UNSPECIFIED: PlateauMetric
PLATEAU_METRIC_PSNR: PlateauMetric
PLATEAU_METRIC_COVERED_PSNR: PlateauMetric
PLATEAU_METRIC_SSIM: PlateauMetric

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

class ResolutionLevel(_message.Message):
    __slots__ = ("size", "start")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    size: float
    start: float
    def __init__(self, size: _Optional[float] = ..., start: _Optional[float] = ...) -> None: ...

class PlateauOptions(_message.Message):
    __slots__ = ("metric", "patience", "min_delta")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    PATIENCE_FIELD_NUMBER: _ClassVar[int]
    MIN_DELTA_FIELD_NUMBER: _ClassVar[int]
    metric: PlateauMetric
    patience: int
    min_delta: float
    def __init__(self, metric: _Optional[_Union[PlateauMetric, str]] = ..., patience: _Optional[int] = ..., min_delta: _Optional[float] = ...) -> None: ...

class DensifyOptions(_message.Message):
    __slots__ = ("start", "until", "rounds", "grow_gradient", "split_scale")
    START_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    ROUNDS_FIELD_NUMBER: _ClassVar[int]
    GROW_GRADIENT_FIELD_NUMBER: _ClassVar[int]
    SPLIT_SCALE_FIELD_NUMBER: _ClassVar[int]
    start: float
    until: float
    rounds: int
    grow_gradient: float
    split_scale: float
    def __init__(self, start: _Optional[float] = ..., until: _Optional[float] = ..., rounds: _Optional[int] = ..., grow_gradient: _Optional[float] = ..., split_scale: _Optional[float] = ...) -> None: ...

class PruneOptions(_message.Message):
    __slots__ = ("opacity", "significance")
    OPACITY_FIELD_NUMBER: _ClassVar[int]
    SIGNIFICANCE_FIELD_NUMBER: _ClassVar[int]
    opacity: float
    significance: float
    def __init__(self, opacity: _Optional[float] = ..., significance: _Optional[float] = ...) -> None: ...

class TrainOptions(_message.Message):
    __slots__ = ("profile", "max_steps", "max_gaussians", "max_image_side", "sh_degree", "target_psnr", "hold_out_every", "seed", "checkpoint_seconds", "engine", "require_gpu", "strategy", "resolution_schedule", "plateau", "densify", "prune", "sh_schedule", "ssim_weight", "exposure", "background", "antialiased", "holdout", "polish", "absgrad")
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    MAX_STEPS_FIELD_NUMBER: _ClassVar[int]
    MAX_GAUSSIANS_FIELD_NUMBER: _ClassVar[int]
    MAX_IMAGE_SIDE_FIELD_NUMBER: _ClassVar[int]
    SH_DEGREE_FIELD_NUMBER: _ClassVar[int]
    TARGET_PSNR_FIELD_NUMBER: _ClassVar[int]
    HOLD_OUT_EVERY_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    REQUIRE_GPU_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    RESOLUTION_SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    PLATEAU_FIELD_NUMBER: _ClassVar[int]
    DENSIFY_FIELD_NUMBER: _ClassVar[int]
    PRUNE_FIELD_NUMBER: _ClassVar[int]
    SH_SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    SSIM_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    EXPOSURE_FIELD_NUMBER: _ClassVar[int]
    BACKGROUND_FIELD_NUMBER: _ClassVar[int]
    ANTIALIASED_FIELD_NUMBER: _ClassVar[int]
    HOLDOUT_FIELD_NUMBER: _ClassVar[int]
    POLISH_FIELD_NUMBER: _ClassVar[int]
    ABSGRAD_FIELD_NUMBER: _ClassVar[int]
    profile: Profile
    max_steps: int
    max_gaussians: int
    max_image_side: int
    sh_degree: int
    target_psnr: float
    hold_out_every: int
    seed: int
    checkpoint_seconds: int
    engine: Engine
    require_gpu: bool
    strategy: Strategy
    resolution_schedule: _containers.RepeatedCompositeFieldContainer[ResolutionLevel]
    plateau: PlateauOptions
    densify: DensifyOptions
    prune: PruneOptions
    sh_schedule: _containers.RepeatedScalarFieldContainer[float]
    ssim_weight: float
    exposure: bool
    background: Background
    antialiased: bool
    holdout: Holdout
    polish: float
    absgrad: bool
    def __init__(self, profile: _Optional[_Union[Profile, str]] = ..., max_steps: _Optional[int] = ..., max_gaussians: _Optional[int] = ..., max_image_side: _Optional[int] = ..., sh_degree: _Optional[int] = ..., target_psnr: _Optional[float] = ..., hold_out_every: _Optional[int] = ..., seed: _Optional[int] = ..., checkpoint_seconds: _Optional[int] = ..., engine: _Optional[_Union[Engine, str]] = ..., require_gpu: _Optional[bool] = ..., strategy: _Optional[_Union[Strategy, str]] = ..., resolution_schedule: _Optional[_Iterable[_Union[ResolutionLevel, _Mapping]]] = ..., plateau: _Optional[_Union[PlateauOptions, _Mapping]] = ..., densify: _Optional[_Union[DensifyOptions, _Mapping]] = ..., prune: _Optional[_Union[PruneOptions, _Mapping]] = ..., sh_schedule: _Optional[_Iterable[float]] = ..., ssim_weight: _Optional[float] = ..., exposure: _Optional[bool] = ..., background: _Optional[_Union[Background, str]] = ..., antialiased: _Optional[bool] = ..., holdout: _Optional[_Union[Holdout, str]] = ..., polish: _Optional[float] = ..., absgrad: _Optional[bool] = ...) -> None: ...

class TrainResponse(_message.Message):
    __slots__ = ("result", "gaussians", "steps", "psnr", "ssim", "compensated_psnr", "covered_psnr")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    GAUSSIANS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    PSNR_FIELD_NUMBER: _ClassVar[int]
    SSIM_FIELD_NUMBER: _ClassVar[int]
    COMPENSATED_PSNR_FIELD_NUMBER: _ClassVar[int]
    COVERED_PSNR_FIELD_NUMBER: _ClassVar[int]
    result: _common_pb2.StageResult
    gaussians: int
    steps: int
    psnr: float
    ssim: float
    compensated_psnr: float
    covered_psnr: float
    def __init__(self, result: _Optional[_Union[_common_pb2.StageResult, _Mapping]] = ..., gaussians: _Optional[int] = ..., steps: _Optional[int] = ..., psnr: _Optional[float] = ..., ssim: _Optional[float] = ..., compensated_psnr: _Optional[float] = ..., covered_psnr: _Optional[float] = ...) -> None: ...
