"""The splat table: shapes are checked where it is made, rows are selected together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from splatworks_common.splats import Splats, rotation_matrices


def arrays(count: int = 4, rest: int = 15) -> dict[str, Any]:
    shapes = {
        "means": (count, 3),
        "log_scales": (count, 3),
        "quats": (count, 4),
        "opacities": (count,),
        "sh0": (count, 3),
        "shN": (count, rest, 3),
    }
    return {
        name: np.arange(np.prod(shape), dtype=np.float32).reshape(shape) for name, shape in shapes.items()
    }


@pytest.mark.parametrize(("rest", "degree"), [(0, 0), (3, 1), (8, 2), (15, 3)])
def test_the_degree_follows_from_the_coefficients(rest: int, degree: int) -> None:
    assert Splats(**arrays(rest=rest)).sh_degree == degree


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("log_scales", (5, 3)),
        ("quats", (4, 3)),
        ("opacities", (4, 1)),
        ("sh0", (4, 1, 3)),
        ("shN", (4, 45)),
        ("shN", (4, 4, 3)),
        ("shN", (3, 15, 3)),
    ],
)
def test_a_wrong_shape_is_named(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=name):
        Splats(**{**arrays(), name: np.zeros(shape, np.float32)})


@pytest.mark.parametrize("index", [np.array([3, 0]), np.array([True, False, False, True])])
def test_rows_are_taken_from_every_field(index: Any) -> None:
    splats = Splats(**arrays())

    taken = splats.take(index)

    assert len(taken) == 2
    for name, values in arrays().items():
        np.testing.assert_array_equal(getattr(taken, name), values[index])


def test_no_gaussians_are_a_table_too() -> None:
    assert len(Splats(**arrays(count=0))) == 0


def test_quaternions_of_any_length_turn_local_axes_to_the_world() -> None:
    quarter_about_z = np.array([[1, 0, 0, 1], [7, 0, 0, 7]], np.float32)

    matrices = rotation_matrices(quarter_about_z)

    np.testing.assert_allclose(matrices, [[[0, -1, 0], [1, 0, 0], [0, 0, 1]]] * 2, atol=1e-6)
