from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from splatworks_common.cameras import Camera
from splatworks_trainer.colmap import ColmapModel
from splatworks_trainer.coverage import covered_pixels, known_points

WIDTH, HEIGHT = 200, 100
REACH = 0.03 * WIDTH


def camera() -> Camera:
    """At the origin, looking along +z; a point (x, y, 1) lies at pixel (100 + 100 x, 50 + 100 y)."""
    return Camera("a.jpg", np.eye(4), 100.0, 100.0, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)


def at_pixels(*pixels: tuple[float, float], depth: float = 1.0) -> NDArray[np.float64]:
    return np.array([((x - 100) / 100 * depth, (y - 50) / 100 * depth, depth) for x, y in pixels])


def test_a_point_is_known_if_two_training_photos_observe_it() -> None:
    points = np.arange(12.0).reshape(4, 3)
    observations = np.array([(0, 0), (0, 1), (1, 0), (1, 2), (2, 1), (3, 0), (3, 1), (3, 2)], np.int32)
    model = ColmapModel((camera(),) * 3, points, np.zeros((4, 3), np.uint8), observations)

    np.testing.assert_array_equal(known_points(model, [0, 1]), points[[0, 3]])


def test_covered_is_what_lies_within_three_percent_of_the_longest_side_of_a_point() -> None:
    covered = covered_pixels(at_pixels((60.5, 40.5), (150.5, 70.5)), camera())

    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    near = (np.hypot(x - 60.5, y - 40.5) <= REACH) | (np.hypot(x - 150.5, y - 70.5) <= REACH)
    np.testing.assert_array_equal(covered, near)


def test_points_behind_the_camera_or_beside_the_picture_cover_nothing() -> None:
    behind = at_pixels((100.5, 50.5), depth=-1.0)
    beside = at_pixels((WIDTH + 1.0, 50.0), (-1.0, 50.0), (100.0, HEIGHT + 1.0), (100.0, -1.0))

    assert not covered_pixels(np.concatenate([behind, beside]), camera()).any()


def test_without_a_known_point_nothing_is_covered() -> None:
    covered = covered_pixels(np.zeros((0, 3)), camera())

    assert covered.shape == (HEIGHT, WIDTH)
    assert not covered.any()
