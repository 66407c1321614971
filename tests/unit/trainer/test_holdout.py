from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest

from splatworks_common.cameras import Camera
from splatworks_trainer.colmap import ColmapModel
from splatworks_trainer.config import Holdout
from splatworks_trainer.holdout import choose_held_out


def model(photos: int, tracks: Iterable[Iterable[int]] = ()) -> ColmapModel:
    """Photos that show points; a track is the indices of the photos that show one."""
    pairs = [(point, photo) for point, track in enumerate(tracks) for photo in sorted(set(track))]
    observations = np.array(pairs, np.int32).reshape(-1, 2)
    points = 1 + observations[:, 0].max(initial=-1)
    cameras = [Camera(f"{i:02}.jpg", np.eye(4), 50.0, 50.0, 20.0, 15.0, 40, 30) for i in range(photos)]
    return ColmapModel(tuple(cameras), np.zeros((points, 3)), np.zeros((points, 3), np.uint8), observations)


def strip(photos: int) -> ColmapModel:
    """A walk along a wall: each point is seen by five photos in a row, or fewer at the ends."""
    return model(photos, ([i + k for k in range(5) if 0 <= i + k < photos] for i in range(-4, photos)))


def grid(rows: int, columns: int) -> ColmapModel:
    """A survey from above: each point is seen by the 3 x 3 photos around one, or fewer at the rim."""
    return model(
        rows * columns,
        (
            [
                r * columns + c
                for r in range(row - 1, row + 2)
                for c in range(column - 1, column + 2)
                if 0 <= r < rows and 0 <= c < columns
            ]
            for row in range(-1, rows + 1)
            for column in range(-1, columns + 1)
        ),
    )


def held_out(given: ColmapModel, rule: Holdout, every: int = 8) -> list[int]:
    return [i for i, camera in enumerate(choose_held_out(given, rule, every)) if camera.held_out]


@pytest.mark.parametrize(
    ("photos", "number"), [(3, 0), (11, 0), (12, 2), (23, 2), (24, 3), (50, 6), (300, 37)]
)
def test_auto_holds_out_one_in_eight_but_at_least_two_of_twelve(photos: int, number: int) -> None:
    assert len(held_out(strip(photos), Holdout.AUTO)) == number


@pytest.mark.parametrize(("rows", "columns"), [(3, 6), (4, 6), (6, 6), (5, 8)])
def test_auto_takes_no_photo_from_the_rim_of_a_survey_and_no_two_side_by_side(
    rows: int, columns: int
) -> None:
    chosen = [divmod(i, columns) for i in held_out(grid(rows, columns), Holdout.AUTO)]

    assert all(0 < row < rows - 1 and 0 < column < columns - 1 for row, column in chosen)
    distances = [abs(a - c) + abs(b - d) for (a, b), (c, d) in combinations(chosen, 2)]
    assert min(distances) > 1


def test_auto_takes_no_photo_from_the_ends_of_a_walk() -> None:
    chosen = held_out(strip(40), Holdout.AUTO)

    assert min(chosen) >= 2
    assert max(chosen) <= 37


def test_auto_takes_no_two_photos_of_a_walk_that_share_half_of_their_points() -> None:
    chosen = sorted(held_out(strip(40), Holdout.AUTO))

    assert min(b - a for a, b in pairwise(chosen)) >= 3


def test_auto_looks_beyond_a_place_that_was_photographed_many_times_over() -> None:
    standing_still = [range(20)] * 100
    walking_on = [range(start, start + 5) for start in range(18, 36)] * 10

    chosen = held_out(model(40, [*standing_still, *walking_on]), Holdout.AUTO)

    assert sum(i < 20 for i in chosen) == 1


def test_points_that_only_one_other_photo_shows_do_not_make_a_photo_known() -> None:
    pairs = [[0, 1]] * 50
    triples = [[i, i + 1, i + 2] for i in range(2, 10)]

    assert not {0, 1} & set(held_out(model(12, pairs + triples), Holdout.AUTO))


def test_auto_copes_with_photos_that_show_no_point() -> None:
    assert len(held_out(model(16), Holdout.AUTO)) == 2


@pytest.mark.parametrize(
    ("photos", "every", "expected"),
    [
        (20, 8, [0, 8, 16]),
        (5, 8, [0]),
        (4, 8, [0]),
        (3, 8, []),
        (20, 0, []),
    ],
)
def test_every_n_holds_out_photos_evenly_by_name_if_they_can_be_spared(
    photos: int, every: int, expected: list[int]
) -> None:
    assert held_out(strip(photos), Holdout.EVERY_N, every) == expected


def test_none_holds_out_none() -> None:
    assert held_out(strip(40), Holdout.NONE) == []


def test_the_cameras_stay_as_they_are_and_in_order() -> None:
    given = strip(16)

    chosen = choose_held_out(given, Holdout.AUTO, 8)

    assert [camera.name for camera in chosen] == [camera.name for camera in given.cameras]
    assert {replace(camera, held_out=False).fx for camera in chosen} == {50.0}
