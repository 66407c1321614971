"""The sfm stage: from a folder or .zip of photos to poses, points and undistorted photos.

``reconstruct`` is the whole stage and reads as the list of its steps. It expects to run in a process of its
own: COLMAP aborts on some failures, and killing the process is how the stage is cancelled.
"""

from __future__ import annotations

import time
from pathlib import Path

from splatworks_common.checkpoints import NO_CHECKPOINT, Checkpoint
from splatworks_common.progress import Report, Update
from splatworks_common.reasons import InputNotFound
from splatworks_sfm.archive import unpack
from splatworks_sfm.config import SfmOptions
from splatworks_sfm.features import find_features
from splatworks_sfm.filling import Filling
from splatworks_sfm.grouping import group_by_camera
from splatworks_sfm.ingest import ingest, require_enough
from splatworks_sfm.mapping import place_photos
from splatworks_sfm.masks import pair_masks
from splatworks_sfm.matching import match, plan_matching
from splatworks_sfm.meter import Meter
from splatworks_sfm.report import SfmReport, make_report
from splatworks_sfm.sources import Skipped, Source, find_sources
from splatworks_sfm.undistort import straighten
from splatworks_sfm.upright import turn_upright


def reconstruct(
    photos: Path,
    output: Path,
    options: SfmOptions,
    report: Report,
    *,
    scratch: Path,
    checkpoint: Checkpoint = NO_CHECKPOINT,
) -> SfmReport:
    """Runs structure from motion.

    Args:
        photos: A folder of photos, or a .zip of them; ``masks`` says where masks are looked for.
        output: A folder that gets ``sparse/`` (the model of the ingested photos, COLMAP binary),
            ``dense/images/`` and ``dense/sparse/`` (undistorted photos with their PINHOLE model),
            ``dense/masks/`` (of the photos that have one) and ``report.json``.
        options: The stage's options.
        report: Told the progress.
        scratch: An empty folder for what is not part of the result: ingested photos, database, other models.
        checkpoint: Keeps features and matches; the work goes on from those that are there.

    Returns:
        What ``report.json`` holds.

    Raises:
        InputNotFound: ``photos`` does not exist.
        InputInvalid: The archive is hostile or damaged, or there are too many photos.
        TooFewImages: Fewer than three photos are usable.
        SfmDiverged: The photos do not make one scene.
        Preempted: The worker is stopping, and features and matches are kept.

    Example:
        >>> reconstruct(Path("in"), Path("out"), SfmOptions(), print, scratch=Path("tmp"))  # doctest: +SKIP
    """
    meter = Meter(time.perf_counter, time.process_time)
    images, masks = scratch / "images", scratch / "masks"
    database, sparse = scratch / "database.db", output / "sparse"
    with meter.step("ingest"):
        files, passed_over = _open_photos(photos, scratch, options, report)
        sources, orphans = pair_masks(files)
        ingested = ingest(sources, images, masks, options, report)
        skipped = passed_over + ingested.skipped
        require_enough(ingested.photos, skipped + orphans)
    with meter.step("features"):
        groups = group_by_camera(ingested.photos)
        filling = Filling(database, groups, checkpoint)
        features = find_features(filling, images, masks, groups, options, report)
    with meter.step("matching"):
        plan = plan_matching(ingested.photos, options)
        matches = match(filling, plan, scratch, options, report)
    with meter.step("mapping"):
        mapped = place_photos(database, images, scratch, features, matches, options, report)
        turn_upright(mapped.model)
        sparse.mkdir(parents=True)
        mapped.model.write_binary(sparse)
    with meter.step("undistort"):
        straighten(mapped.model, sparse, images, masks, output / "dense", scratch, options, report)
    result = make_report(
        photos=ingested.photos,
        skipped=skipped,
        orphans=orphans,
        groups=groups,
        features=features,
        plan=plan,
        matches=matches,
        mapped=mapped,
        steps=meter.costs,
        options=options,
    )
    result.write(output / "report.json")
    return result


def _open_photos(
    photos: Path, scratch: Path, options: SfmOptions, report: Report
) -> tuple[list[Source], list[Skipped]]:
    if photos.is_dir():
        return find_sources(photos)
    if not photos.is_file():
        raise InputNotFound(f"There are no photos at {photos}; give a folder of photos or a .zip of them")
    report(Update("ingest", 0, 1, "Unpacking your photos"))
    return unpack(photos, scratch / "unpacked", options), []
