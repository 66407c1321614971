from __future__ import annotations

import socket
from importlib import import_module, util
from pathlib import Path

import numpy as np
import pytest

from splatworks_trainer.lpips import WEIGHTS, Distance, Lpips, Picture, hub_checkpoints, lpips_of

BLACK, WHITE = np.zeros((40, 60, 3), np.float32), np.ones((40, 60, 3), np.float32)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch):
    """Any connection is a failure: nothing may be downloaded."""

    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache of torch."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def mean_difference(weights: Path, threads: int) -> Distance:
    """A network of one neuron, whose weight is the content of the file."""
    weight = float(weights.read_text())

    def distance(photo: Picture, render: Picture) -> float:
        return weight * float(np.abs(photo - render).mean())

    return distance


def test_without_torch_there_is_no_figure_and_a_reason(hub: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(util, "find_spec", lambda name: None if name == "torch" else object())
    (hub / WEIGHTS).touch()

    result = lpips_of([(BLACK, WHITE)], threads=1)

    assert result == Lpips(None, "LPIPS was not measured: torch is not installed.")


def test_without_weights_nothing_is_loaded_and_the_reason_names_the_file(hub: Path):
    def never(weights: Path, threads: int) -> Distance:
        raise AssertionError("the network was made without its weights")

    result = lpips_of([(BLACK, WHITE)], threads=1, load=never)

    assert result == Lpips(None, f"LPIPS was not measured: there are no weights at {hub / WEIGHTS}.")


def test_the_figure_is_the_mean_over_all_pairs(hub: Path):
    (hub / WEIGHTS).write_text("2")

    result = lpips_of([(BLACK, WHITE), (WHITE, WHITE)], threads=1, load=mean_difference)

    assert result == Lpips(1.0, None)


def test_pictures_too_small_for_the_network_do_not_count(hub: Path):
    (hub / WEIGHTS).write_text("2")
    small = (BLACK[:20], WHITE[:20])

    some = lpips_of([small, (WHITE, WHITE)], threads=1, load=mean_difference)
    none = lpips_of([small], threads=1, load=mean_difference)

    assert some == Lpips(0.0, None)
    assert none == Lpips(None, "LPIPS was not measured: no photo has 32 pixels on each side.")


def test_weights_that_can_not_be_read_are_a_reason_and_no_failure(hub: Path):
    def broken(weights: Path, threads: int) -> Distance:
        raise RuntimeError("invalid magic number; corrupt file?")

    (hub / WEIGHTS).touch()

    result = lpips_of([(BLACK, WHITE)], threads=1, load=broken)

    assert result == Lpips(None, "LPIPS was not measured: RuntimeError: invalid magic number; corrupt file?")


def test_weights_are_looked_for_where_torch_keeps_them(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TORCH_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    by_cache = hub_checkpoints()
    monkeypatch.setenv("TORCH_HOME", "/torch")

    assert (str(by_cache), str(hub_checkpoints())) == (
        "/cache/torch/hub/checkpoints",
        "/torch/hub/checkpoints",
    )


def test_the_real_network_is_filled_from_the_file_alone(hub: Path):
    missing = [name for name in ("torch", "torchvision", "lpips") if util.find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)}")
    torch, models = import_module("torch"), import_module("torchvision.models")
    torch.manual_seed(0)
    torch.save(models.vgg16(weights=None).state_dict(), hub / WEIGHTS)
    noise = np.random.default_rng(0).random((64, 64, 3), dtype=np.float32)

    same = lpips_of([(noise, noise)], threads=1)
    once, again = (lpips_of([(noise, 1 - noise)], threads=1) for _ in range(2))

    assert same == Lpips(0.0, None)
    assert once.mean is not None
    assert once.mean > 0
    assert once == again
