"""The whole stage on small scenes: its files, its figures, its progress, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from splatworks_common.cameras import write_cameras
from splatworks_common.ply import write_ply
from splatworks_common.progress import Update, silent
from splatworks_common.reasons import InputInvalid, InputNotFound
from splatworks_common.splats import Splats
from splatworks_compressor.compress import CompressSummary, compress
from splatworks_compressor.config import STEPS, CompressOptions
from splatworks_compressor.sog import read_sog
from splatworks_rasterizer import render
from tests.unit.compressor.scenes import circle_of_cameras, random_splats


def trained(folder: Path, splats: Splats, *, antialiased: bool = False) -> Path:
    folder.mkdir(exist_ok=True)
    write_ply(folder / "model.ply", splats, antialiased=antialiased)
    write_cameras(folder / "cameras.json", circle_of_cameras(8))
    return folder


def compressed(
    tmp_path: Path, splats: Splats, *, name: str = "out", threads: int = 2, quality: str = "default"
) -> CompressSummary:
    options = CompressOptions(quality=quality)  # type: ignore[arg-type]
    return compress(trained(tmp_path / "in", splats), None, tmp_path / name, options, silent, threads)


def test_decoded_scene_looks_like_the_original(tmp_path: Path) -> None:
    summary = compressed(tmp_path, random_splats(2000))

    assert summary.fidelity is not None
    assert summary.fidelity.psnr > 36


def test_a_model_drawn_antialiased_makes_a_scene_drawn_so(tmp_path: Path) -> None:
    folder, splats = tmp_path / "in", random_splats(50)
    photos = tmp_path / "photos"
    photos.mkdir()
    for camera in circle_of_cameras(8):
        picture = np.clip(render(splats, camera, threads=1, antialiased=True), 0, 1)
        Image.fromarray(np.rint(picture * 255).astype(np.uint8)).save(photos / camera.name)

    summary = compress(
        trained(folder, splats, antialiased=True), photos, tmp_path / "out", CompressOptions(), silent, 1
    )

    assert json.loads((tmp_path / "out" / "meta.json").read_text())["model"] == "antialiased"
    assert summary.fidelity is not None
    assert summary.fidelity.photo_psnr_before is not None
    assert summary.fidelity.photo_psnr_before > 50  # only rounding to bytes is in the way


def test_better_quality_is_closer_and_larger(tmp_path: Path) -> None:
    high, small = (compressed(tmp_path, random_splats(3000), quality=name) for name in ("high", "small"))

    assert high.fidelity is not None
    assert small.fidelity is not None
    assert high.fidelity.psnr > small.fidelity.psnr + 3
    assert high.size_bytes > small.size_bytes


def test_summary_file_holds_the_summary(tmp_path: Path) -> None:
    summary = compressed(tmp_path, random_splats(100))

    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == asdict(summary)


def test_ratio_compares_the_files(tmp_path: Path) -> None:
    summary = compressed(tmp_path, random_splats(500))

    bundle, model = (tmp_path / name for name in ("out/scene.sog", "in/model.ply"))
    assert summary.ratio == pytest.approx(model.stat().st_size / bundle.stat().st_size)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_do_not_change_the_files(tmp_path: Path, threads: int) -> None:
    splats = random_splats(6000)
    compressed(tmp_path, splats, name="two", threads=2)
    compressed(tmp_path, splats, name="other", threads=threads)

    two, other = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir() if path.name != "summary.json"}
        for name in ("two", "other")
    )

    assert len(two) == 9
    assert two == other


@pytest.mark.parametrize("sh_degree", [0, 1, 2, 3])
@pytest.mark.parametrize("gaussians", [1, 70])
def test_any_degree_and_small_scenes(tmp_path: Path, gaussians: int, sh_degree: int) -> None:
    summary = compressed(tmp_path, random_splats(gaussians, sh_degree=sh_degree))

    decoded = read_sog(tmp_path / "out")
    assert (len(decoded), decoded.sh_degree) == (gaussians, sh_degree)
    assert (summary.palette_entries > 0) == (sh_degree > 0)


def test_colours_without_directions_keep_a_single_palette_entry(tmp_path: Path) -> None:
    splats = random_splats(300)

    summary = compressed(tmp_path, replace(splats, shN=np.zeros_like(splats.shN)))

    assert summary.palette_entries == 1


def test_equal_means_are_compressed(tmp_path: Path) -> None:
    splats = random_splats(50)

    compressed(tmp_path, replace(splats, means=np.ones_like(splats.means)))

    np.testing.assert_allclose(read_sog(tmp_path / "out").means, 1, rtol=1e-6)


def test_invisible_gaussians_are_dropped(tmp_path: Path) -> None:
    splats = random_splats(100)
    opacities = splats.opacities.copy()
    opacities[:30] = -7

    summary = compressed(tmp_path, replace(splats, opacities=opacities))

    assert (summary.gaussians_in, summary.gaussians, len(read_sog(tmp_path / "out"))) == (100, 70, 70)


def test_scene_in_which_nothing_is_visible_is_refused(tmp_path: Path) -> None:
    splats = random_splats(10)

    with pytest.raises(InputInvalid, match="none of the 10 Gaussians"):
        compressed(tmp_path, replace(splats, opacities=np.full(10, -9, np.float32)))


def test_empty_scene_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="holds 0 Gaussians"):
        compressed(tmp_path, random_splats(0))


def test_missing_model_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match=r"model\.ply"):
        compress(tmp_path, None, tmp_path / "out", CompressOptions(), silent, 1)


def test_scene_without_cameras_is_compressed_unmeasured(tmp_path: Path) -> None:
    folder = trained(tmp_path / "in", random_splats(20))
    (folder / "cameras.json").unlink()

    summary = compress(folder, None, tmp_path / "out", CompressOptions(), silent, 1)

    assert (summary.fidelity, summary.psnr_loss) == (None, None)


def test_progress_names_the_declared_steps_in_order_and_completes_each(tmp_path: Path) -> None:
    updates: list[Update] = []

    compress(
        trained(tmp_path / "in", random_splats(50)),
        None,
        tmp_path / "out",
        CompressOptions(),
        updates.append,
        1,
    )

    assert list(dict.fromkeys(update.step for update in updates)) == list(STEPS)
    for step in STEPS:
        done = [update.done / update.total for update in updates if update.step == step]
        assert done == sorted(done)
        assert (done[0], done[-1]) == (0, 1)


def test_seconds_of_each_step_come_from_the_clock(tmp_path: Path) -> None:
    ticks = count()

    summary = compress(
        trained(tmp_path / "in", random_splats(20)),
        None,
        tmp_path / "out",
        CompressOptions(),
        silent,
        1,
        clock=lambda: float(next(ticks)),
    )

    assert summary.seconds == dict.fromkeys(STEPS, 1.0)


@pytest.mark.parametrize("value", [-3e38, -1e10, 1e10, 3e38])
@pytest.mark.parametrize("field", ["means", "log_scales", "quats", "opacities", "sh0", "shN"])
def test_extreme_values_of_one_gaussian_spare_the_others(tmp_path: Path, field: str, value: float) -> None:
    splats = random_splats(200)
    table = getattr(splats, field).copy()
    table[7] = value
    folder = trained(tmp_path / "in", replace(splats, **{field: table}))
    (folder / "cameras.json").unlink()

    compress(folder, None, tmp_path / "out", CompressOptions(), silent, 1)

    distances = np.sort(np.abs(read_sog(tmp_path / "out").means).max(axis=1))
    assert len(distances) >= 199
    assert distances[198] < 10
