"""Chooses the photos that are kept away from training, so that they can tell how good it is.

A photo at the rim of a capture shows much that no other photo does; its figures measure the capture, not the
training. So by default photos from the interior are held out. Pure and deterministic: the choice depends on
the model and the rule alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

from splatworks_common.cameras import Camera
from splatworks_trainer.colmap import ColmapModel
from splatworks_trainer.config import Holdout

_FEWEST_PHOTOS = 12
"""With fewer photos AUTO holds none out: each shows too much that the others do not."""

_FEWEST_PHOTOS_BY_COUNT = 4
"""With fewer photos EVERY_N holds none out."""

_ONE_OF = 8
"""One photo of about so many is held out by AUTO."""

_FEWEST_HELD_OUT = 2

_MOST_WORTH = 4
"""More photos make a point no better known: without a limit all choices fall where a video stood still."""


def choose_held_out(model: ColmapModel, rule: Holdout, every: int) -> tuple[Camera, ...]:
    """The model's cameras, those held out marked.

    Args:
        model: The cameras, in the order of their names, and which photo shows which point.
        rule: How to choose.
        every: Used by EVERY_N alone: the photos 0, ``every``, 2 * ``every``, ... are held out; 0 means none.
    """
    count = len(model.cameras)
    chosen: Sequence[int] = ()
    if rule is Holdout.AUTO and count >= _FEWEST_PHOTOS:
        chosen = _interior(model, max(_FEWEST_HELD_OUT, count // _ONE_OF))
    elif rule is Holdout.EVERY_N and every > 0 and count >= _FEWEST_PHOTOS_BY_COUNT:
        chosen = range(0, count, every)
    return tuple(replace(camera, held_out=i in chosen) for i, camera in enumerate(model.cameras))


def _interior(model: ColmapModel, number: int) -> list[int]:
    """Each time the photo that is best known by its points, less the part of them a chosen one shows too.

    A point counts by how many other photos show it beyond the first, for one is not enough to place it: so
    photos in the middle of a capture count most. That what is shared counts less spreads the choice: two
    neighbours missing together would leave a hole.
    """
    shows = _shows(model)
    totals = np.maximum(shows.sum(axis=1), 1)
    known = shows @ np.clip(shows.sum(axis=0) - 2, 0, _MOST_WORTH)
    shared = np.zeros(len(known))
    chosen: list[int] = []
    for _ in range(number):
        worth = known * (1 - shared)
        worth[chosen] = -1
        best = int(np.argmax(worth))
        chosen.append(best)
        shared = np.maximum(shared, (shows @ shows[[best]].T).toarray()[:, 0] / totals)
    return chosen


def _shows(model: ColmapModel) -> csr_array:
    """``[photos, points]``, 1 where a photo shows a point."""
    point, photo = model.observations.T
    shape = (len(model.cameras), len(model.points))
    return csr_array((np.ones(len(point), np.int32), (photo, point)), shape)
