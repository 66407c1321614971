"""What the stage tells about its work: ``report.json``, for people and for the services after it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from splatworks_common.photos import is_named_like_a_photo
from splatworks_sfm.config import SfmOptions
from splatworks_sfm.grouping import CameraGroup
from splatworks_sfm.ingest import Photo
from splatworks_sfm.mapping import Mapped, registered_images
from splatworks_sfm.matching import Matches, MatchPlan
from splatworks_sfm.meter import StepCost
from splatworks_sfm.sources import Skipped

VERSION = 1


@dataclass(frozen=True)
class SfmReport:
    """The result in figures.

    Attributes:
        photos_in: Photos given, used or not. Files named like something else are skipped, but not counted.
        photos: The used ones in order: name in the model, original name, size, EXIF, masked or not, features,
            registered or not.
        skipped: The others, with reasons.
        masked: How many of the used photos have parts that are ignored.
        registered: How many photos have a pose.
        unregistered: Original names of used photos without one.
        dropped: Original names of those that had a pose no other photo supported.
        components: Registered photos of every separate model found; the first is the one kept.
        matching: The method, pairs compared, pairs verified.
        cameras: One row per camera group: make, model, size, photos, focal length guessed and found.
        points: Points of the sparse cloud.
        reprojection_error: Mean, in pixels of the ingested photos.
        track_length: Mean number of photos that see a point.
        steps: Seconds, processor seconds and peak bytes of each step.
        options: The options used.
        warnings: What the owner may want to do better.
    """

    photos_in: int
    photos: list[dict[str, object]]
    skipped: list[Skipped]
    masked: int
    registered: int
    unregistered: list[str]
    dropped: list[str]
    components: list[int]
    matching: dict[str, object]
    cameras: list[dict[str, object]]
    points: int
    reprojection_error: float
    track_length: float
    steps: Mapping[str, StepCost]
    options: SfmOptions
    warnings: list[str]

    def write(self, path: Path) -> None:
        """Writes the report as JSON."""
        path.write_text(
            json.dumps({"version": VERSION, **asdict(self)}, indent=1, ensure_ascii=False) + "\n", "utf-8"
        )


def make_report(
    *,
    photos: Sequence[Photo],
    skipped: Sequence[Skipped],
    orphans: Sequence[Skipped],
    groups: Sequence[CameraGroup],
    features: Mapping[str, int],
    plan: MatchPlan,
    matches: Matches,
    mapped: Mapped,
    steps: Mapping[str, StepCost],
    options: SfmOptions,
) -> SfmReport:
    """Gathers what the steps found."""
    model = mapped.model
    focal = {
        image.name: model.camera(image.camera_id).mean_focal_length() for image in registered_images(model)
    }
    unregistered = [photo.original for photo in photos if photo.name not in focal]
    originals = {photo.name: photo.original for photo in photos}
    return SfmReport(
        photos_in=len(photos) + sum(is_named_like_a_photo(skip.name) for skip in skipped),
        photos=[
            {**asdict(photo), "features": features[photo.name], "registered": photo.name in focal}
            for photo in photos
        ],
        skipped=list(skipped),
        masked=sum(photo.masked for photo in photos),
        registered=len(focal),
        unregistered=unregistered,
        dropped=[originals[name] for name in mapped.dropped],
        components=mapped.components,
        matching={"method": plan.method, "pairs": matches.compared, "verified_pairs": matches.verified},
        cameras=[
            {
                **asdict(group),
                "photos": len(group.photos),
                "focal_pixels_found": next((focal[name] for name in group.photos if name in focal), None),
            }
            for group in groups
        ],
        points=model.num_points3D(),
        reprojection_error=model.compute_mean_reprojection_error(),
        track_length=model.compute_mean_track_length(),
        steps=dict(steps),
        options=options,
        warnings=warnings_for(len(photos), len(focal), mapped.components, orphans),
    )


def warnings_for(
    used: int, registered: int, components: Sequence[int], orphans: Sequence[Skipped]
) -> list[str]:
    """What is worth a word although the stage succeeded."""
    warnings = []
    if used < 20:
        warnings.append(f"{used} photos are few; 20 to 100 give a better scene")
    if registered < math.ceil(0.8 * used):
        warnings.append(
            f"{used - registered} of {used} photos could not be placed and are not part of the scene"
        )
    if len(components) > 1:
        warnings.append(f"the photos fall into {len(components)} separate scenes; only the largest is kept")
    warnings += [f"{mask.name} is not used: {mask.reason}" for mask in orphans]
    return warnings
