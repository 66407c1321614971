"""PlayCanvas' own tool reads our scenes, and sees in them what our reader sees."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from splatworks_common.ply import read_ply, write_ply
from splatworks_common.progress import silent
from splatworks_common.splats import Splats
from splatworks_compressor.compress import compress
from splatworks_compressor.config import CompressOptions
from splatworks_compressor.sog import read_sog
from tests.npm import peers
from tests.unit.compressor.scenes import random_splats

pytestmark = pytest.mark.usefixtures("splat_transform")


def compressed(folder: Path, splats: Splats) -> Path:
    write_ply(folder / "model.ply", splats)
    compress(folder, None, folder / "out", CompressOptions(), silent, 2)
    return folder / "out"


def read_by_peer(scene: Path, folder: Path) -> Splats:
    peers.splat_transform(scene, folder / "decoded.ply")
    return read_ply(folder / "decoded.ply")


@pytest.mark.parametrize("name", ["scene.sog", "meta.json"])
@pytest.mark.parametrize("sh_degree", [0, 1, 2, 3])
def test_peer_reads_the_same_gaussians(tmp_path: Path, sh_degree: int, name: str) -> None:
    output = compressed(tmp_path, random_splats(2500, sh_degree=sh_degree))

    theirs, ours = read_by_peer(output / name, tmp_path), read_sog(output / name)

    for field in fields(Splats):
        np.testing.assert_allclose(
            getattr(theirs, field.name), getattr(ours, field.name), rtol=1e-5, atol=1e-6
        )


def test_peer_reads_a_single_gaussian(tmp_path: Path) -> None:
    output = compressed(tmp_path, random_splats(1))

    assert len(read_by_peer(output / "scene.sog", tmp_path)) == 1


@pytest.mark.parametrize("sh_degree", [0, 3])
def test_our_reader_reads_the_peers_scenes(tmp_path: Path, sh_degree: int) -> None:
    write_ply(tmp_path / "model.ply", random_splats(1500, sh_degree=sh_degree))
    peers.splat_transform("-i", "1", tmp_path / "model.ply", tmp_path / "theirs.sog")

    theirs, ours = read_by_peer(tmp_path / "theirs.sog", tmp_path), read_sog(tmp_path / "theirs.sog")

    for field in fields(Splats):
        np.testing.assert_allclose(
            getattr(theirs, field.name), getattr(ours, field.name), rtol=1e-5, atol=1e-6
        )


def test_peer_knows_a_model_that_is_drawn_antialiased(tmp_path: Path) -> None:
    write_ply(tmp_path / "model.ply", random_splats(300, sh_degree=0), antialiased=True)
    (tmp_path / "theirs").mkdir()

    peers.splat_transform(tmp_path / "model.ply", tmp_path / "theirs" / "meta.json")

    assert json.loads((tmp_path / "theirs" / "meta.json").read_text())["model"] == "antialiased"


def test_our_reader_reads_the_peers_unbundled_scenes(tmp_path: Path) -> None:
    write_ply(tmp_path / "model.ply", random_splats(300, sh_degree=0))
    (tmp_path / "theirs").mkdir()
    peers.splat_transform(tmp_path / "model.ply", tmp_path / "theirs" / "meta.json")

    assert len(read_sog(tmp_path / "theirs")) == 300


def test_real_capture_survives(tmp_path: Path, shared_data: Path) -> None:
    peers.splat_transform(
        shared_data / "splats" / "wolf.spz", "--filter-harmonics", "0", tmp_path / "wolf.ply"
    )

    output = compressed(tmp_path, read_ply(tmp_path / "wolf.ply"))

    theirs, ours = read_by_peer(output / "scene.sog", tmp_path), read_sog(output)
    np.testing.assert_allclose(theirs.means, ours.means, rtol=1e-6)
    np.testing.assert_allclose(theirs.quats, ours.quats, atol=1e-6)
