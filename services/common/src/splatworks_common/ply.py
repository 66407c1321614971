"""Gaussian splats in the PLY layout of the INRIA reference implementation.

One ``vertex`` element, binary little-endian, with the properties ``x y z``, ``nx ny nz`` (zeros),
``f_dc_0..2``, ``f_rest_0..3K-1`` (channel-major: all K coefficients of red, then green, then blue),
``opacity`` (logit), ``scale_0..2`` (log) and ``rot_0..3`` (wxyz). The reader takes the properties in any
order and any scalar type and ignores those it does not know; it believes nothing in the header that the
file's size does not confirm.

A scene that was trained with Mip-Splatting's 2D filter looks right only where it is drawn with it. It says so
in a comment, as Brush has it and SplatTransform reads it: ``SplatRenderMode: mip``.

Layout: https://github.com/graphdeco-inria/gaussian-splatting (scene/gaussian_model.py, ``save_ply``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from splatworks_common.atomic import atomic_write
from splatworks_common.reasons import InputInvalid
from splatworks_common.splats import SH_REST_BY_DEGREE, Splats

MAX_HEADER_BYTES = 64 * 1024
"""A longer header is refused; the INRIA layout at SH degree 3 needs 1.5 KB."""

_BLOCK_ROWS = 1 << 16
"""Rows converted at a time, so that reading and writing need one block more memory than the table itself."""

_SCALAR_TYPES = {
    "char": "i1",
    "int8": "i1",
    "uchar": "u1",
    "uint8": "u1",
    "short": "<i2",
    "int16": "<i2",
    "ushort": "<u2",
    "uint16": "<u2",
    "int": "<i4",
    "int32": "<i4",
    "uint": "<u4",
    "uint32": "<u4",
    "float": "<f4",
    "float32": "<f4",
    "double": "<f8",
    "float64": "<f8",
}

_ANTIALIASED = ["comment", "SplatRenderMode:", "mip"]

_POSITION = ("x", "y", "z")
_NORMAL = ("nx", "ny", "nz")
_DC = ("f_dc_0", "f_dc_1", "f_dc_2")
_SCALE = ("scale_0", "scale_1", "scale_2")
_ROTATION = ("rot_0", "rot_1", "rot_2", "rot_3")


def read_ply(path: Path) -> Splats:
    """Reads a splat PLY.

    Example:
        >>> splats = read_ply(Path("gaussian/model.ply"))

    Returns:
        The table as stored (log scales, logit opacities, quaternions not normalised), converted to float32.

    Raises:
        InputInvalid: The file is not a binary little-endian splat PLY, is cut short or longer than it says,
            or holds a value that is not finite.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        header = _read_header(file, path.name)
        columns = _columns(header, path.name)
        _check_size(file, header, path.name)
        table = np.empty((header.rows, len(columns)), np.float32)
        for start in range(0, header.rows, _BLOCK_ROWS):
            rows = min(_BLOCK_ROWS, header.rows - start)
            block = np.fromfile(file, header.dtype, rows)
            if len(block) != rows:
                raise InputInvalid(f"{path.name} got shorter while it was read; copy it again")
            with np.errstate(over="ignore"):  # a double beyond float32 becomes inf, refused below
                for column, name in enumerate(columns):
                    table[start : start + rows, column] = block[name]
    _check_finite(table, columns, path.name)
    return _from_table(table)


def is_antialiased(path: Path) -> bool:
    """Whether the Gaussians of a splat PLY are to be drawn with Mip-Splatting's 2D filter.

    Raises:
        InputInvalid: It is not a binary little-endian PLY.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        return _read_header(file, path.name).antialiased


def write_ply(path: Path, splats: Splats, *, antialiased: bool = False) -> None:
    """Writes a splat PLY in the INRIA property order; the file appears whole or not at all.

    Example:
        >>> write_ply(Path("gaussian/model.ply"), splats)

    Args:
        path: The file.
        splats: The Gaussians.
        antialiased: What ``is_antialiased`` is to say of it.
    """
    rest = tuple(f"f_rest_{i}" for i in range(3 * splats.shN.shape[1]))
    names = (*_POSITION, *_NORMAL, *_DC, *rest, "opacity", *_SCALE, *_ROTATION)
    header = ["ply", "format binary_little_endian 1.0"]
    header += [" ".join(_ANTIALIASED)] if antialiased else []
    header += [f"element vertex {len(splats)}"]
    header += [f"property float {name}" for name in names]
    header += ["end_header", ""]
    with atomic_write(path) as file:
        file.write("\n".join(header).encode("ascii"))
        for block in _blocks(splats):
            columns = [
                block.means,
                np.zeros_like(block.means),
                block.sh0,
                block.shN.transpose(0, 2, 1).reshape(len(block), -1),
                block.opacities[:, None],
                block.log_scales,
                block.quats,
            ]
            file.write(np.concatenate(columns, axis=1).astype("<f4").tobytes())


def _blocks(splats: Splats) -> Iterator[Splats]:
    for start in range(0, len(splats), _BLOCK_ROWS):
        yield splats.take(np.arange(start, min(start + _BLOCK_ROWS, len(splats))))


@dataclass(frozen=True)
class _Header:
    """What the header says: where the rows begin, how many there are, and how one is laid out."""

    size: int
    rows: int
    dtype: np.dtype[Any]
    vertex_only: bool
    antialiased: bool


def _read_header(file: BinaryIO, name: str) -> _Header:
    head = file.read(MAX_HEADER_BYTES)
    if not head.startswith((b"ply\n", b"ply\r\n")):
        raise InputInvalid(f"{name} is not a PLY file: it does not begin with 'ply'")
    end = head.find(b"\nend_header")
    newline = head.find(b"\n", end + 1)
    if end < 0 or newline < 0:
        raise InputInvalid(f"{name} has no end_header within its first {MAX_HEADER_BYTES} bytes")
    try:
        lines = head[:newline].decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise InputInvalid(f"{name} has a header that is not ASCII text") from error
    rows, properties, elements = _parse_lines(lines[1:-1], name)
    return _Header(
        size=newline + 1,
        rows=rows,
        dtype=np.dtype(list(properties.items())),
        vertex_only=elements == 1,
        antialiased=any(line.split() == _ANTIALIASED for line in lines),
    )


def _parse_lines(lines: list[str], name: str) -> tuple[int, dict[str, str], int]:
    """Reads the header between ``ply`` and ``end_header``: vertex rows, vertex properties, elements."""
    rows = -1
    properties: dict[str, str] = {}
    elements = 0
    for line in lines:
        match line.split():
            case ["format", kind, _]:
                if kind != "binary_little_endian":
                    raise InputInvalid(f"{name} is {kind}; convert it to binary_little_endian first")
            case ["element", "vertex", count] if elements == 0:
                elements += 1
                if not (count.isdecimal() and len(count) <= 12):
                    raise InputInvalid(f"{name}: '{count}' is not a number of vertices")
                rows = int(count)
            case ["element", element, _]:
                if rows < 0:
                    raise InputInvalid(
                        f"{name}: element '{element}' stands before 'vertex'; it must come after"
                    )
                elements += 1
            case ["property", *_] if elements > 1:
                pass  # of an element behind the vertices, which is never read
            case ["property", "list", *_]:
                raise InputInvalid(f"{name}: 'vertex' has a list property; a splat has scalars only")
            case ["property", kind, key] if elements == 1:
                if kind not in _SCALAR_TYPES:
                    raise InputInvalid(f"{name}: property '{key}' has the unknown type '{kind}'")
                if key in properties:
                    raise InputInvalid(f"{name}: property '{key}' is declared twice")
                properties[key] = _SCALAR_TYPES[kind]
            case ["comment" | "obj_info", *_] | []:
                pass
            case _:
                raise InputInvalid(f"{name}: the header line '{line[:80]}' is not PLY")
    if not any(line.split()[:1] == ["format"] for line in lines):
        raise InputInvalid(f"{name} has no format line")
    if rows < 0:
        raise InputInvalid(f"{name} has no 'vertex' element")
    return rows, properties, elements


def _check_size(file: BinaryIO, header: _Header, name: str) -> None:
    """Compares the header's promise with the file's size and moves to the first row."""
    size = os.fstat(file.fileno()).st_size
    promised = header.size + header.rows * header.dtype.itemsize
    if size < promised or (header.vertex_only and size > promised):
        raise InputInvalid(
            f"{name} holds {size} bytes, but {header.rows} vertices of {header.dtype.itemsize} bytes make "
            f"{promised}; it is damaged or was not copied whole"
        )
    file.seek(header.size)


def _columns(header: _Header, name: str) -> list[str]:
    """The properties to read, in the order that ``_from_table`` expects."""
    present = header.dtype.names or ()
    rest = sum(key.startswith("f_rest_") for key in present)
    allowed = [3 * k for k in SH_REST_BY_DEGREE]
    if rest not in allowed:
        raise InputInvalid(f"{name} has {rest} f_rest properties; {allowed} make whole SH degrees")
    columns = [*_POSITION, *_SCALE, *_ROTATION, "opacity", *_DC, *(f"f_rest_{i}" for i in range(rest))]
    missing = [key for key in columns if key not in present]
    if missing:
        raise InputInvalid(f"{name} is not a Gaussian splat: it lacks the properties {', '.join(missing)}")
    return columns


def _check_finite(table: NDArray[np.float32], columns: list[str], name: str) -> None:
    for start in range(0, len(table), _BLOCK_ROWS):
        finite = np.isfinite(table[start : start + _BLOCK_ROWS])
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            raise InputInvalid(f"{name}: {columns[column]} of vertex {start + row} is not a finite number")


def _from_table(table: NDArray[np.float32]) -> Splats:
    """Splits ``[N, 14 + 3K]`` in the order of ``_columns`` into contiguous arrays."""
    rest = table[:, 14:].reshape(len(table), 3, (table.shape[1] - 14) // 3)
    return Splats(
        means=np.ascontiguousarray(table[:, 0:3]),
        log_scales=np.ascontiguousarray(table[:, 3:6]),
        quats=np.ascontiguousarray(table[:, 6:10]),
        opacities=np.ascontiguousarray(table[:, 10]),
        sh0=np.ascontiguousarray(table[:, 11:14]),
        shN=np.ascontiguousarray(rest.transpose(0, 2, 1)),
    )
