"""Straightens the photos: what a pinhole camera without lens distortion would have taken.

Splats are rendered through a pinhole, so the trainer gets photos, intrinsics and poses of one.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from splatworks_common.progress import Report, Update
from splatworks_sfm.config import SfmOptions
from splatworks_sfm.pycolmap_import import pycolmap

_MODEL_FILES = ("cameras.bin", "images.bin", "points3D.bin")


def straighten(
    sparse: Path,
    names: Sequence[str],
    folder: Path,
    dense: Path,
    scratch: Path,
    options: SfmOptions,
    report: Report,
) -> None:
    """Writes ``dense/images/*.jpg`` and the PINHOLE model ``dense/sparse/{cameras,images,points3D}.bin``.

    Args:
        sparse: The model of the ingested photos.
        names: The registered photos.
        folder: The ingested photos.
        dense: The new folder to write to.
        scratch: A folder on the same file system as ``dense``, for COLMAP's own layout.
        options: The stage's options.
        report: Told the number of photos done.
    """
    undistortion = pycolmap.UndistortCameraOptions()
    undistortion.max_image_size = options.max_undistorted_size
    work = scratch / "undistorted"
    size = 2 * options.threads
    report(Update("undistort", 0, len(names), "Straightening images", unit="photos"))
    for start in range(0, len(names), size):
        pycolmap.undistort_images(
            work,
            sparse,
            folder,
            names[start : start + size],
            undistort_options=undistortion,
            jpeg_quality=options.jpeg_quality,
            num_threads=options.threads,
        )
        report(
            Update(
                "undistort", min(start + size, len(names)), len(names), "Straightening images", unit="photos"
            )
        )
    (dense / "sparse").mkdir(parents=True)
    shutil.move(work / "images", dense / "images")
    for file in _MODEL_FILES:
        shutil.move(work / "sparse" / file, dense / "sparse" / file)
