"""The INRIA PLY reader and writer: what is written is read back, and no false header is believed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from splatworks_common import ply
from splatworks_common.ply import MAX_HEADER_BYTES, is_antialiased, read_ply, write_ply
from splatworks_common.reasons import InputInvalid
from splatworks_common.splats import Splats

FIELDS = ("means", "log_scales", "quats", "opacities", "sh0", "shN")


def make_splats(count: int, rest: int = 15, seed: int = 0) -> Splats:
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> NDArray[np.float32]:
        return rng.normal(size=shape).astype(np.float32)

    return Splats(
        means=normal(count, 3),
        log_scales=normal(count, 3),
        quats=normal(count, 4),
        opacities=normal(count),
        sh0=normal(count, 3),
        shN=normal(count, rest, 3),
    )


def assert_same(a: Splats, b: Splats) -> None:
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


def write_raw(path: Path, names: list[str], rows: NDArray[np.float32], header: str | None = None) -> Path:
    """A PLY of float properties, with a header that may lie."""
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(rows)}"]
    lines += [f"property float {name}" for name in names]
    text = header or "\n".join([*lines, "end_header", ""])
    path.write_bytes(text.encode() + rows.astype("<f4").tobytes())
    return path


NAMES = [
    *("x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2", "opacity"),
    *("scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
]


@given(count=st.integers(0, 20), rest=st.sampled_from([0, 3, 8, 15]), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, count: int, rest: int, seed: int
) -> None:
    path = tmp_path_factory.mktemp("ply") / "model.ply"
    splats = make_splats(count, rest, seed)

    write_ply(path, splats)

    assert_same(read_ply(path), splats)


@pytest.mark.parametrize("antialiased", [False, True])
def test_a_file_says_whether_it_is_drawn_antialiased(tmp_path: Path, antialiased: bool) -> None:
    splats = make_splats(2)

    write_ply(tmp_path / "model.ply", splats, antialiased=antialiased)

    assert is_antialiased(tmp_path / "model.ply") == antialiased
    assert_same(read_ply(tmp_path / "model.ply"), splats)


def test_more_rows_than_a_block_are_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ply, "_BLOCK_ROWS", 7)
    splats = make_splats(30, 3)

    write_ply(tmp_path / "model.ply", splats)

    assert_same(read_ply(tmp_path / "model.ply"), splats)


def test_the_file_has_the_inria_layout(tmp_path: Path) -> None:
    splats = make_splats(1, 15)

    write_ply(tmp_path / "model.ply", splats)

    header, _, body = (tmp_path / "model.ply").read_bytes().partition(b"end_header\n")
    names = [line.split()[2] for line in header.decode().splitlines() if line.startswith("property float")]
    row = dict(zip(names, np.frombuffer(body, "<f4"), strict=True))
    assert names[:9] == ["x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"]
    assert names[9:54] == [f"f_rest_{i}" for i in range(45)]
    assert names[54:] == ["opacity", *(f"scale_{i}" for i in range(3)), *(f"rot_{i}" for i in range(4))]
    assert row["nx"] == row["ny"] == row["nz"] == 0
    assert row["f_rest_0"] == splats.shN[0, 0, 0]
    assert row["f_rest_1"] == splats.shN[0, 1, 0]  # the second coefficient of red
    assert row["f_rest_15"] == splats.shN[0, 0, 1]  # the first coefficient of green


def test_property_order_is_free_and_unknown_properties_are_ignored(tmp_path: Path) -> None:
    names = [*reversed(NAMES), "confidence"]
    rows = np.arange(2 * len(names), dtype=np.float32).reshape(2, -1)

    splats = read_ply(write_raw(tmp_path / "model.ply", names, rows))

    np.testing.assert_array_equal(splats.means[:, 0], rows[:, names.index("x")])
    np.testing.assert_array_equal(splats.quats[:, 3], rows[:, names.index("rot_3")])


def test_other_scalar_types_are_converted(tmp_path: Path) -> None:
    dtype = np.dtype(
        [(name, "<f8" if name == "x" else "u1" if name == "opacity" else "<f4") for name in NAMES]
    )
    rows = np.zeros(1, dtype)
    rows["x"], rows["opacity"] = 1.5, 7
    kinds = {"<f8": "double", "|u1": "uchar", "<f4": "float"}
    properties = [f"property {kinds[dtype[name].str]} {name}" for name in NAMES]
    lines = [
        "ply",
        "format binary_little_endian 1.0",
        "comment made by hand",
        "element vertex 1",
        *properties,
    ]
    (tmp_path / "model.ply").write_bytes("\r\n".join([*lines, "end_header", ""]).encode() + rows.tobytes())

    splats = read_ply(tmp_path / "model.ply")

    assert (splats.means[0, 0], splats.opacities[0]) == (1.5, 7)


def test_elements_behind_the_vertices_are_ignored(tmp_path: Path) -> None:
    header = "\n".join(
        [
            *("ply", "format binary_little_endian 1.0", "element vertex 1"),
            *(f"property float {name}" for name in NAMES),
            *("element face 1", "property list uchar int vertex_indices", "end_header", ""),
        ]
    )
    rows = np.ones((2, len(NAMES)), np.float32)  # the second row stands for the face's bytes

    assert len(read_ply(write_raw(tmp_path / "model.ply", NAMES, rows, header))) == 1


def header_of(count: object, names: list[str] = NAMES, kind: str = "binary_little_endian") -> str:
    properties = [f"property float {name}" for name in names]
    return "\n".join(["ply", f"format {kind} 1.0", f"element vertex {count}", *properties, "end_header", ""])


HEAD = "ply\nformat binary_little_endian 1.0\n"


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        ("solid\n", "does not begin with 'ply'"),
        ("ply\n" + "comment x\n" * MAX_HEADER_BYTES, "no end_header"),
        (header_of(2, kind="ascii"), "is ascii"),
        (header_of(2, kind="binary_big_endian"), "is binary_big_endian"),
        (header_of(2, names=NAMES[1:]), "lacks the properties x"),
        (header_of(2, names=[*NAMES, "f_rest_0"]), "1 f_rest properties"),
        (
            header_of(2, names=[*NAMES, *(f"f_rest_{i}" for i in range(1, 10))]),
            "lacks the properties f_rest_0",
        ),
        (header_of(2, names=[*NAMES, "x"]), "declared twice"),
        (header_of(3), "damaged or was not copied whole"),
        (header_of(1), "damaged or was not copied whole"),
        (header_of(10**11), "damaged or was not copied whole"),
        (header_of(-1), "not a number of vertices"),
        (header_of("9" * 5000), "not a number of vertices"),
        (HEAD + "element face 1\nend_header\n", "before 'vertex'"),
        (HEAD + "end_header\n", "no 'vertex' element"),
        (HEAD + "element vertex 2\nproperty list uchar float x\nend_header\n", "list property"),
        (HEAD + "element vertex 2\nproperty half x\nend_header\n", "unknown type 'half'"),
        (HEAD + "nonsense\nend_header\n", "is not PLY"),
        ("ply\nelement vertex 2\nproperty float x\nend_header\n", "no format line"),
        ("ply\ncomment caf\u00e9\nend_header\n", "not ASCII"),
    ],
)
def test_a_file_that_is_not_a_whole_splat_is_refused(tmp_path: Path, header: str, complaint: str) -> None:
    rows = np.zeros((2, len(NAMES)), np.float32)

    with pytest.raises(InputInvalid, match=complaint):
        read_ply(write_raw(tmp_path / "model.ply", NAMES, rows, header))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named(tmp_path: Path, value: float) -> None:
    rows = np.zeros((3, len(NAMES)), np.float32)
    rows[2, NAMES.index("opacity")] = value

    with pytest.raises(InputInvalid, match="opacity of vertex 2"):
        read_ply(write_raw(tmp_path / "model.ply", NAMES, rows))


@given(data=st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_noise_behind_a_good_beginning_is_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("ply") / "model.ply"
    path.write_bytes(b"ply\nformat binary_little_endian 1.0\n" + data)

    with pytest.raises(InputInvalid):
        read_ply(path)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.ply"
    write_ply(path, make_splats(2))
    before = path.read_bytes()

    def fail(splats: Splats) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(ply, "_blocks", fail)
    with pytest.raises(OSError, match="disk full"):
        write_ply(path, make_splats(3))

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
