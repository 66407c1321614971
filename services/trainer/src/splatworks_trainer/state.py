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
from splatworks_trainer.stopping import NOTHING_SEEN, Seen, StopReason
from splatworks_trainer.watch import NO_TREND, Trend

_FORMAT = 2
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
class Ending:
    """How fitting ended.

    Attributes:
        steps: How many steps were done in all.
        stop_reason: Why no more were done.
    """

    steps: int
    stop_reason: StopReason


@dataclass(frozen=True)
class Position:
    """Where the loop is; by default at its beginning.

    Attributes:
        rng: The source of all random choices still to come.
        step: How many steps were done.
        round: Photos still to come before all are shuffled anew, by index, in order.
        seen: What the stop rule remembers.
        kept: The best model so far; while polishing, the one that was measured.
        figures: The latest figures, as reported.
        exposures: What is known of the photos' exposures, as ``Exposures.state`` gives it; empty where they
            are not learned.
        trend: How the error went so far.
        rate_factor: Factor on all learning rates: 1, and less after training went astray.
        fitted: How the first part of the run ended; none while it lasts, and set while polishing.
    """

    rng: np.random.Generator
    step: int = 0
    round: tuple[int, ...] = ()
    seen: Seen = NOTHING_SEEN
    kept: Kept | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    exposures: EngineState = field(default_factory=dict)
    trend: Trend = NO_TREND
    rate_factor: float = 1.0
    fitted: Ending | None = None

    @property
    def model(self) -> Kept:
        """The model that is measured; there is one once fitting is over."""
        assert self.kept is not None, "fitting is not over"
        return self.kept

    @property
    def ending(self) -> Ending:
        """How fitting ended; known once it is over."""
        assert self.fitted is not None, "fitting is not over"
        return self.fitted


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
        "trend": asdict(position.trend),
        "rate_factor": position.rate_factor,
        "fitted": asdict(position.fitted) if position.fitted else None,
        "engine": sorted(state.engine),
        "exposures": sorted(position.exposures),
    }
    for kind, arrays in (("engine", state.engine), ("exposures", position.exposures)):
        for name, values in arrays.items():
            np.save(folder / f"{kind}.{name}.npy", values, allow_pickle=False)
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
        state = RunState(
            position=Position(
                rng=_generator(document["rng"]),
                step=int(document["step"]),
                round=tuple(int(index) for index in document["round"]),
                seen=Seen(**document["seen"]),
                kept=_kept(folder, document["kept_step"]),
                figures={str(name): float(value) for name, value in document["figures"].items()},
                exposures=_arrays(folder, "exposures", document["exposures"]),
                trend=Trend(**document["trend"]),
                rate_factor=float(document["rate_factor"]),
                fitted=_ending(document["fitted"]),
            ),
            engine=_arrays(folder, "engine", document["engine"]),
            seconds=float(document["seconds"]),
            log=_text(folder / _LOG),
        )
        if state.position.fitted and not state.position.kept:
            raise ValueError("fitting is over, and there is no model")
        return state
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


def _ending(document: Mapping[str, Any] | None) -> Ending | None:
    if document is None:
        return None
    return Ending(int(document["steps"]), StopReason(document["stop_reason"]))


def _arrays(folder: Path, kind: str, names: list[str]) -> EngineState:
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of an array")
    return {name: _array(folder, f"{kind}.{name}") for name in names}


def _array(folder: Path, name: str) -> NDArray[np.generic]:
    values: NDArray[np.generic] = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    return values


def _text(path: Path) -> str:
    if path.stat().st_size > _LONGEST_TEXT:
        raise ValueError(f"{path.name} is longer than {_LONGEST_TEXT} bytes")
    return path.read_text(encoding="utf-8")
