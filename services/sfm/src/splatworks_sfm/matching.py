"""Chooses which pairs of photos to compare, and compares them.

The pairs are chosen here and handed to COLMAP as lists, a tile at a time: its own matchers report nothing
while they run. Tiles keep both sides of the pairs few, so that COLMAP loads and indexes each photo's features
seldom.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path

from splatworks_common.progress import Report, Update
from splatworks_sfm.config import Matching, SfmOptions
from splatworks_sfm.filling import Filling
from splatworks_sfm.ingest import Photo
from splatworks_sfm.pycolmap_import import pycolmap

Pair = tuple[int, int]

_TILE = 8
_LOOP_ANCHORS = 40
"""In sequential matching about this many evenly spread photos are compared with each other, which closes
loops."""
_LONGEST_STRIDE = 100
"""Between the numbers of frames taken out of a video; larger steps are no sequence."""
_CONFIDENCE, _FEWEST_TRIALS = 0.99, 30
"""When RANSAC has tried enough. COLMAP's own (0.999 three times over, 100) take twice the time to find as
many inliers of as many pairs, since what is found is refined on its inliers. The most trials are COLMAP's:
they are for pairs whose matches are mostly wrong."""
_FLAT = {
    pycolmap.TwoViewGeometryConfiguration.PLANAR.value,
    pycolmap.TwoViewGeometryConfiguration.PANORAMIC.value,
    pycolmap.TwoViewGeometryConfiguration.PLANAR_OR_PANORAMIC.value,
}


@dataclass(frozen=True)
class MatchPlan:
    """Which pairs are compared.

    Attributes:
        method: Exhaustive or sequential.
        names: The photos' file names in the order the pairs count in.
        pairs: Pairs of positions in ``names``, the smaller first.
    """

    method: Matching
    names: list[str]
    pairs: list[Pair]


@dataclass(frozen=True)
class Matches:
    """What came of it.

    Attributes:
        compared: Pairs compared.
        verified: Pairs that show the same thing.
        flat: Those of them that one picture-to-picture warp explains: of a plane, or from one place.
    """

    compared: int
    verified: int
    flat: int


def plan_matching(photos: Sequence[Photo], options: SfmOptions) -> MatchPlan:
    """Chooses the pairs; see ``Matching``."""
    ordered = capture_order(photos)
    sequential = options.matching is Matching.SEQUENTIAL or (
        options.matching is Matching.AUTO and ordered is not None and len(photos) > options.sequential_above
    )
    if sequential:
        names = [photo.name for photo in ordered or photos]
        return MatchPlan(Matching.SEQUENTIAL, names, sequential_pairs(len(names), options.sequential_overlap))
    names = [photo.name for photo in photos]
    return MatchPlan(Matching.EXHAUSTIVE, names, list(combinations(range(len(names)), 2)))


def capture_order(photos: Sequence[Photo]) -> list[Photo] | None:
    """The photos in the order they were taken, or None where nothing tells.

    Times tell where every photo has one and they are not mostly equal. Otherwise names tell where all are the
    same but for one number, and the numbers run on with few gaps, as cameras and frame extractors write them.
    """
    times = [photo.exif.taken for photo in photos]
    if None not in times and len(set(times)) > 0.8 * len(times):
        return sorted(photos, key=lambda photo: (photo.exif.taken or "", photo.name))
    numbers = [re.fullmatch(r"(.*?)([0-9]+)(\.[^.]*)?", photo.original) for photo in photos]
    if None in numbers or len({number[1].casefold() for number in numbers if number}) > 1:
        return None
    counted = sorted((int(number[2]), index) for index, number in enumerate(numbers) if number)
    gaps = [after[0] - before[0] for before, after in pairwise(counted)]
    usual = sorted(gaps)[len(gaps) // 2] if gaps else 1
    if not 1 <= usual <= _LONGEST_STRIDE or sum(1 <= gap <= 2 * usual for gap in gaps) < 0.8 * len(gaps):
        return None
    return [photos[index] for _, index in counted]


def sequential_pairs(count: int, overlap: int) -> list[Pair]:
    """Each photo with its next ``overlap``, and evenly spread ones with each other."""
    near = {
        (first, second)
        for first in range(count)
        for second in range(first + 1, min(count, first + 1 + overlap))
    }
    loops = combinations(range(0, count, max(5, count // _LOOP_ANCHORS)), 2)
    return sorted(near.union(loops))


def match(filling: Filling, plan: MatchPlan, scratch: Path, options: SfmOptions, report: Report) -> Matches:
    """Compares the pairs that are not yet, and writes matches and two-view geometries to the database."""
    total = max(1, len(plan.pairs))
    all_tiles = list(tiles(plan.pairs))
    compared = filling.resumed.tiles
    done = resumed = sum(map(len, all_tiles[:compared]))
    message = f"Continued from pair {resumed:,}" if resumed else "Matching photos"
    report(Update("matching", resumed, total, message, unit="pairs", resumed=resumed))
    pairing = pycolmap.ImportedPairingOptions()
    pairing.match_list_path = scratch / "pairs.txt"
    for number, tile in enumerate(all_tiles[compared:], start=compared + 1):
        text = "".join(f"{plan.names[first]} {plan.names[second]}\n" for first, second in tile)
        (scratch / "pairs.txt").write_text(text)
        pycolmap.match_image_pairs(
            filling.database, _matching(options), pairing, _verification(options), pycolmap.Device.cpu
        )
        done += len(tile)
        report(Update("matching", done, total, "Matching photos", unit="pairs", resumed=resumed))
        filling.tiles_done(number)
    filling.complete()
    return _count(filling.database, len(plan.pairs))


def tiles(pairs: Sequence[Pair]) -> Iterator[list[Pair]]:
    """Cuts pairs into squares of the pair matrix, in a fixed order."""
    squares: dict[Pair, list[Pair]] = {}
    for first, second in pairs:
        squares.setdefault((first // _TILE, second // _TILE), []).append((first, second))
    for square in sorted(squares):
        yield squares[square]


def _matching(options: SfmOptions) -> pycolmap.FeatureMatchingOptions:
    matching = pycolmap.FeatureMatchingOptions()
    matching.num_threads = options.threads
    return matching


def _verification(options: SfmOptions) -> pycolmap.TwoViewGeometryOptions:
    verification = pycolmap.TwoViewGeometryOptions()
    ransac = verification.ransac
    ransac.random_seed = options.seed
    ransac.confidence, ransac.min_num_trials = _CONFIDENCE, _FEWEST_TRIALS
    ransac.dyn_num_trials_multiplier = 1
    return verification


def _count(database: Path, compared: int) -> Matches:
    """Sorts the verified pairs by what COLMAP found them to be."""
    with pycolmap.Database.open(database) as opened:
        _, geometries = opened.read_two_view_geometries()
    kinds = [geometry.config for geometry in geometries if len(geometry.inlier_matches) > 0]
    return Matches(compared, len(kinds), sum(kind in _FLAT for kind in kinds))
