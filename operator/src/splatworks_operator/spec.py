"""What a person may ask of a job: the one source of truth for CRD, CLI and the requests to the services.

The CustomResourceDefinition, its defaults, ``kubectl explain`` and the API reference are all made from these
models; a test compares them. A description is what ``explain`` shows, so it says meaning, unit and default.

Invariants: a spec that exists is valid; an option without a value here leaves the decision to the service,
whose default its description names; what is marked ``mutable`` may be changed while a job lives, all else may
not.
"""

from __future__ import annotations

import re
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

from splatworks_common.reasons import Reason

MUTABLE: dict[str, Any] = {"mutable": True}
"""Marks a field of the spec that may be changed while the job lives."""

BUCKET_PATTERN = r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]"
KEY_PATTERN = r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*"
_SOURCE_PATTERN = f"^s3://{BUCKET_PATTERN}/{KEY_PATTERN}/?$"
_OUTPUT_PATTERN = f"^s3://{BUCKET_PATTERN}(/{KEY_PATTERN})?/?$"
_NAME_PATTERN = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"

NOT_PHOTOS_PATTERN = (
    r"(?i)[.](jpe?g|png|webp|tiff?|hei[cf]|dng|gif|mp4|m4v|mov|avi|mkv|webm|tar|t?gz|bz2|xz|7z|rar)$"
)
"""Names of single files that are no .zip: taken for a folder's name, such a folder would be found empty."""

Seconds = Annotated[int, Field(ge=1, le=2_592_000)]
"""A length of time: a second to thirty days."""

Timeout = Annotated[
    Seconds | None,
    Field(description="An attempt ends with DeadlineExceeded after this time. Default: no limit."),
]


def _refuse_dots(uri: str) -> None:
    if {".", ".."} & set(uri.split("/")):
        raise ValueError("must not have '.' or '..' between slashes: write the path without them")


class Model(BaseModel):
    """A part of the spec: camelCase outside, frozen, and strict about names it does not know."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, use_enum_values=False
    )


class Profile(StrEnum):
    """A set of defaults for the training."""

    DRAFT = "Draft"
    STANDARD = "Standard"
    HIGH = "High"


class Matching(StrEnum):
    """How photos are paired for matching."""

    AUTO = "Auto"
    EXHAUSTIVE = "Exhaustive"
    SEQUENTIAL = "Sequential"


class Engine(StrEnum):
    """What renders and optimises."""

    AUTO = "Auto"
    NATIVE = "Native"
    GSPLAT = "Gsplat"


class Strategy(StrEnum):
    """How Gaussians are added and removed."""

    AUTO = "Auto"
    ADC = "Adc"
    MCMC = "Mcmc"


class Holdout(StrEnum):
    """Which photos are kept away from training to measure quality."""

    AUTO = "Auto"
    EVERY_N = "EveryN"
    NONE = "None"


class Background(StrEnum):
    """What lies behind all Gaussians while training."""

    BLACK = "Black"
    WHITE = "White"
    RANDOM = "Random"


class PlateauMetric(StrEnum):
    """The figure of held-out photos by which training is judged."""

    PSNR = "Psnr"
    COVERED_PSNR = "CoveredPsnr"
    SSIM = "Ssim"


class Quality(StrEnum):
    """How bytes are traded for fidelity."""

    HIGH = "High"
    DEFAULT = "Default"
    SMALL = "Small"


class Keep(StrEnum):
    """What becomes of artifacts."""

    DELETE = "Delete"
    RETAIN = "Retain"


class CachePolicy(StrEnum):
    """Whether finished work may be used again."""

    REUSE = "Reuse"
    NEVER = "Never"


class FailureAction(StrEnum):
    """What to do about a failed attempt."""

    FAIL_JOB = "FailJob"
    RETRY_STAGE = "RetryStage"
    RETRY_STAGE_UNCOUNTED = "RetryStageUncounted"


class SecretRef(Model):
    """Names a Secret in the job's own namespace."""

    name: str = Field(
        min_length=1,
        max_length=253,
        pattern=_NAME_PATTERN,
        description="Name of the Secret. Its keys access-key and secret-key open the source.",
    )


class Source(Model):
    """Where the photos are."""

    uri: str = Field(
        max_length=1024,
        pattern=_SOURCE_PATTERN,
        description="The photos: an s3:// prefix, or one object ending in .zip, in the platform's object "
        "store. The bucket must be one that the platform allows this namespace to read.",
    )
    secret_ref: SecretRef | None = Field(
        default=None,
        description="A Secret with credentials of your own for the source. Default: the platform's. The "
        "platform must allow the Secret's name.",
    )

    @field_validator("uri")
    @classmethod
    def _may_hold_photos(cls, uri: str) -> str:
        _refuse_dots(uri)
        if re.search(NOT_PHOTOS_PATTERN, uri):
            raise ValueError("must be a folder of photos or one .zip of them")
        return uri


class Output(Model):
    """Where the results go."""

    uri: str | None = Field(
        default=None,
        max_length=512,
        pattern=_OUTPUT_PATTERN,
        description="An s3:// prefix under which the job makes the folder {uid}. The bucket must be one that "
        "the platform allows this namespace to write. Default: jobs/ in the platform's bucket.",
    )

    @field_validator("uri")
    @classmethod
    def _is_a_plain_path(cls, uri: str | None) -> str | None:
        _refuse_dots(uri or "")
        return uri


class SfmOptions(Model):
    """How camera poses are found."""

    max_feature_size: int | None = Field(
        default=None,
        ge=256,
        le=8192,
        description="Features are found on copies of the photos with this longest side, in pixels. Default "
        "1,600 (Draft: 1,024).",
    )
    max_features: int | None = Field(
        default=None,
        ge=256,
        le=65536,
        description="Most features kept of one photo. Default 4,096 (Draft: 2,048).",
    )
    matching: Matching = Field(
        default=Matching.AUTO,
        description="How photos are paired. Auto is Sequential for more than 60 photos whose names or times "
        "are in order, else Exhaustive.",
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="Seed of every random choice.")
    timeout_seconds: Timeout = None


class ResolutionLevel(Model):
    """One level of the resolution schedule."""

    size: float = Field(ge=0, le=1, description="Size of the photos as a share of the full one, above 0.")
    start: float = Field(ge=0, le=1, description="Share of the steps from which it holds.")


class PlateauOptions(Model):
    """When training ends because it gains nothing any more."""

    metric: PlateauMetric = Field(
        default=PlateauMetric.PSNR,
        description="The figure of the held-out photos that is watched. Psnr is compensated where "
        "exposures are learned. CoveredPsnr, of what training photos cover, is for sparse captures; where "
        "nothing is covered it is Psnr.",
    )
    patience: int = Field(
        default=2,
        ge=0,
        le=1000,
        description="Evaluations in a row without a gain, counted at full size, after which training ends; 0 "
        "never ends early.",
    )
    min_delta: float = Field(
        default=0.02, ge=0, le=10, description="What counts as a gain, in dB, or in SSIM with that metric."
    )


class DensifyOptions(Model):
    """When and where Gaussians are added."""

    start: float = Field(
        default=0.02, ge=0, le=1, description="Share of the steps at which they are first added."
    )
    until: float = Field(
        default=0.5, ge=0, le=1, description="Share of the steps after which their number is fixed."
    )
    rounds: int = Field(
        default=24, ge=0, le=1000, description="Rounds between the two; 0 keeps the initial Gaussians."
    )
    grow_gradient: float = Field(
        default=0.0002,
        ge=1e-6,
        le=1,
        description="Strategy Adc: the mean pull on the screen position from which a Gaussian becomes two, "
        "in half image sizes.",
    )
    split_scale: float = Field(
        default=0.01,
        ge=1e-5,
        le=1,
        description="Strategy Adc: Gaussians longer than this share of the scene's scale are split, others "
        "cloned.",
    )

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.until < self.start:
            raise ValueError("until must be start or more")
        return self


class PruneOptions(Model):
    """Which Gaussians are removed."""

    opacity: float = Field(
        default=0.005,
        ge=0,
        le=0.5,
        description="Those of less opacity, while Gaussians are added; Mcmc moves them to where opaque ones "
        "are.",
    )
    significance: float = Field(
        default=0.0001,
        ge=0,
        le=0.5,
        description="Those that together make up this share of all that the training photos show, the least "
        "significant first, once, after training.",
    )


Share = Annotated[float, Field(ge=0, le=1)]
"""A share of the steps."""


class TrainOptions(Model):
    """How Gaussians are fitted to the photos. An absent field takes the profile's default."""

    max_steps: int = Field(
        default=0,
        ge=0,
        le=200_000,
        description="Optimisation steps, one photo each. 0 derives them from the number of photos.",
    )
    max_gaussians: int | None = Field(
        default=None,
        ge=100,
        le=10_000_000,
        description="The budget of Gaussians, never exceeded. Default 280,000 (Draft: 50,000, High: "
        "300,000).",
    )
    max_image_side: int | None = Field(
        default=None,
        ge=32,
        le=8192,
        description="Photos are reduced to this longest side, in pixels. Default 960 (Draft: 480, High: "
        "1280).",
    )
    engine: Engine = Field(
        default=Engine.AUTO,
        description="What renders and optimises. Native is this project's own kernels for CPUs, which give "
        "the same bytes wherever the same instruction set is used; Gsplat is gsplat on a GPU. Auto is Gsplat "
        "where the worker has both, else Native.",
    )
    require_gpu: bool = Field(
        default=False, description="True fails, rather than trains on the CPU, where there is no GPU."
    )
    strategy: Strategy = Field(
        default=Strategy.AUTO,
        description="How Gaussians are added and removed. Adc: those pulled hard are split or cloned (Kerbl "
        "et al. 2023). Mcmc: faint ones move to where opaque ones are, and all explore at random (Kheradmand "
        "et al. 2024). Auto is Mcmc with the engine Gsplat and for fewer "
        "than 24 photos, but not with absgrad; else Adc.",
    )
    sh_degree: int = Field(default=3, ge=0, le=3, description="Degree of the spherical harmonics.")
    sh_schedule: tuple[Share, ...] = Field(
        default=(0.1, 0.2, 0.3),
        min_length=1,
        max_length=3,
        description="Shares of the steps from which bands 1, 2 and 3 of the spherical harmonics train, "
        "ascending; a band without one trains with the one before it.",
    )
    resolution_schedule: tuple[ResolutionLevel, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=8,
        description="Sizes of the photos over the run, sizes and starts ascending, the first from 0, the "
        "last of size 1. Default: none (Draft: 0.25 from 0, 0.5 from 0.1, 1 from 0.4). None is 0.25 from 0, "
        "0.5 from 0.15, 1 from 0.45; for fewer than 24 photos 0.125 from 0, 0.25 from 0.1, 0.5 from 0.25, "
        "1 from 0.6.",
    )
    plateau: PlateauOptions = Field(
        default=PlateauOptions(), description="When training ends because it gains nothing any more."
    )
    target_psnr: float | None = Field(
        default=None,
        ge=5,
        le=100,
        description="Training ends at the first evaluation that reaches this held-out PSNR, in dB. "
        "Default: none.",
    )
    densify: DensifyOptions = Field(
        default=DensifyOptions(), description="When and where Gaussians are added."
    )
    prune: PruneOptions = Field(default=PruneOptions(), description="Which Gaussians are removed.")
    ssim_weight: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="The loss is (1 - weight) L1 + weight (1 - SSIM). Default: none (0.2, and 0 for fewer "
        "than 24 photos).",
    )
    exposure: bool = Field(
        default=False,
        description="True learns an affine change of colours for each photo, for captures whose exposure "
        "changes.",
    )
    background: Background = Field(
        default=Background.BLACK,
        description="What lies behind all Gaussians while training. Random is another colour every step, so "
        "that nothing can hide in the background.",
    )
    antialiased: bool = Field(
        default=False,
        description="True uses Mip-Splatting's 2D filter (Yu et al. 2024). The model and the compressed "
        "scene say so, and Splatworks' viewer follows; other viewers must apply it, too.",
    )
    holdout: Holdout | None = Field(
        default=None,
        description="Which photos are kept away from training to measure quality. Auto: at least 2 and "
        "about an eighth of them, from the interior of the capture, none of fewer than 12. EveryN: every "
        "holdOutEvery-th by name, as in papers, none of fewer than 4. None: quality on unseen views stays "
        "unknown. Default Auto, or EveryN where holdOutEvery is given.",
    )
    hold_out_every: int | None = Field(
        default=None,
        ge=0,
        le=1000,
        description="With EveryN: every so many photos one is held out to measure quality; 0 holds none out, "
        "1 is refused. Default 8.",
    )
    polish: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Steps on all photos, those held out included, after the figures are taken, as a share "
        "of the steps.",
    )
    absgrad: bool = Field(
        default=False,
        description="With the engine Gsplat and the strategy Adc: true adds pulls up without regard to their "
        "direction (AbsGS, Ye et al. 2024); set growGradient to 0.0006 to 0.0008 then.",
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="Seed of every random choice.")
    checkpoint_seconds: int = Field(
        default=45,
        ge=5,
        le=3600,
        description="How often the training is saved, in seconds, so that another worker can continue it.",
    )
    timeout_seconds: Timeout = None

    @field_validator("hold_out_every")
    @classmethod
    def _leaves_photos_to_train_on(cls, every: int | None) -> int | None:
        if every == 1:
            raise ValueError("must not be 1, which would leave no photo to train on")
        return every

    @field_validator("sh_schedule")
    @classmethod
    def _adds_bands_in_order(cls, starts: tuple[float, ...]) -> tuple[float, ...]:
        if any(later < earlier for earlier, later in pairwise(starts)):
            raise ValueError("must ascend")
        return starts

    @field_validator("resolution_schedule")
    @classmethod
    def _ends_at_full_size(
        cls, levels: tuple[ResolutionLevel, ...] | None
    ) -> tuple[ResolutionLevel, ...] | None:
        if levels is None:
            return None
        ascends = all(a.size < b.size and a.start < b.start for a, b in pairwise(levels))
        first, last = levels[0], levels[-1]
        if not (ascends and first.size > 0 and first.start == 0 and last.size == 1 and last.start < 1):
            raise ValueError(
                "must ascend in both size and start, from start 0 and a size above 0 to size 1 and a start "
                "below 1"
            )
        return levels

    @model_validator(mode="after")
    def _asks_the_native_engine_for_nothing_it_has_not(self) -> Self:
        if self.engine is Engine.NATIVE and self.absgrad:
            raise ValueError("absgrad must be false with the engine Native, which does not have it")
        if self.engine is Engine.NATIVE and self.require_gpu:
            raise ValueError("requireGpu must be false with the engine Native, which uses no GPU")
        return self


class CompressOptions(Model):
    """How the scene is made small."""

    quality: Quality = Field(
        default=Quality.DEFAULT,
        description="How bytes are traded for fidelity: about 11 (High), 17 (Default) or 21 (Small) times "
        "smaller than the trained scene.",
    )
    timeout_seconds: Timeout = None


class PublishOptions(Model):
    """How the scene is shown on the web."""

    enabled: bool = Field(
        default=True, description="False ends the job after compression, and nothing is put on the web."
    )
    title: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="The scene's name for people. Default: the job's name.",
    )
    timeout_seconds: Timeout = None


class Backoff(Model):
    """How long to wait before the next attempt."""

    initial_seconds: int = Field(
        default=1, ge=0, le=3600, description="Wait before the second attempt of a stage, in seconds."
    )
    factor: int = Field(default=2, ge=1, le=10, description="Every further wait is so many times longer.")
    max_seconds: int = Field(default=60, ge=0, le=86_400, description="No wait is longer, in seconds.")

    @model_validator(mode="after")
    def _may_wait_as_long_as_at_first(self) -> Self:
        if self.max_seconds < self.initial_seconds:
            raise ValueError("maxSeconds must be initialSeconds or more")
        return self


class FailureRule(Model):
    """What to do after failures of certain reasons."""

    on_reasons: tuple[Reason, ...] = Field(
        min_length=1,
        max_length=16,
        description="The reasons that the rule is for.",
        json_schema_extra={"listType": "set"},
    )
    action: FailureAction = Field(
        description="FailJob gives up, RetryStage tries again and counts the attempt, RetryStageUncounted "
        "tries again without counting it."
    )


class FailurePolicy(Model):
    """When to try again and when to give up."""

    max_attempts_per_stage: int = Field(
        default=3,
        ge=1,
        le=10,
        description="Counted attempts of a stage. Attempts that the platform lost (WorkerLost, Preempted, "
        "StorageUnavailable) do not count.",
    )
    max_uncounted_attempts_per_stage: int = Field(
        default=30,
        ge=0,
        le=1000,
        description="Attempts of a stage that the platform may lose before the job fails all the same.",
    )
    backoff: Backoff = Field(default=Backoff(), description="How long to wait before the next attempt.")
    rules: tuple[FailureRule, ...] = Field(
        default=(),
        max_length=16,
        description="Looked at in order; the first that names the reason decides. Without one, Internal, "
        "OutOfMemory and what the platform lost are tried again; all else fails the job.",
    )


class ArtifactPolicy(Model):
    """What becomes of the job's files in the object store."""

    intermediates: Keep = Field(
        default=Keep.RETAIN,
        description="At the moment the job succeeds: whether the photos' model (colmap/) and the "
        "uncompressed Gaussians (gaussian/) are kept.",
    )
    on_delete: Keep = Field(
        default=Keep.DELETE,
        description="When the job is deleted: whether its files and its published scene go with it. The "
        "source is never deleted.",
    )
    force_finalizer_removal: bool = Field(
        default=False,
        description="When the job is deleted but its files can not be: true lets the job go all the same "
        "after a few tries, false keeps trying.",
    )


class SplatJobSpec(Model):
    """Photos in, a scene out: what a SplatJob asks for."""

    source: Source = Field(description="Where the photos are.")
    output: Output = Field(default=Output(), description="Where the results go.")
    profile: Profile = Field(
        default=Profile.STANDARD,
        description="A set of defaults for the training: Draft is a quick look with photos at 480 pixels, "
        "Standard uses 960, High 1280 and about twice the time.",
    )
    sfm: SfmOptions = Field(default=SfmOptions(), description="How camera poses are found.")
    train: TrainOptions = Field(
        default=TrainOptions(),
        description="How Gaussians are fitted to the photos. An absent field takes the profile's default.",
    )
    compress: CompressOptions = Field(default=CompressOptions(), description="How the scene is made small.")
    publish: PublishOptions = Field(
        default=PublishOptions(), description="How the scene is shown on the web."
    )
    suspend: bool = Field(
        default=False,
        description="True stops the job and frees its worker; false lets it go on from its last checkpoint.",
        json_schema_extra=MUTABLE,
    )
    terminate: bool = Field(
        default=False,
        description="True ends the job for good with reason Cancelled and keeps the object. It can not be "
        "taken back.",
        json_schema_extra=MUTABLE,
    )
    priority: int = Field(
        default=0,
        ge=-1000,
        le=1000,
        description="Among waiting jobs the highest goes first, then the oldest. Running jobs are never "
        "displaced.",
        json_schema_extra=MUTABLE,
    )
    active_deadline_seconds: Seconds | None = Field(
        default=None,
        description="The job fails with DeadlineExceeded so long after it started to run; time suspended "
        "starts it anew. Default: no limit.",
    )
    queue_deadline_seconds: Seconds | None = Field(
        default=None,
        description="The job fails with QueueDeadlineExceeded when it has waited so long without starting. "
        "Default: no limit.",
    )
    ttl_seconds_after_finished: int | None = Field(
        default=None,
        ge=0,
        le=31_536_000,
        description="The job is deleted so long after it has ended. Default: never.",
        json_schema_extra=MUTABLE,
    )
    failure_policy: FailurePolicy = Field(
        default=FailurePolicy(), description="When to try again and when to give up."
    )
    artifact_policy: ArtifactPolicy = Field(
        default=ArtifactPolicy(),
        description="What becomes of the job's files in the object store.",
        json_schema_extra=MUTABLE,
    )
    cache_policy: CachePolicy = Field(
        default=CachePolicy.REUSE,
        description="Reuse takes a stage's result from an earlier job with the same inputs and options; "
        "Never does the work again.",
    )
