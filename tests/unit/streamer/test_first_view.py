from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from splatworks_common.reasons import InputInvalid
from splatworks_streamer.first_view import Points, ViewerCamera, choose_first_view, roll, viewer_camera
from tests.unit.streamer.training_output import camera_at, splats_at

AHEAD = Points.of(splats_at(np.array([[x, y, 5.0] for x in (-1, 0, 1) for y in (-1, 0, 1)], np.float64)))


def test_the_most_central_of_equally_good_cameras_is_chosen() -> None:
    cameras = [camera_at(f"{x}.jpg", (x, 0, 0)) for x in (-0.4, 0.1, 0.4)]

    assert choose_first_view(cameras, AHEAD).name == "0.1.jpg"


def test_a_camera_that_sees_little_is_not_chosen_for_being_central() -> None:
    aside = camera_at("aside.jpg", (0, 0, 0), yaw=30)
    cameras = [aside, camera_at("left.jpg", (-0.5, 0, 0)), camera_at("right.jpg", (0.4, 0, 0))]

    assert choose_first_view(cameras, AHEAD).name != "aside.jpg"


def test_a_level_camera_is_preferred_to_one_a_little_more_central() -> None:
    cameras = [
        camera_at("tilted.jpg", (0.05, 0, 0), roll=4),
        camera_at("level.jpg", (0.2, 0, 0)),
        camera_at("left.jpg", (-0.4, 0, 0)),
        camera_at("right.jpg", (0.4, 0, 0)),
    ]

    assert choose_first_view(cameras, AHEAD).name == "level.jpg"


@pytest.mark.parametrize("degrees", [-30.0, 0.0, 4.0])
def test_roll_does_not_depend_on_where_the_camera_looks(degrees: float) -> None:
    camera = camera_at("a.jpg", (1, 2, 3), yaw=50, pitch=-20, roll=degrees)

    assert np.degrees(roll(camera)) == pytest.approx(degrees)


@pytest.mark.parametrize(("tilt", "pitch"), [(90, 0), (180, 0), (0, 80)])
def test_a_camera_that_is_not_upright_is_not_chosen_while_there_is_another(tilt: float, pitch: float) -> None:
    level = camera_at("level.jpg", (0.9, 0, 0))
    tilted = camera_at("tilted.jpg", (0, 0, 0), roll=tilt, pitch=pitch)

    assert choose_first_view([tilted, level], AHEAD).name == "level.jpg"


def test_cameras_that_all_look_down_are_still_good_for_a_first_view() -> None:
    below = Points.of(splats_at(np.array([[0.0, 5.0, 0.0], [0.2, 5.0, 0.1]])))

    assert choose_first_view([camera_at("drone.jpg", (0, 0, 0), pitch=90)], below).name == "drone.jpg"


def test_a_scene_that_no_camera_sees_is_refused() -> None:
    behind = Points.of(splats_at(np.array([[0.0, 0.0, -5.0]])))

    with pytest.raises(InputInvalid, match="none of the 1 cameras sees any Gaussian"):
        choose_first_view([camera_at("a.jpg", (0, 0, 0))], behind)


@given(st.permutations(range(6)))
def test_the_choice_does_not_depend_on_the_order_of_the_cameras(order: list[int]) -> None:
    cameras = [camera_at(f"{i}.jpg", (np.cos(i), 0, np.sin(i) - 1), yaw=3.0 * i) for i in range(6)]

    chosen = choose_first_view([cameras[i] for i in order], AHEAD)

    assert chosen.name == choose_first_view(cameras, AHEAD).name


def test_a_camera_at_the_origin_looks_along_the_viewers_positive_z() -> None:
    seen = viewer_camera(camera_at("a.jpg", (0, 0, 0)), AHEAD)

    assert seen.position == pytest.approx((0, 0, 0))
    assert seen.target == pytest.approx((0, 0, 5))


def test_a_place_to_the_right_and_below_is_to_the_left_and_below_for_the_viewer() -> None:
    seen = viewer_camera(camera_at("a.jpg", (0.25, 0.5, 1.0)), AHEAD)

    assert seen.position == pytest.approx((-0.25, -0.5, 1.0))


def test_the_target_is_as_far_away_as_the_gaussians_in_the_middle() -> None:
    points = Points.of(splats_at(np.array([[0, 0, 2.0], [0.1, 0, 3.0], [0, 0.1, 4.0], [60, 40, 200.0]])))

    assert distance(viewer_camera(camera_at("a.jpg", (0, 0, 0)), points)) == pytest.approx(3.0)


def test_with_nothing_in_the_middle_the_target_is_as_far_away_as_what_is_seen_at_all() -> None:
    points = Points.of(splats_at(np.array([[2.0, 1.5, 5.0], [0.0, 0.0, -1.0]])))

    assert distance(viewer_camera(camera_at("a.jpg", (0, 0, 0)), points)) == pytest.approx(5.0)


def test_a_principal_point_off_centre_turns_the_view_towards_the_middle_of_the_image() -> None:
    camera = camera_at("a.jpg", (0, 0, 0), centre=(130.0, 120.0))

    seen = viewer_camera(camera, AHEAD)

    assert seen.target[0] / seen.target[2] == pytest.approx(-30.0 / 300.0)
    assert seen.target[1] == pytest.approx(0.0)


@pytest.mark.parametrize(("size", "side"), [((320, 240), 320), ((240, 320), 320), ((200, 200), 200)])
def test_the_field_of_view_is_that_of_the_longer_side(size: tuple[int, int], side: int) -> None:
    seen = viewer_camera(camera_at("a.jpg", (0, 0, 0), size=size, focal=250.0), AHEAD)

    assert seen.fov == pytest.approx(2 * np.degrees(np.arctan(side / 2 / 250.0)))


def test_the_field_of_view_stays_in_the_range_the_viewer_takes() -> None:
    assert viewer_camera(camera_at("a.jpg", (0, 0, 0), focal=5.0), AHEAD).fov == 120.0


def distance(camera: ViewerCamera) -> float:
    return float(np.linalg.norm(np.subtract(camera.target, camera.position)))
