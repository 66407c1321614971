"""SOG version 2: quantised Gaussians as WebP textures with a ``meta.json``, loose or in one bundle.

Gaussian i lies at texel (i mod W, i div W) of every texture; all but the centroids have the same size. The
centroids have 64 palette entries a row and one texel a coefficient, so that their width tells the SH
degree.

The writer's bytes depend on its input alone. The reader takes files from strangers: every name, count, size
and index is checked before anything of that size is allocated, and whatever is wrong is ``InputInvalid``.
It reads version 2 only and follows no name out of the scene's folder or bundle.

The format: https://developer.playcanvas.com/user-manual/gaussian-splatting/formats/sog/
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from splatworks_common.reasons import InputInvalid, InputNotFound
from splatworks_common.splats import SH_REST_BY_DEGREE, Splats
from splatworks_compressor import meta, webp
from splatworks_compressor.bundle import BundleReader, write_bundle
from splatworks_compressor.palette import Palette
from splatworks_compressor.quantize import TAG_W_LARGEST, QuantizedSplats, dequantize

BUNDLE = "scene.sog"

ENTRIES_PER_ROW = 64
"""Palette entries in one row of the centroids' texture."""

_SIDE_MULTIPLE = 4

_ReadFile = Callable[[str, int], bytes]
"""Reads a file of the scene by name, refusing more bytes than the second argument."""


def write_sog(
    output: Path, codes: QuantizedSplats, *, threads: int, antialiased: bool = False
) -> dict[str, int]:
    """Writes the scene loose (seven WebP files, five at SH degree 0, and ``meta.json``) and as ``scene.sog``.

    Example:
        >>> sizes = write_sog(Path("compressed"), codes, threads=2)

    Args:
        output: An existing folder.
        codes: 1 to meta.MAX_GAUSSIANS Gaussians.
        threads: Textures encoded at a time; no influence on the bytes.
        antialiased: Whether the scene is to be drawn with Mip-Splatting's 2D filter.

    Returns:
        The size in bytes of each file written, by name.
    """
    head = meta.dumps(codes, antialiased=antialiased)
    files = {meta.NAME: head, **webp.encode_all(_textures(codes), threads)}
    for name, data in files.items():
        (output / name).write_bytes(data)
    write_bundle(output / BUNDLE, files)
    return {name: (output / name).stat().st_size for name in (*files, BUNDLE)}


def read_sog(path: Path) -> Splats:
    """Reads a SOG scene, bundled or not.

    Example:
        >>> splats = read_sog(Path("compressed/scene.sog"))

    Args:
        path: A ``.sog`` bundle, a ``meta.json``, or the folder that holds one.

    Raises:
        InputNotFound: There is no such file.
        InputInvalid: It is not a SOG scene of version 2, is damaged, or is larger than meta.MAX_GAUSSIANS.
    """
    if path.is_dir():
        path = path / meta.NAME
    if not path.is_file():
        raise InputNotFound(f"there is no scene {path.name} in {path.parent.name}")
    if path.name == meta.NAME:
        return dequantize(_read_codes(lambda name, limit: _read_file(path.parent / name, limit)))
    with BundleReader(path) as bundle:
        return dequantize(_read_codes(bundle.read))


def _textures(codes: QuantizedSplats) -> dict[str, NDArray[np.uint8]]:
    low, high = _split(codes.means)
    tables = dict(
        zip(
            (*meta.MEANS, *meta.SCALES, *meta.QUATS, *meta.SH0),
            (low, high, codes.scales, codes.quats, codes.colours),
            strict=True,
        )
    )
    textures = {name: _laid_out(table) for name, table in tables.items()}
    if codes.palette is not None:
        centroids, labels = meta.SHN
        textures[centroids] = _centroid_texture(codes.palette.centroids)
        low, high = _split(codes.palette.labels)
        textures[labels] = _laid_out(np.stack([low, high, np.zeros_like(low)], axis=1))
    return textures


def _split(values: NDArray[np.uint16]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The low and the high bytes."""
    return (values & 0xFF).astype(np.uint8), (values >> 8).astype(np.uint8)


def _laid_out(table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Rows ``[N, channels]`` as texels of a nearly square texture, filled up with the last one at no cost."""
    width = _SIDE_MULTIPLE * int(np.ceil(np.sqrt(len(table)) / _SIDE_MULTIPLE))
    height = _SIDE_MULTIPLE * -(-len(table) // (width * _SIDE_MULTIPLE))
    filled = np.pad(table, ((0, width * height - len(table)), (0, 0)), mode="edge")
    return filled.reshape(height, width, -1)


def _centroid_texture(centroids: NDArray[np.uint8]) -> NDArray[np.uint8]:
    missing = -len(centroids) % ENTRIES_PER_ROW
    filled = np.pad(centroids, ((0, missing), (0, 0), (0, 0)), mode="edge")
    return filled.reshape(-1, ENTRIES_PER_ROW * centroids.shape[1], 3)


def _read_codes(read: _ReadFile) -> QuantizedSplats:
    scene = meta.parse(read(meta.NAME, meta.MAX_BYTES))
    names = [*scene.means, *scene.quats, *scene.scales, *scene.sh0]
    if scene.palette is not None:
        names.append(scene.palette.files[1])
    low, high, quats, scales, colours, *labels = _read_tables(read, names, scene.count)
    if (quats[:, 3] < TAG_W_LARGEST).any():
        raise InputInvalid(
            f"{scene.quats[0]} marks rotations in a way that SOG version {meta.VERSION} does not know"
        )
    return QuantizedSplats(
        mins=scene.mins,
        maxs=scene.maxs,
        means=_joined(low[:, :3], high[:, :3]),
        quats=quats,
        scales=scales[:, :3],
        colours=colours,
        scale_codebook=scene.scale_codebook,
        colour_codebook=scene.colour_codebook,
        palette=_read_palette(read, scene.palette, labels[0]) if scene.palette is not None else None,
    )


def _read_tables(read: _ReadFile, names: list[str], count: int) -> list[NDArray[np.uint8]]:
    """The textures with one texel a Gaussian as tables ``[count, 4]``."""
    # Other writers may round a size up generously, but not so far that a small file claims gigabytes.
    textures = [_read_texture(read, name, 2 * count + 65536) for name in names]
    height, width = textures[0].shape[:2]
    for name, texture in zip(names, textures, strict=True):
        if texture.shape != textures[0].shape or height * width < count:
            raise InputInvalid(
                f"{name} has {texture.shape[1]} x {texture.shape[0]} texels; all textures need one size, "
                f"with room for {count} Gaussians"
            )
    return [texture.reshape(-1, 4)[:count] for texture in textures]


def _joined(low: NDArray[np.uint8], high: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """The inverse of ``_split``."""
    return np.asarray(low.astype(np.uint16) | high.astype(np.uint16) << 8, np.uint16)


def _read_palette(read: _ReadFile, scene: meta.PaletteMeta, table: NDArray[np.uint8]) -> Palette:
    name = scene.files[0]
    coefficients = SH_REST_BY_DEGREE[scene.bands]
    width, rows = ENTRIES_PER_ROW * coefficients, -(-scene.count // ENTRIES_PER_ROW)
    texture = _read_texture(read, name, 2 * width * rows)
    if texture.shape[1] != width or texture.shape[0] < rows:
        raise InputInvalid(
            f"{name} has {texture.shape[1]} x {texture.shape[0]} texels; {scene.count} palette entries of SH "
            f"degree {scene.bands} need {width} x {rows}"
        )
    labels = _joined(table[:, 0], table[:, 1])
    if labels.max() >= scene.count:
        raise InputInvalid(f"{scene.files[1]} points beyond the {scene.count} palette entries")
    centroids = texture[:, :, :3].reshape(-1, coefficients, 3)[: scene.count]
    return Palette(scene.codebook, centroids, labels)


def _read_texture(read: _ReadFile, name: str, max_texels: int) -> NDArray[np.uint8]:
    """``[H, W, 4]``. A lossless WebP file is never much larger than its texels."""
    return webp.decode(name, read(name, 5 * max_texels + 65536), max_texels=max_texels)


def _read_file(path: Path, limit: int) -> bytes:
    if not path.is_file():
        raise InputInvalid(f"the scene lacks the file {path.name}")
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise InputInvalid(
            f"{path.name} is larger than {limit} bytes, more than a scene of this size can need"
        )
    return data
