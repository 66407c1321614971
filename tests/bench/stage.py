"""One stage's domain function in a process of its own, so that the system can tell what it cost.

``python -m tests.bench.stage STAGE FOLDER``: FOLDER holds the folders of the stages before, as in the store.
Prints the stage's figures as one JSON line.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from splatworks_common.progress import silent

THREADS = len(os.sched_getaffinity(0))


def sfm(folder: Path) -> dict[str, float]:
    from splatworks_sfm.config import SfmOptions
    from splatworks_sfm.reconstruct import reconstruct

    options = SfmOptions(threads=THREADS)
    with tempfile.TemporaryDirectory() as scratch:
        result = reconstruct(folder / "photos", folder / "colmap", options, silent, scratch=Path(scratch))
    return {"registered": result.registered, "photos": result.photos_in, "points": result.points}


def trainer(folder: Path) -> dict[str, float | None]:
    from splatworks_trainer.config import STANDARD, Holdout
    from splatworks_trainer.train import train

    options = replace(STANDARD, holdout=Holdout.EVERY_N)
    result = train(folder / "colmap", folder / "gaussian", options, silent, threads=THREADS)
    return {"psnr": result.psnr, "ssim": result.ssim, "gaussians": result.gaussians, "steps": result.steps}


def compressor(folder: Path) -> dict[str, float | None]:
    from splatworks_compressor.compress import compress
    from splatworks_compressor.config import CompressOptions

    result = compress(
        folder / "gaussian",
        folder / "colmap" / "dense" / "images",
        folder / "compressed",
        CompressOptions(),
        silent,
        threads=THREADS,
    )
    return {"bytes": result.size_bytes, "ratio": result.ratio, "psnr_loss": result.psnr_loss}


STAGES = {"sfm": sfm, "trainer": trainer, "compressor": compressor}

if __name__ == "__main__":
    folder = Path(sys.argv[2])
    (folder / {"sfm": "colmap", "trainer": "gaussian", "compressor": "compressed"}[sys.argv[1]]).mkdir(
        parents=True, exist_ok=True
    )
    print(json.dumps(STAGES[sys.argv[1]](folder)))
