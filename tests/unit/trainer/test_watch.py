from __future__ import annotations

from collections.abc import Iterable

import pytest

from splatworks_trainer.watch import NO_TREND, Diverged, Trend, followed


def follow(errors: Iterable[float], trend: Trend = NO_TREND, size: float = 1.0) -> Trend:
    for step, mse in enumerate(errors, trend.steps):
        trend = followed(trend, mse, size, step)
    return trend


def test_an_error_that_falls_is_fine() -> None:
    assert follow(0.1 * 0.99**step for step in range(1000)).steps == 1000


def test_a_bad_photo_now_and_then_is_fine() -> None:
    follow(0.05 if step % 40 == 0 else 0.002 for step in range(1000))


def test_an_error_that_doubles_for_good_is_fine() -> None:
    follow([0.002] * 300 + [0.004] * 300)


def test_an_error_that_rises_for_good_is_noticed_and_told() -> None:
    with pytest.raises(Diverged, match=r"training step 4\d\d: .* has risen to 0\.0\d+, from 0\.002"):
        follow([0.002] * 400 + [0.02] * 200)


def test_the_first_steps_may_do_anything() -> None:
    follow([0.001] * 20 + [0.2] * 60)


def test_larger_photos_may_have_any_error() -> None:
    small = follow([0.001] * 400, size=0.25)

    assert follow([0.02] * 400, small, size=0.5).lowest == pytest.approx(0.02, rel=0.05)


def test_a_state_is_sound_while_the_error_is_near_the_lowest() -> None:
    assert NO_TREND.is_sound
    assert follow([0.002] * 300).is_sound
    assert not follow([0.002] * 300 + [0.0077] * 150).is_sound
