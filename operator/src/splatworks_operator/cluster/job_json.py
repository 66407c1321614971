"""Older job files: JSON objects whose options are not called as the fields of a SplatJob are.

The tables below are all that is known of them. Options stand in the object itself, or in one inside it that
is called ``options`` or ``training``; null is as good as not said. Nothing is passed over in silence: a name
that the tables do not have is refused, and so is a value of another type.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from splatworks_operator.cluster.errors import WrongUsage

Fields = Mapping[str, Any]
"""Values of a SplatJob's spec by path ("train.maxSteps")."""

GROUPS = ("options", "training")
"""Objects in which options may stand, too."""

_ONE_SIZE = {"train.resolutionSchedule": [{"size": 1, "start": 0}]}
_NO_PLATEAU = {"train.plateau.patience": 0}
_NO_PRUNING = {"train.prune.significance": 0}

NAMES = ("jobName", "jobId")
"""What the job is called; the first that is said."""

TEXTS = {"s3Url": "source.uri", "inputS3Uri": "source.uri"}
"""The field that a text is the value of."""

NUMBERS = {
    "target_psnr": "train.targetPsnr",
    "max_iterations": "train.maxSteps",
    "plateau_patience": "train.plateau.patience",
}
"""The field that a number is the value of."""

SWITCHES: Mapping[str, tuple[Fields, Fields]] = {
    "progressive_resolution": ({}, _ONE_SIZE),
    "psnr_plateau_termination": ({}, _NO_PLATEAU),
    "gpu_acceleration": ({"train.engine": "Auto"}, {"train.engine": "Native"}),
    "sogs_compression": ({}, {"compress.quality": "High"}),
    "optimization_enabled": ({}, _ONE_SIZE | _NO_PLATEAU | _NO_PRUNING),
}
"""What a switch says where it is true, and where it is false. A later one wins, and all win over numbers."""

_KNOWN = (*NAMES, *TEXTS, *NUMBERS, *SWITCHES)


@dataclass(frozen=True)
class OlderJob:
    """What an older job file says.

    Attributes:
        name: What the job is called; None where the file does not say it.
        fields: What it says of the spec.
    """

    name: str | None
    fields: Fields


def is_older_job(document: Any) -> bool:
    """Whether a document is one: an object that is no Kubernetes resource and has a known name, or nearly."""
    if not isinstance(document, Mapping) or {"apiVersion", "kind"} & document.keys():
        return False
    return any(_closest(name) for name, _ in _entries(document))


def read(path: Path, document: Mapping[str, Any]) -> OlderJob:
    """What an older job says, as a SplatJob has it.

    Args:
        path: What to call the file in complaints.
        document: Its content.

    Raises:
        WrongUsage: A name is not known or is said twice, or a value is of another type.

    Example:
        >>> read(Path("job.json"), {"max_iterations": 3000, "options": {"gpu_acceleration": False}}).fields
        {'train.maxSteps': 3000, 'train.engine': 'Native'}
    """
    said: dict[str, Any] = {}
    for name, value in _entries(document):
        if name not in _KNOWN:
            raise WrongUsage(f"{path}: {_unknown(name)}")
        if value is None:
            continue
        if name in said:
            raise WrongUsage(f"{path} says {name} twice: leave one of them out.")
        said[name] = _checked(path, name, value)
    fields: dict[str, Any] = {}
    for name, field in (TEXTS | NUMBERS).items():
        if name in said:
            if fields.get(field, said[name]) != said[name]:
                raise WrongUsage(f"{path}: {name} says something else than another name of the same thing.")
            fields[field] = said[name]
    for name, (on, off) in SWITCHES.items():
        if name in said:
            fields |= on if said[name] else off
    return OlderJob(next((said[name] for name in NAMES if name in said), None), fields)


def _entries(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        if name in GROUPS and isinstance(value, Mapping):
            yield from ((str(inner), of) for inner, of in value.items())
        else:
            yield str(name), value


def _checked(path: Path, name: str, value: Any) -> Any:
    if name in SWITCHES:
        fits, what = isinstance(value, bool), "true or false"
    elif name in NUMBERS:
        fits, what = isinstance(value, int | float) and not isinstance(value, bool), "a number"
    else:
        fits, what = isinstance(value, str) and bool(value), "a text"
    if not fits:
        raise WrongUsage(f"{path}: {name} must be {what}, not {value!r}.")
    return value


def _unknown(name: str) -> str:
    close = _closest(name)
    meant = f": did you mean {close}?" if close else "."
    return f"{name} is no option of an older job{meant} Its options are {', '.join(_KNOWN)}."


def _closest(name: str) -> str | None:
    """The known name that is, or probably was meant by, ``name``."""
    return next(iter(difflib.get_close_matches(name, _KNOWN, n=1)), None)
