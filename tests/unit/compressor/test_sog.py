"""Whole scenes through files and back, and scenes that were made to do harm."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from splatworks_common.reasons import InputInvalid, InputNotFound
from splatworks_common.splats import Splats
from splatworks_compressor import webp
from splatworks_compressor.config import Shifts
from splatworks_compressor.palette import Palette, build_palette
from splatworks_compressor.quantize import QuantizedSplats, dequantize, quantize
from splatworks_compressor.sog import read_sog, write_sog
from tests.unit.compressor.scenes import random_splats


def coded(count: int, sh_degree: int) -> QuantizedSplats:
    splats = random_splats(count, sh_degree=sh_degree)
    palette: Palette | None = None
    if sh_degree:
        weights = np.ones(count, np.float32)
        palette = build_palette(
            splats.shN,
            weights,
            entries=64,
            iterations=1,
            seed=0,
            threads=1,
            progress=lambda done, total: None,
        )
    return quantize(splats, Shifts(1, 0, 1, 1, 1), palette)


def assert_equal(one: Splats, other: Splats) -> None:
    for field in fields(Splats):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A folder with a scene of 100 Gaussians of SH degree 1."""
    write_sog(tmp_path, coded(100, 1), threads=1)
    return tmp_path


@pytest.mark.parametrize("sh_degree", [0, 1, 2, 3])
@pytest.mark.parametrize("count", [1, 2, 16, 17, 300])
def test_reader_sees_what_was_quantised(tmp_path: Path, count: int, sh_degree: int) -> None:
    codes = coded(count, sh_degree)

    write_sog(tmp_path, codes, threads=2)

    assert_equal(read_sog(tmp_path / "scene.sog"), dequantize(codes))


def test_loose_and_bundled_scenes_are_the_same(scene: Path) -> None:
    assert_equal(read_sog(scene / "scene.sog"), read_sog(scene / "meta.json"))


def test_folder_stands_for_its_meta_json(scene: Path) -> None:
    assert_equal(read_sog(scene), read_sog(scene / "meta.json"))


def test_scene_without_higher_bands_has_five_images(tmp_path: Path) -> None:
    sizes = write_sog(tmp_path, coded(10, 0), threads=1)

    assert sorted(sizes) == [
        "means_l.webp", "means_u.webp", "meta.json", "quats.webp", "scales.webp", "scene.sog", "sh0.webp",
    ]  # fmt: skip


def test_sizes_are_those_of_the_files(scene: Path) -> None:
    sizes = write_sog(scene, coded(100, 1), threads=1)

    assert sizes == {name: (scene / name).stat().st_size for name in sizes}


@pytest.mark.parametrize(("sh_degree", "width"), [(1, 192), (2, 512), (3, 960)])
def test_width_of_the_centroids_tells_the_degree(tmp_path: Path, sh_degree: int, width: int) -> None:
    write_sog(tmp_path, coded(200, sh_degree), threads=1)

    texture = webp.decode("", (tmp_path / "shN_centroids.webp").read_bytes(), max_texels=10**6)

    assert texture.shape[1] == width


def test_tag_of_the_rotations_is_constant(scene: Path) -> None:
    texture = webp.decode("", (scene / "quats.webp").read_bytes(), max_texels=10**6)

    assert (texture[:, :, 3] == 252).all()


def test_same_codes_make_the_same_bytes(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder, threads in zip(folders, (1, 4), strict=True):
        folder.mkdir()
        write_sog(folder, coded(500, 2), threads=threads)

    one, two = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders)

    assert one == two


def test_missing_scene_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound):
        read_sog(tmp_path / "scene.sog")


def texture_missing(scene: Path) -> None:
    (scene / "quats.webp").unlink()


def texture_too_small(scene: Path) -> None:
    for name in ("means_l", "means_u", "scales", "quats", "sh0", "shN_labels"):
        (scene / f"{name}.webp").write_bytes(webp.encode(np.full((4, 4, 4), 252, np.uint8)))


def textures_of_two_sizes(scene: Path) -> None:
    (scene / "sh0.webp").write_bytes(webp.encode(np.zeros((20, 12, 4), np.uint8)))


def texture_far_too_large(scene: Path) -> None:
    (scene / "sh0.webp").write_bytes(webp.encode(np.zeros((4096, 4096, 4), np.uint8)))


def file_far_too_large(scene: Path) -> None:
    with (scene / "sh0.webp").open("ab") as file:
        file.truncate(1 << 31)


def texture_is_text(scene: Path) -> None:
    (scene / "sh0.webp").write_text("hello")


def unknown_rotation_tag(scene: Path) -> None:
    (scene / "quats.webp").write_bytes(webp.encode(np.full((12, 12, 4), 251, np.uint8)))


def label_beyond_the_palette(scene: Path) -> None:
    (scene / "shN_labels.webp").write_bytes(webp.encode(np.full((12, 12, 3), 255, np.uint8)))


def centroids_of_another_degree(scene: Path) -> None:
    (scene / "shN_centroids.webp").write_bytes(webp.encode(np.zeros((1, 512, 3), np.uint8)))


def count_beyond_the_textures(scene: Path) -> None:
    meta = json.loads((scene / "meta.json").read_text())
    (scene / "meta.json").write_text(json.dumps({**meta, "count": 15_000_000}))


def meta_far_too_large(scene: Path) -> None:
    (scene / "meta.json").write_text(" " * 2_000_000)


@pytest.mark.parametrize(
    "spoil",
    [
        texture_missing,
        texture_too_small,
        textures_of_two_sizes,
        texture_far_too_large,
        file_far_too_large,
        texture_is_text,
        unknown_rotation_tag,
        label_beyond_the_palette,
        centroids_of_another_degree,
        count_beyond_the_textures,
        meta_far_too_large,
    ],
)
def test_spoiled_scenes_are_refused(scene: Path, spoil: Callable[[Path], None]) -> None:
    spoil(scene)

    with pytest.raises(InputInvalid):
        read_sog(scene)


def test_other_files_beside_the_scene_are_no_scene(tmp_path: Path) -> None:
    (tmp_path / "model.ply").write_bytes(b"ply\n")

    with pytest.raises(InputInvalid, match="no SOG bundle"):
        read_sog(tmp_path / "model.ply")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8), st.booleans()
)
def test_random_damage_is_refused_or_harmless(scene: Path, changes: list[tuple[int, int]], cut: bool) -> None:
    data = bytearray((scene / "scene.sog").read_bytes())
    for position, value in changes:
        data[position % len(data)] = value
    damaged = scene / "damaged.sog"
    damaged.write_bytes(data[: changes[0][0] % len(data)] if cut else data)

    with contextlib.suppress(InputInvalid):
        assert len(read_sog(damaged)) >= 1
