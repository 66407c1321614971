"""Everything that decides the rest of a run, and how it lies in the files of a checkpoint.

A run that goes on from its state does what it would have done, to the last bit. Files are JSON and plain
``.npy`` arrays: nothing in them is ever executed, and an array is mapped, never allocated by what its header
says, so a damaged one costs no memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from splatworks_common.splats import Splats
from splatworks_trainer.engine import EngineState
from splatworks_trainer.stopping import NOTHING_SEEN, Seen

_FORMAT = 1
_JSON, _LOG = "state.json", "training.log"
_LONGEST_TEXT = 64 << 20
_NAME = re.compile(r"[a-z0-9_]+")


@dataclass(frozen=True)
class Kept:
    """The best model so far.

    Attributes:
        splats: Its Gaussians.
        step: After how many steps they were taken.
    """

    splats: Splats
    step: int


@dataclass(frozen=True)
class Position:
    """Where the loop is; by default at its beginning.

    Attributes:
        rng: The source of all random choices still to come.
        step: How many steps were done.
        round: Photos still to come before all are shuffled anew, by index, in order.
        seen: What the stop rule remembers.
        kept: The best model so far.
        figures: The latest figures, as reported.
    """

    rng: np.random.Generator
    step: int = 0
    round: tuple[int, ...] = ()
    seen: Seen = NOTHING_SEEN
    kept: Kept | None = None
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class RunState:
    """A run in the middle.

    Attributes:
        position: Where the loop is.
        engine: The engine's state at that position.
        seconds: How long the run has taken to get there.
        log: The lines of ``training.log`` so far.
    """

    position: Position
    engine: EngineState
    seconds: float
    log: str


def write_state(state: RunState, folder: Path) -> None:
    """Writes a state into an empty folder."""
    position, kept = state.position, state.position.kept
    document = {
        "format": _FORMAT,
        "seconds": state.seconds,
        "step": position.step,
        "round": position.round,
        "rng": position.rng.bit_generator.state,
        "seen": asdict(position.seen),
        "kept_step": kept.step if kept else None,
        "figures": dict(position.figures),
        "engine": sorted(state.engine),
    }
    for name, values in state.engine.items():
        np.save(folder / f"engine.{name}.npy", values, allow_pickle=False)
    if kept:
        for column in fields(kept.splats):
            np.save(folder / f"kept.{column.name}.npy", getattr(kept.splats, column.name), allow_pickle=False)
    (folder / _LOG).write_text(state.log, encoding="utf-8")
    (folder / _JSON).write_text(json.dumps(document), encoding="utf-8")


def read_state(folder: Path) -> RunState:
    """Reads what ``write_state`` wrote. The engine's arrays stay in their files until they are used.

    Raises:
        ValueError: It is something else, or of another version of this program.
    """
    try:
        document = json.loads(_text(folder / _JSON))
        if document["format"] != _FORMAT:
            raise ValueError(f"its format is {document['format']}, this program reads {_FORMAT}")
        return RunState(
            position=Position(
                rng=_generator(document["rng"]),
                step=int(document["step"]),
                round=tuple(int(index) for index in document["round"]),
                seen=Seen(**document["seen"]),
                kept=_kept(folder, document["kept_step"]),
                figures={str(name): float(value) for name, value in document["figures"].items()},
            ),
            engine={name: _array(folder, f"engine.{name}") for name in _names(document["engine"])},
            seconds=float(document["seconds"]),
            log=_text(folder / _LOG),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"the state of training can not be read: {error!r}") from error


def _generator(state: Mapping[str, Any]) -> np.random.Generator:
    rng = np.random.default_rng()
    rng.bit_generator.state = state
    return rng


def _kept(folder: Path, step: int | None) -> Kept | None:
    if step is None:
        return None
    columns = {column.name: _array(folder, f"kept.{column.name}") for column in fields(Splats)}
    return Kept(Splats(**{name: np.array(values, np.float32) for name, values in columns.items()}), int(step))


def _names(given: list[str]) -> list[str]:
    for name in given:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of an array")
    return given


def _array(folder: Path, name: str) -> NDArray[np.generic]:
    values: NDArray[np.generic] = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    return values


def _text(path: Path) -> str:
    if path.stat().st_size > _LONGEST_TEXT:
        raise ValueError(f"{path.name} is longer than {_LONGEST_TEXT} bytes")
    return path.read_text(encoding="utf-8")
