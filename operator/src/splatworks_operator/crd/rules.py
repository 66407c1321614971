"""What a SplatJob must meet beyond types and limits, as the API server checks it.

The models of ``spec`` refuse the same values, so that a job that never saw an API server is judged alike; a
test holds the two together. What may change, and how, only the API server can say: it knows what was before.

A rule asks ``has(self.x)`` even of a field with a default: the default ``{}`` of the object around it is
judged before it is filled in.
"""

from __future__ import annotations

from splatworks_operator.crd.schema import Rule, Rules
from splatworks_operator.spec import (
    NOT_PHOTOS_PATTERN,
    Backoff,
    DensifyOptions,
    Output,
    Source,
    SplatJobSpec,
    TrainOptions,
)

MAX_NAME_LENGTH = 52
"""The longest name of a SplatJob: with what is put behind it, it still is a label's value (63)."""

_PLAIN_PATH = "!self.uri.matches('/[.][.]?(/|$)')"
_PLAIN_PATH_MESSAGE = "must not have '.' or '..' between slashes: write the path without them"

_LEVELS_ASCEND = (
    "(self.resolutionSchedule[0].size > 0.0 && self.resolutionSchedule[0].start == 0.0 && "
    "self.resolutionSchedule[size(self.resolutionSchedule) - 1].size == 1.0 && "
    "self.resolutionSchedule[size(self.resolutionSchedule) - 1].start < 1.0 && "
    "[0, 1, 2, 3, 4, 5, 6].all(i, size(self.resolutionSchedule) < i + 2 || "
    "self.resolutionSchedule[i].size < self.resolutionSchedule[i + 1].size && "
    "self.resolutionSchedule[i].start < self.resolutionSchedule[i + 1].start))"
)
"""CEL has no way to count up to the length of a list: the pairs of the longest list are written out."""

NAME = (
    Rule(
        f"size(self.metadata.name) <= {MAX_NAME_LENGTH}",
        f"metadata.name must be at most {MAX_NAME_LENGTH} characters long",
    ),
    Rule(
        "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        "metadata.name must be lower-case letters, digits and '-', begin with a letter and not end with '-'",
    ),
)
"""The rules for a SplatJob's name, which becomes part of a URL."""

_VALUES: Rules = {
    Source: (
        Rule(_PLAIN_PATH, _PLAIN_PATH_MESSAGE, ".uri"),
        Rule(
            f"!self.uri.matches('{NOT_PHOTOS_PATTERN}')",
            "must be a folder of photos or one .zip of them: put a single photo, a video or another kind of "
            "archive into a folder or .zip of photos first",
            ".uri",
        ),
    ),
    Output: (Rule(f"!has(self.uri) || {_PLAIN_PATH}", _PLAIN_PATH_MESSAGE, ".uri"),),
    TrainOptions: (
        Rule(
            "!has(self.holdOutEvery) || self.holdOutEvery != 1",
            "must not be 1, which would leave no photo to train on: 0 holds none out, 2 every other one",
            ".holdOutEvery",
        ),
        Rule(
            "!has(self.shSchedule) || "
            "[0, 1].all(i, size(self.shSchedule) < i + 2 || self.shSchedule[i] <= self.shSchedule[i + 1])",
            "must ascend: the share of a band is not below that of the one before it",
            ".shSchedule",
        ),
        Rule(
            f"!has(self.resolutionSchedule) || {_LEVELS_ASCEND}",
            "must ascend in both size and start, from start 0 and a size above 0 to size 1 and a start "
            "below 1",
            ".resolutionSchedule",
        ),
        Rule(
            "!has(self.absgrad) || !self.absgrad || !has(self.engine) || self.engine != 'Native'",
            "must be false with the engine Native, which does not have it: choose Gsplat",
            ".absgrad",
        ),
        Rule(
            "!has(self.requireGpu) || !self.requireGpu || !has(self.engine) || self.engine != 'Native'",
            "must be false with the engine Native, which uses no GPU: choose Auto or Gsplat",
            ".requireGpu",
        ),
    ),
    DensifyOptions: (
        Rule(
            "!has(self.until) || !has(self.start) || self.until >= self.start",
            "must be start or more",
            ".until",
        ),
    ),
    Backoff: (
        Rule(
            "!has(self.maxSeconds) || !has(self.initialSeconds) || self.maxSeconds >= self.initialSeconds",
            "must be initialSeconds or more",
            ".maxSeconds",
        ),
    ),
}


def of_spec() -> Rules:
    """All rules of the spec, by the model whose objects must meet them."""
    return {**_VALUES, SplatJobSpec: _transitions()}


def mutable_fields() -> tuple[str, ...]:
    """The fields of the spec that may be changed while a job lives, as they are called outside."""
    return tuple(
        field.alias or name
        for name, field in SplatJobSpec.model_fields.items()
        if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("mutable")
    )


def _transitions() -> tuple[Rule, ...]:
    """The rules for changes of a spec: only what is marked mutable may change, and ``terminate`` one way."""
    mutable = mutable_fields()
    return (
        *(
            _immutable(field.alias or name, optional=field.default is None)
            for name, field in SplatJobSpec.model_fields.items()
            if (field.alias or name) not in mutable
        ),
        Rule(
            "self.terminate || !oldSelf.terminate",
            "can not be taken back: create a new SplatJob",
            ".terminate",
            forbidden=True,
        ),
    )


def _immutable(field: str, *, optional: bool) -> Rule:
    """Refuses that a field gets another value and, where it may be absent, that it comes or goes."""
    same = f"self.{field} == oldSelf.{field}"
    if optional:
        same = f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || {same})"
    return Rule(same, "can not be changed: create a new SplatJob", f".{field}", forbidden=True)
