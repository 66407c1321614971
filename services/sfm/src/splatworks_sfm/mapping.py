"""Places the photos in space: incremental mapping, the best of its models, and without the strays in it.

Incremental and not global, because global mapping can report every photo registered at a small error with
some of them misplaced. A reprojection error says nothing about such strays, so photos with few observations
or far from all others are dropped from the model whatever their error is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from splatworks_common.progress import Report, Update
from splatworks_common.reasons import SfmDiverged
from splatworks_sfm.config import SfmOptions
from splatworks_sfm.matching import Matches
from splatworks_sfm.pycolmap_import import pycolmap

_FEWEST_OBSERVATIONS = 30
_FARTHEST = 10.0
"""Times the median distance from the middle of all cameras."""
_FEWEST_REGISTERED = 3
_FEW_FEATURES = 300
"""Features below which a photo is blurred, dark, or of something without texture."""
_MOSTLY = 0.9
_LITTLE_PARALLAX = 8.0
"""Degrees between the two views of a point that are farthest apart; around a scene it is 20 to 60."""
_POINTS_LOOKED_AT = 2000
_NO_PARALLAX = (
    "No scene was found: the photos match, but they were taken from places too close together to show depth. "
    "Move the camera sideways between photos; do not turn on the spot"
)


@dataclass(frozen=True)
class Mapped:
    """The model that is kept.

    Attributes:
        model: Cameras, poses and points.
        components: Registered photos of every model found, most first; the first is the one kept, before
            dropping.
        dropped: Names of photos taken out of the model as strays.
    """

    model: pycolmap.Reconstruction
    components: list[int]
    dropped: list[str]


def place_photos(
    database: Path,
    folder: Path,
    scratch: Path,
    features: Mapping[str, int],
    matches: Matches,
    options: SfmOptions,
    report: Report,
) -> Mapped:
    """Finds the pose of each photo.

    Args:
        database: Features and matches.
        folder: The ingested photos; only their colours at the points are read.
        scratch: A folder for models.
        features: Features of each photo; with ``matches`` it tells what went wrong where nothing comes out.
        matches: What matching found.
        options: The stage's options.
        report: Told the number of photos placed so far.

    Raises:
        SfmDiverged: No model, or one of too few photos; the message says what the photos lack.
    """
    total = len(features)
    placed = 2
    report(Update("mapping", 0, total, "Placing photos in space", unit="photos"))

    def one_more() -> None:
        nonlocal placed
        placed = min(placed + 1, total)
        report(Update("mapping", placed, total, "Placing photos in space", unit="photos"))

    models = pycolmap.incremental_mapping(
        database, folder, scratch / "models", _pipeline(options), next_image_callback=one_more
    )
    ranked = sorted(
        models.items(), key=lambda item: (-item[1].num_reg_images(), -item[1].num_points3D(), item[0])
    )
    if not ranked:
        raise SfmDiverged(_why_nothing(features, matches))
    model = ranked[0][1]
    dropped = _drop_strays(model)
    _require_most(model, total, options)
    _require_depth(model, matches)
    report(Update("mapping", total, total, "Placing photos in space", unit="photos"))
    return Mapped(model, [found.num_reg_images() for _, found in ranked], dropped)


def registered_images(model: pycolmap.Reconstruction) -> list[pycolmap.Image]:
    """The images that have a pose, by id."""
    return [model.image(image_id) for image_id in sorted(model.reg_image_ids())]


def strays(centres: NDArray[np.float64], observations: Sequence[int]) -> list[int]:
    """Positions of the cameras that do not belong to the model.

    Args:
        centres: Camera centres, ``[N, 3]``.
        observations: Points each camera sees, ``[N]``.
    """
    distance = np.linalg.norm(centres - np.nanmedian(centres, axis=0), axis=1)
    # Not finite counts as far: the comparison is written so that NaN fails it.
    near = distance <= _FARTHEST * np.nanmedian(distance) + 1e-9
    return [
        index for index, seen in enumerate(observations) if seen < _FEWEST_OBSERVATIONS or not near[index]
    ]


def _drop_strays(model: pycolmap.Reconstruction) -> list[str]:
    images = registered_images(model)
    centres = np.array([image.projection_center() for image in images])
    out = [images[index] for index in strays(centres, [image.num_points3D for image in images])]
    for image in out:
        model.deregister_frame(image.frame_id)
    return [image.name for image in out]


def _require_most(model: pycolmap.Reconstruction, total: int, options: SfmOptions) -> None:
    registered = model.num_reg_images()
    if registered < max(_FEWEST_REGISTERED, options.min_registered_fraction * total):
        raise SfmDiverged(
            f"Only {registered} of {total} photos could be placed in one scene. Neighbours must show mostly "
            "the same thing: move in small steps, keep two thirds of the view, leave out other things"
        )


def _require_depth(model: pycolmap.Reconstruction, matches: Matches) -> None:
    """Refuses a model made of photos from one place.

    Mapping does find one there: a wrong focal length and a wrong distortion look like a little parallax.
    """
    if matches.flat >= _MOSTLY * matches.verified and parallax(model) < _LITTLE_PARALLAX:
        raise SfmDiverged(_NO_PARALLAX)


def parallax(model: pycolmap.Reconstruction) -> float:
    """The median over points of the widest angle, in degrees, between two photos' views of the point."""
    centres = {image.image_id: image.projection_center() for image in registered_images(model)}
    ids = sorted(model.point3D_ids())
    cosines = []
    for point_id in ids[:: max(1, len(ids) // _POINTS_LOOKED_AT)]:
        point = model.point3D(point_id)
        rays = point.xyz - np.array([centres[element.image_id] for element in point.track.elements])
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        cosines.append((rays @ rays.T).min())
    return float(np.degrees(np.arccos(np.clip(np.median(cosines), -1, 1)))) if cosines else 0.0


def _why_nothing(features: Mapping[str, int], matches: Matches) -> str:
    """What to tell the owner of photos no model came out of."""
    typical = median(features.values())
    if typical < _FEW_FEATURES:
        return (
            f"No scene was found: half of all photos have {typical:.0f} or fewer details to go by. "
            "Take sharp, well-lit photos of things with texture; plain walls, glass and water have none"
        )
    if matches.verified < len(features) - 1:
        return (
            f"No scene was found: only {matches.verified} of {matches.compared} pairs show the same thing. "
            "Take photos in small steps, so that neighbours share two thirds of their view"
        )
    return _NO_PARALLAX


def _pipeline(options: SfmOptions) -> pycolmap.IncrementalPipelineOptions:
    pipeline = pycolmap.IncrementalPipelineOptions()
    # One thread: with more, bundle adjustment of large models sums in the order its threads finish, so that
    # the bytes differ from run to run. Mapping is mostly serial; more threads would gain little.
    pipeline.num_threads = 1
    pipeline.random_seed = options.seed
    pipeline.min_model_size = _FEWEST_REGISTERED
    # Bundle adjustment stops when it gains less than a millionth and runs less often: a fifth to a half of
    # the mapping time, with poses that differ by less than they do from the truth.
    pipeline.ba_local_function_tolerance = 1e-6
    pipeline.ba_global_function_tolerance = 1e-6
    pipeline.ba_local_max_num_iterations = 15
    pipeline.ba_global_max_num_iterations = 30
    pipeline.ba_global_frames_ratio = 1.4
    pipeline.ba_global_points_ratio = 1.4
    pipeline.ba_global_max_refinements = 2
    return pipeline
