"""Finds features in every photo and fills the COLMAP database with them.

Cameras and images are written before the first feature, in the photos' order: so a group has exactly one
camera however the work is cut up, be it in attempts, and ids do not depend on which thread was first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from splatworks_common.progress import Report, Update
from splatworks_sfm.config import SfmOptions
from splatworks_sfm.filling import Filling
from splatworks_sfm.grouping import CameraGroup
from splatworks_sfm.masks import mask_path
from splatworks_sfm.pycolmap_import import pycolmap

_MANY = 10
"""Photos of one camera from which on a second distortion coefficient is well determined."""
_DEFAULT_FOCAL = 1.2
"""COLMAP's first guess without EXIF: focal length over the longest side (a 45 degree view)."""


def find_features(
    filling: Filling,
    folder: Path,
    masks: Path,
    groups: Sequence[CameraGroup],
    options: SfmOptions,
    report: Report,
) -> dict[str, int]:
    """Writes cameras, images and SIFT features of the photos in ``folder`` to the database.

    Features at pixels that a photo's mask in ``masks`` ignores are left out.
    Creates it, or goes on with the one that an earlier attempt left.

    Returns:
        The number of features of each photo, by file name.
    """
    total = sum(len(group.photos) for group in groups)
    database, resumed = filling.database, filling.resumed.photos
    message = f"Continued from photo {resumed:,}" if resumed else "Finding features"
    report(Update("features", resumed, total, message, unit="photos", resumed=resumed))
    camera_ids = _camera_ids(database) if database.exists() else _register(database, folder, groups)
    done = 0
    for camera_id, group in zip(camera_ids, groups, strict=True):
        missing = group.photos[max(0, resumed - done) :]
        done += len(group.photos) - len(missing)
        for chunk in _chunks(missing, 2 * options.threads):
            for reader, names in _by_mask(chunk, masks, camera_id):
                pycolmap.extract_features(
                    database,
                    folder,
                    names,
                    pycolmap.CameraMode.SINGLE,
                    reader,
                    _extraction(options),
                    pycolmap.Device.cpu,
                )
            done += len(chunk)
            report(Update("features", done, total, "Finding features", unit="photos", resumed=resumed))
            filling.photos_done(done)
    return _count(database)


def _register(database: Path, folder: Path, groups: Sequence[CameraGroup]) -> list[int]:
    """Writes each group's camera and images; returns the cameras' ids."""
    with pycolmap.Database.open(database) as opened:
        camera_ids = [opened.write_camera(_camera(group)) for group in groups]
    for camera_id, group in zip(camera_ids, groups, strict=True):
        pycolmap.import_images(
            database, folder, pycolmap.CameraMode.SINGLE, group.photos, _reader_options(camera_id)
        )
    return camera_ids


def _camera_ids(database: Path) -> list[int]:
    """The ids in the order in which ``_register`` wrote the cameras."""
    with pycolmap.Database.open(database) as opened:
        return sorted(camera.camera_id for camera in opened.read_all_cameras())


def _camera(group: CameraGroup) -> pycolmap.Camera:
    focal = group.focal_pixels or _DEFAULT_FOCAL * max(group.width, group.height)
    # On phone photos a second coefficient takes 4 % off the reprojection error and up to 5 pixels off the
    # corners; tangential ones take off nothing more and loosen the focal length of nearly planar scenes.
    model = "RADIAL" if len(group.photos) >= _MANY else "SIMPLE_RADIAL"
    camera = pycolmap.Camera.create_from_model_name(
        pycolmap.INVALID_CAMERA_ID, model, focal, group.width, group.height
    )
    camera.has_prior_focal_length = group.focal_pixels is not None
    return camera


def _reader_options(camera_id: int) -> pycolmap.ImageReaderOptions:
    options = pycolmap.ImageReaderOptions()
    options.existing_camera_id = camera_id
    return options


def _by_mask(
    names: Sequence[str], masks: Path, camera_id: int
) -> Iterator[tuple[pycolmap.ImageReaderOptions, list[str]]]:
    """The photos without and those with a mask: given masks, COLMAP passes over photos that have none."""
    plain = [name for name in names if not mask_path(masks, name).exists()]
    masked = [name for name in names if name not in plain]
    if plain:
        yield _reader_options(camera_id), plain
    if masked:
        reader = _reader_options(camera_id)
        reader.mask_path = masks
        yield reader, masked


def _extraction(options: SfmOptions) -> pycolmap.FeatureExtractionOptions:
    extraction = pycolmap.FeatureExtractionOptions()
    extraction.num_threads = options.threads
    extraction.max_image_size = options.max_feature_size
    extraction.sift.max_num_features = options.max_features
    # Octave -1 would double the picture first: three times the time for features that add no pose accuracy.
    extraction.sift.first_octave = 0
    return extraction


def _count(database: Path) -> dict[str, int]:
    with pycolmap.Database.open(database) as opened:
        return {
            image.name: opened.num_keypoints_for_image(image.image_id) for image in opened.read_all_images()
        }


def _chunks(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Parts small enough that progress moves about once a second."""
    for start in range(0, len(names), size):
        yield names[start : start + size]
