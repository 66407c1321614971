from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.transform import Rotation

from splatworks_common.cameras import Camera
from splatworks_trainer.camera_path import camera_path, central_view, focus_of, resized_to
from tests.unit.trainer.captures import drone, looking, panorama, ring, street

FRAMES = 180

CAPTURES: dict[str, Callable[[], list[Camera]]] = {
    "ring": lambda: ring(50),
    "two rings": lambda: ring(20, height=0.5) + ring(20, height=3.0),
    "street": lambda: street(40),
    "drone": lambda: drone(5, 8),
    "panorama": lambda: panorama(24),
    "three": lambda: ring(3),
    "two": lambda: street(2),
}


@pytest.fixture(params=list(CAPTURES))
def capture(request: pytest.FixtureRequest) -> list[Camera]:
    return CAPTURES[request.param]()


def path_through(cameras: Sequence[Camera]) -> list[Camera]:
    return camera_path(cameras, FRAMES, long_side=160)


def positions(cameras: Sequence[Camera]) -> np.ndarray:
    return np.array([camera.position for camera in cameras])


def rotations(cameras: Sequence[Camera]) -> np.ndarray:
    return np.array([camera.viewmat[:3, :3] for camera in cameras])


def distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(some[:, None] - others[None], axis=2))


def steps(cameras: Sequence[Camera]) -> np.ndarray:
    """From each frame to the next, and from the last to the first: units and radians together."""
    moves = np.linalg.norm(np.roll(positions(cameras), -1, axis=0) - positions(cameras), axis=1)
    turns = np.roll(rotations(cameras), -1, axis=0) @ rotations(cameras).transpose(0, 2, 1)
    return np.asarray(moves + Rotation.from_matrix(turns).magnitude())


def test_it_goes_on_without_a_jump_and_ends_where_it_begins(capture: list[Camera]):
    taken = steps(path_through(capture))

    assert len(taken) == FRAMES
    assert taken.max() < 2.5 * np.median(taken)


def test_it_is_never_further_from_a_photo_than_photos_are_from_each_other(capture: list[Camera]):
    spots = positions(capture)
    widest_gap = minimum_spanning_tree(distances(spots, spots)).max()

    path = positions(path_through(capture))

    half_the_diagonal = 0.75 * widest_gap  # where photos lie in squares
    assert distances(path, spots).min(axis=1).max() < half_the_diagonal + 1e-9


def test_every_view_is_a_proper_camera(capture: list[Camera]):
    turned = rotations(path_through(capture))

    assert np.allclose(turned @ turned.transpose(0, 2, 1), np.eye(3), atol=1e-9)
    assert np.allclose(np.linalg.det(turned), 1)


@pytest.mark.parametrize("name", [name for name in CAPTURES if name != "drone"])
def test_up_stays_up(name: str):
    down = rotations(path_through(CAPTURES[name]()))[:, 1]

    assert (down[:, 1] > 0.6).all()


def test_a_camera_held_sideways_tips_nothing_over():
    cameras = ring(16)
    sideways = np.eye(4)
    sideways[:3, :3] = Rotation.from_euler("z", 90, degrees=True).as_matrix()
    cameras[::2] = [replace(camera, viewmat=sideways @ camera.viewmat) for camera in cameras[::2]]

    right = rotations(path_through(cameras))[:, 0]

    assert np.abs(right[:, 1]).max() < 0.02


def test_a_drone_that_turns_round_at_every_row_does_not_turn_the_film():
    turned = rotations(path_through(drone(5, 8)))

    assert (turned[:, 2] @ [0, 1, 0] > 0.95).all()
    assert np.abs(turned[:, 1] @ [1, 0, 0]).min() > 0.95
    assert len(np.unique(np.sign(turned[:, 1] @ [1, 0, 0]))) == 1


def test_around_a_thing_it_goes_all_the_way_round_and_keeps_it_in_the_middle():
    path = path_through(ring(50))

    turns = np.unwrap([np.arctan2(*camera.position[[2, 0]]) for camera in path])
    pixels = [camera.project(np.zeros((1, 3)))[0][0] for camera in path]

    assert abs(turns[-1] - turns[0]) > 0.95 * 2 * np.pi
    assert np.abs(np.subtract(pixels, (80, 60))).max() < 8
    assert np.linalg.norm(positions(path)[:, [0, 2]], axis=1) == pytest.approx(3, abs=0.15)


def test_three_cameras_around_a_thing_do_not_lead_through_it():
    path = path_through(ring(3))

    assert np.linalg.norm(positions(path)[:, [0, 2]], axis=1).min() > 2


def test_a_close_up_is_left_out():
    cameras = [*ring(20), looking((0.5, -0.1, 0), (0, 0, 0))]

    path = path_through(cameras)

    assert np.linalg.norm(positions(path), axis=1).min() > 2.5


def test_a_camera_far_from_all_others_is_left_out():
    cameras = [*street(60), looking((10, 0, -200), (10, 0, -100))]

    path = path_through(cameras)

    assert positions(path)[:, 2].min() > -1


@pytest.mark.parametrize("count", [1, 4])
def test_one_view_sways_a_little_and_shows_almost_the_same(count: int):
    path = path_through([looking((1, 2, 3), (1, 2, 9))] * count)

    forwards = rotations(path)[:, 2]
    assert np.allclose(positions(path), (1, 2, 3))
    assert np.degrees(np.arccos(forwards @ [0, 0, 1])) == pytest.approx(3, abs=0.1)
    assert steps(path).max() < 2 * np.median(steps(path))


def test_two_cameras_back_to_back_are_no_obstacle():
    path = path_through([looking((0, 0, 0), (0, 0, 1)), looking((0, 0, 0), (0, 0, -1))])

    assert (rotations(path)[:, 1, 1] > 0.7).all()
    assert steps(path).max() < 2.5 * np.median(steps(path))


def test_the_order_of_the_cameras_does_not_matter_for_where_it_leads():
    cameras = ring(50)
    shuffled = [cameras[index] for index in np.random.default_rng(0).permutation(50)]

    there, here = positions(path_through(cameras)), positions(path_through(shuffled))

    assert distances(there, here).min(axis=1).max() < 0.3


@pytest.mark.parametrize(
    ("cameras", "focus"),
    [
        (ring(20), (0, 0, 0)),
        (street(20), None),
        (drone(4, 5), None),
        (panorama(20), None),
        ([looking((0, 0, 0), (0, 0, 1))], None),
    ],
    ids=["ring", "street", "drone", "panorama", "one"],
)
def test_a_focus_is_found_only_where_there_is_one(
    cameras: list[Camera], focus: tuple[float, float, float] | None
):
    found = focus_of(cameras)

    assert found is None if focus is None else found == pytest.approx(focus, abs=1e-6)


def test_the_central_view_is_the_one_amid_the_others():
    cameras = [looking((x, 0, 0), (x, 0, 5), name=str(x)) for x in (0, 1, 2, 3, 4)]

    assert central_view(cameras).name == "2"


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1081, 1919), (304, 540)), ((100, 75), (100, 76)), ((960, 540), (540, 304)), ((5000, 3), (540, 2))],
)
def test_sizes_are_even_and_never_larger_than_the_photo(size: tuple[int, int], expected: tuple[int, int]):
    camera = replace(ring(1)[0], width=size[0], height=size[1])

    resized = resized_to(camera, 540)

    assert (resized.width, resized.height) == expected


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from([1e-3, 1.0, 1e4]))
def test_any_capture_gives_a_smooth_path_of_proper_cameras(count: int, seed: int, scale: float):
    rng = np.random.default_rng(seed)
    cameras = [looking(scale * rng.normal(size=3), scale * rng.normal(size=3)) for _ in range(count)]

    path = path_through(cameras)

    assert np.isfinite([camera.viewmat for camera in path]).all()
    moves = np.linalg.norm(np.roll(positions(path), -1, axis=0) - positions(path), axis=1)
    assert moves.max() < 0.25 * scale
