import numpy as np

from splatworks_sfm.mapping import strays


def ring(count: int) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([np.cos(angle), np.zeros(count), np.sin(angle)], -1)


def test_a_good_model_has_no_strays() -> None:
    assert strays(ring(12), [500] * 12) == []


def test_a_photo_with_few_observations_is_a_stray() -> None:
    assert strays(ring(12), [500] * 5 + [29] + [500] * 6) == [5]


def test_a_camera_far_away_or_nowhere_is_a_stray() -> None:
    centres = ring(12)
    centres[3] = [50.0, 0.0, 0.0]
    centres[7] = np.nan

    assert strays(centres, [500] * 12) == [3, 7]


def test_cameras_in_one_place_are_no_strays() -> None:
    assert strays(np.ones((5, 3)), [500] * 5) == []
