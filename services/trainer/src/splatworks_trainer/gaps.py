"""Adds points where the photos show something but the sparse model has none: forest, lawn, plain walls.

Gaussians spread from sparse points; where there are none, optimisation needs most of a short run just to
reach. So each training photo is cut into coarse cells, and a cell without a point gets one: on its ray, at
the depth its surroundings have in that photo, with its mean colour. Depths are guesses that training
corrects. A guess that lands on another colour in other photos would stand in the way of what is there, so
it is dropped. Held-out photos, and cells that a mask ignores a part of, are not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from splatworks_common.cameras import Camera
from splatworks_trainer.views import Photos, View, in_picture, unprojected

_CELLS = 32
"""Cells along the longest side of a photo."""

_NEIGHBOURS = 8
"""Sparse points in a photo that a cell's depth is interpolated from."""

_EMPTY_RADIUS = 0.75
"""A cell, and the place for a new point, is empty if nothing lies within so many cells of its centre."""

_SAME_COLOUR = 60
"""Largest difference of a channel, of 255, at which a guess fits the cell it lands on in a photo."""

_AGREEMENT = 0.9
"""Share of the photos it lands in that a guess must fit; its own always does."""


def points_in_gaps(
    points: NDArray[np.float64], colors: NDArray[np.uint8], photos: Photos
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Extends a sparse model by points for the empty cells of all training photos, one photo after the other.

    Args:
        points: Sparse points, ``[P, 3]`` world units.
        colors: Their colours, ``[P, 3]``.
        photos: All photos; those held out are left alone.

    Returns:
        The given points and colours, followed by the new ones.
    """
    views = [_cells(photos, index) for index in photos.training]
    given = cKDTree(points)
    new_points, new_colors = np.zeros((0, 3)), np.zeros((0, 3), np.uint8)
    for view in views:
        guesses, guessed_colors, size = _guesses(points, view)
        if len(guesses):
            gap = np.minimum(given.query(guesses)[0], cKDTree(new_points).query(guesses)[0])
            taken = gap > _EMPTY_RADIUS * size
            taken[taken] = _agreement(guesses[taken], guessed_colors[taken], views) >= _AGREEMENT
            new_points = np.concatenate([new_points, guesses[taken]])
            new_colors = np.concatenate([new_colors, guessed_colors[taken]])
    return np.concatenate([points, new_points]), np.concatenate([colors, new_colors])


def _cells(photos: Photos, index: int) -> View:
    """A photo so small that each pixel is a cell's mean colour."""
    full = photos.cameras[index]
    return photos.at(index, _CELLS / max(full.width, full.height))


def _guesses(
    points: NDArray[np.float64], view: View
) -> tuple[NDArray[np.float64], NDArray[np.uint8], NDArray[np.float64]]:
    """A point ``[G, 3]`` per empty cell, its colour ``[G, 3]``, and the size of a cell there ``[G]``."""
    cells = view.camera
    seen, depths, _ = in_picture(points, cells)
    if len(seen) == 0:
        return np.zeros((0, 3)), np.zeros((0, 3), np.uint8), np.zeros(0)
    centres = _pixel_centres(cells)
    k = min(_NEIGHBOURS, len(seen))
    distance, nearest = cKDTree(seen).query(centres, range(1, k + 1))
    empty = distance[:, 0] > _EMPTY_RADIUS
    if view.mask is not None:
        empty &= view.mask.ravel()
    weights = 1 / np.maximum(distance[empty], 1e-3)
    depth = np.exp(np.sum(np.log(depths[nearest[empty]]) * weights, axis=1) / np.sum(weights, axis=1))
    return unprojected(centres[empty], depth, cells), view.photo.reshape(-1, 3)[empty], depth / cells.fx


def _agreement(
    guesses: NDArray[np.float64], colors: NDArray[np.uint8], views: Sequence[View]
) -> NDArray[np.float64]:
    """The share of the views a guess lands in that have its colour there, ``[G]``."""
    fits, lands = np.zeros(len(guesses)), np.zeros(len(guesses))
    for view in views:
        pixels, _, inside = in_picture(guesses, view.camera)
        column, row = pixels.astype(int).T
        if view.mask is not None:
            counts = view.mask[row, column]
            column, row, inside = column[counts], row[counts], inside[counts]
        difference = np.abs(view.photo[row, column].astype(int) - colors[inside]).max(axis=1)
        fits[inside] += difference <= _SAME_COLOUR
        lands[inside] += 1
    return fits / np.maximum(lands, 1)


def _pixel_centres(camera: Camera) -> NDArray[np.float64]:
    """The centres of all pixels, row by row, ``[H * W, 2]``."""
    x, y = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    return np.stack([x.ravel(), y.ravel()], axis=1)
