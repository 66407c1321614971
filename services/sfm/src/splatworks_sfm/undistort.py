"""Straightens the photos: what a pinhole camera without lens distortion would have taken.

Splats are rendered through a pinhole, so the trainer gets photos, intrinsics and poses of one. They are
cropped so that every pixel is filled, unless the distortion found is so wrong that it folds the corners over.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from splatworks_common.progress import Report, Update
from splatworks_sfm.config import SfmOptions
from splatworks_sfm.mapping import registered_images
from splatworks_sfm.masks import mask_path, only_whole
from splatworks_sfm.pycolmap_import import pycolmap

_MODEL_FILES = ("cameras.bin", "images.bin", "points3D.bin")


def straighten(
    model: pycolmap.Reconstruction,
    sparse: Path,
    folder: Path,
    masks: Path,
    dense: Path,
    scratch: Path,
    options: SfmOptions,
    report: Report,
) -> None:
    """Writes ``dense/images/*.jpg`` and the PINHOLE model ``dense/sparse/{cameras,images,points3D}.bin``.

    Also ``dense/masks/*.jpg.png`` for the photos of which something is ignored: 8-bit grey, 255 where the
    photo in ``dense/images`` is used and 0 where it is not, pixel by pixel.

    Args:
        model: The model of the ingested photos.
        sparse: Where it is written.
        folder: The ingested photos.
        masks: Their masks.
        dense: The new folder to write to.
        scratch: A folder on the same file system as ``dense``, for COLMAP's own layout.
        options: The stage's options.
        report: Told the number of photos done.
    """
    undistortion = pycolmap.UndistortCameraOptions()
    undistortion.max_image_size = options.max_undistorted_size
    images = registered_images(model)
    work = scratch / "undistorted"
    size = 2 * options.threads
    report(Update("undistort", 0, len(images), "Straightening images", unit="photos"))
    for start in range(0, len(images), size):
        chunk = images[start : start + size]
        pycolmap.undistort_images(
            work,
            sparse,
            folder,
            [image.name for image in chunk],
            undistort_options=undistortion,
            jpeg_quality=options.jpeg_quality,
            num_threads=options.threads,
        )
        for image in chunk:
            camera = model.camera(image.camera_id)
            _straighten_mask(image.name, camera, masks, dense / "masks", undistortion)
        done = start + len(chunk)
        report(Update("undistort", done, len(images), "Straightening images", unit="photos"))
    (dense / "sparse").mkdir(parents=True)
    shutil.move(work / "images", dense / "images")
    for file in _MODEL_FILES:
        shutil.move(work / "sparse" / file, dense / "sparse" / file)


def _straighten_mask(
    name: str,
    camera: pycolmap.Camera,
    masks: Path,
    into: Path,
    undistortion: pycolmap.UndistortCameraOptions,
) -> None:
    """Writes a photo's mask, moved as the photo was, if it has one that ignores more than is cropped."""
    if not mask_path(masks, name).exists():
        return
    with Image.open(mask_path(masks, name)) as mask:
        bitmap = pycolmap.Bitmap.from_array(np.asarray(mask))
    moved, _ = pycolmap.undistort_image(undistortion, bitmap, camera)
    straight = only_whole(Image.fromarray(moved.to_array()))
    if straight.getextrema() != (255, 255):
        into.mkdir(parents=True, exist_ok=True)
        straight.save(mask_path(into, name))
