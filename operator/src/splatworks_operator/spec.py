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


class Matching(StrEnum):
    """How photos are paired for matching."""

    AUTO = "Auto"
    EXHAUSTIVE = "Exhaustive"
    SEQUENTIAL = "Sequential"


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

    max_feature_size: int = Field(
        default=1600,
        ge=256,
        le=8192,
        description="Features are found on copies of the photos with this longest side, in pixels.",
    )
    max_features: int = Field(default=4096, ge=256, le=65536, description="Most features kept of one photo.")
    matching: Matching = Field(
        default=Matching.AUTO,
        description="How photos are paired. Auto is Sequential for more than 60 photos whose names or times "
        "are in order, else Exhaustive.",
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="Seed of every random choice.")
    timeout_seconds: Timeout = None


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
        description="The budget of Gaussians, never exceeded. Default 160,000 (Draft: 50,000).",
    )
    max_image_side: int | None = Field(
        default=None,
        ge=32,
        le=8192,
        description="Photos are reduced to this longest side, in pixels. Default 960 (Draft: 480).",
    )
    sh_degree: int = Field(default=3, ge=0, le=3, description="Degree of the spherical harmonics.")
    target_psnr: float | None = Field(
        default=None,
        ge=5,
        le=100,
        description="Training ends at the first evaluation that reaches this held-out PSNR, in dB. "
        "Default: none.",
    )
    hold_out_every: int = Field(
        default=8,
        ge=0,
        le=1000,
        description="Every so many photos one is held out to measure quality; 0 holds none out, 1 is "
        "refused.",
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="Seed of every random choice.")
    checkpoint_seconds: int = Field(
        default=30,
        ge=5,
        le=3600,
        description="How often the training is saved, in seconds, so that another worker can continue it.",
    )
    timeout_seconds: Timeout = None

    @field_validator("hold_out_every")
    @classmethod
    def _leaves_photos_to_train_on(cls, every: int) -> int:
        if every == 1:
            raise ValueError("must not be 1, which would leave no photo to train on")
        return every


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
        "Standard uses 960.",
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
