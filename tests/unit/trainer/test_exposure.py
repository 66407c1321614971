from __future__ import annotations

import numpy as np
import pytest

from splatworks_trainer.exposure import Exposures

IDENTITY = np.eye(3, 4, dtype=np.float32)
BRIGHTER = np.full((3, 4), -1.0, np.float32)


def test_at_first_no_photo_is_changed() -> None:
    np.testing.assert_array_equal(Exposures(3)[1], IDENTITY)


def test_a_step_goes_against_the_gradient_by_the_rate() -> None:
    exposures = Exposures(2)

    exposures.learn(0, BRIGHTER, 0.01, training=[0, 1])

    # The mean of the two stays the identity, so each takes half of the difference.
    np.testing.assert_allclose(exposures[0] - exposures[1], 0.01, rtol=1e-4)


def test_the_mean_of_the_training_photos_stays_the_identity() -> None:
    exposures = Exposures(3)

    for photo in (0, 1, 0, 1, 0):
        exposures.learn(photo, BRIGHTER * (photo + 1), 0.05, training=[0, 1])

    np.testing.assert_allclose((exposures[0] + exposures[1]) / 2, IDENTITY, atol=1e-6)
    np.testing.assert_array_equal(exposures[2], IDENTITY)


def test_known_exposures_are_found_by_descent() -> None:
    truth = np.repeat(IDENTITY[None], 2, axis=0)
    truth[0, :, 3], truth[1, :, 3] = 0.1, -0.1
    exposures = Exposures(2)

    for step in range(400):
        photo = step % 2
        exposures.learn(photo, exposures[photo] - truth[photo], 0.01 * 0.99**step, training=[0, 1])

    np.testing.assert_allclose(exposures[0], truth[0], atol=5e-3)


def test_from_their_state_exposures_go_on_to_the_last_bit() -> None:
    went_on = Exposures(2)
    went_on.learn(0, BRIGHTER, 0.01, training=[0, 1])
    restored = Exposures.restored(went_on.state(), 2)

    for exposures in (went_on, restored):
        exposures.learn(1, 2 * BRIGHTER, 0.02, training=[0, 1])

    np.testing.assert_array_equal(restored[0], went_on[0])
    np.testing.assert_array_equal(restored[1], went_on[1])


def test_the_state_of_other_photos_is_refused() -> None:
    with pytest.raises(ValueError, match="no exposures of 3 photos"):
        Exposures.restored(Exposures(2).state(), 3)
