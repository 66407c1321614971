"""The reference's own gradient against finite differences: two independent ways to the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.rasterizer import reference
from tests.unit.rasterizer.scenes import (
    BACKGROUND,
    assert_decided,
    random_photo,
    random_splats,
    turned_camera,
)


@pytest.mark.parametrize("group", reference.GROUPS)
def test_reference_gradient_matches_central_differences(group: str):
    camera = turned_camera(19, 23)
    splats = random_splats(12, seed=3)
    assert_decided(splats, camera)
    p = reference.table(splats)
    photo = random_photo(camera)
    # The gradient leaves out how colours change with the direction they are seen from, so the finite
    # difference must not see it either: means are moved at degree 0.
    degree = 0 if group == "means" else 3
    result = reference.differentiate(p, camera, photo, degree, 0.2, BACKGROUND)

    def loss(moved: reference.Array) -> float:
        image = reference.render(moved, camera, degree, BACKGROUND)
        return reference.loss_and_gradient(image, photo / 255, 0.2)[0]

    direction = np.zeros_like(p)
    direction[reference.GROUPS[group]] = np.random.default_rng(7).normal(
        size=p[reference.GROUPS[group]].shape
    )
    step = 1e-7
    difference = (loss(p + step * direction) - loss(p - step * direction)) / (2 * step)

    assert (result.gradient * direction).sum() == pytest.approx(difference, rel=1e-5)
