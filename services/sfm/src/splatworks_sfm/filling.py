"""How far the COLMAP database is filled, and the checkpoints that keep it.

Finding features and comparing photos is most of the stage's time, and all of it ends up in this one file.
A checkpoint is a copy of the database, made between COLMAP's calls, when no connection is open and the file
is whole, and how many photos and tiles of pairs it holds. What went before is done again: ingest is quick
and gives the same photos. Should it not, as after an update of the program, the checkpoint is not used.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from splatworks_common.checkpoints import Checkpoint
from splatworks_sfm.grouping import CameraGroup

logger = logging.getLogger(__name__)

_SECONDS = 30.0
_LAST_SECONDS = 10.0
"""Work older than this is kept before mapping, which keeps nothing itself."""
_DATABASE, _FILLED = "database.db", "filled.json"
_LONGEST = 1 << 20


@dataclass(frozen=True)
class Filled:
    """How far a database is filled.

    Attributes:
        photos: Photos that have features, counted through the camera groups.
        tiles: Tiles of pairs that are compared.
    """

    photos: int = 0
    tiles: int = 0


class Filling:
    """The database of one capture while it is filled.

    Args:
        database: Where it is; must not be there yet. It is, if an earlier attempt left a checkpoint.
        groups: The capture's photos by camera.
        checkpoint: Where copies go and come from.

    Attributes:
        database: Where it is.
        resumed: How far an earlier attempt had filled it.
    """

    def __init__(self, database: Path, groups: Sequence[CameraGroup], checkpoint: Checkpoint) -> None:
        self.database = database
        self._capture = _digest(groups)
        self._checkpoint = checkpoint
        self._filled = self.resumed = self._restored()

    def photos_done(self, photos: int) -> None:
        """Features of so many photos are in the database."""
        self._reached(Filled(photos=photos), _SECONDS)

    def tiles_done(self, tiles: int) -> None:
        """So many tiles are compared."""
        self._reached(Filled(photos=self._filled.photos, tiles=tiles), _SECONDS)

    def complete(self) -> None:
        """Nothing more comes into the database."""
        self._reached(self._filled, _LAST_SECONDS)

    def _reached(self, filled: Filled, seconds: float) -> None:
        """Keeps the database if it is time to.

        Raises:
            Preempted: The worker is stopping, and the database is kept.
        """
        self._filled = filled
        if self._checkpoint.due(seconds):
            self._checkpoint.save(self._write)

    def _write(self, folder: Path) -> None:
        shutil.copyfile(self.database, folder / _DATABASE)
        document = {"capture": self._capture, **asdict(self._filled)}
        (folder / _FILLED).write_text(json.dumps(document), encoding="utf-8")

    def _restored(self) -> Filled:
        folder = self._checkpoint.load()
        if folder is None:
            return Filled()
        try:
            filled = _read(folder / _FILLED, self._capture)
            shutil.move(folder / _DATABASE, self.database)
        except (OSError, ValueError, KeyError, TypeError) as error:
            logger.warning("the checkpoint is not used, the work begins anew: %r", error)
            return Filled()
        return filled


def _read(path: Path, capture: str) -> Filled:
    with path.open("rb") as file:
        document = json.loads(file.read(_LONGEST))
    if document["capture"] != capture:
        raise ValueError("it is of other photos")
    return Filled(photos=int(document["photos"]), tiles=int(document["tiles"]))


def _digest(groups: Sequence[CameraGroup]) -> str:
    text = json.dumps([asdict(group) for group in groups], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
