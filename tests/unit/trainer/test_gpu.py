"""What is said to be missing; modules that are there, and are not, are put in place by hand."""

from __future__ import annotations

import shutil
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from splatworks_common.reasons import OutOfMemory
from splatworks_trainer.engines import gpu
from splatworks_trainer.engines.gpu import gpu_problem


def torch_that(*, has_cuda: bool, finds_gpu: bool) -> Any:
    return SimpleNamespace(
        __version__="2.9.1",
        backends=SimpleNamespace(cuda=SimpleNamespace(is_built=lambda: has_cuda)),
        cuda=SimpleNamespace(is_available=lambda: finds_gpu, get_device_name=lambda: "NVIDIA H200"),
    )


@pytest.fixture
def working_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", torch_that(has_cuda=True, finds_gpu=True))


def gsplat_with(kernels: ModuleType | None, monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("gsplat")
    module.__version__ = "1.5.3"
    if kernels:
        module.csrc = kernels
    monkeypatch.setitem(sys.modules, "gsplat", module)
    monkeypatch.delitem(sys.modules, "gsplat.csrc", raising=False)


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)

    assert gpu_problem() == "torch is not installed; pip install 'splatworks-trainer[cuda]' brings it"


def test_a_torch_for_cpus_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", torch_that(has_cuda=False, finds_gpu=False))

    assert gpu_problem() == "the torch that is installed (2.9.1) is one without CUDA; install one with it"


def test_a_missing_gpu_or_driver_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", torch_that(has_cuda=True, finds_gpu=False))

    assert "no CUDA GPU; look at nvidia-smi" in str(gpu_problem())


@pytest.mark.usefixtures("working_torch")
def test_without_gsplat_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gsplat", None)

    assert "pip install 'splatworks-trainer[cuda]' brings it" in str(gpu_problem())


@pytest.mark.usefixtures("working_torch")
def test_a_gsplat_that_can_neither_run_nor_be_compiled_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    gsplat_with(None, monkeypatch)
    monkeypatch.setattr(shutil, "which", lambda _: None)

    assert "gsplat 1.5.3 was installed without its CUDA kernels and there is no nvcc" in str(gpu_problem())


@pytest.mark.usefixtures("working_torch")
@pytest.mark.parametrize("compiled", [True, False])
def test_what_is_there_is_tried(monkeypatch: pytest.MonkeyPatch, compiled: bool) -> None:
    gsplat_with(ModuleType("gsplat.csrc") if compiled else None, monkeypatch)
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/local/cuda/bin/nvcc")
    monkeypatch.setattr(gpu, "_drawing_problem", lambda: "it was tried")

    assert gpu_problem() == "it was tried"


@pytest.mark.parametrize(
    "error", [RuntimeError("no kernel image"), ImportError("csrc.so"), OutOfMemory("the GPU is full")]
)
def test_a_gpu_that_can_not_draw_is_told_with_why(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    class Engine:
        def __init__(self, *_: object, **__: object) -> None:
            raise error

    monkeypatch.setitem(
        sys.modules, "splatworks_trainer.engines.gsplat", SimpleNamespace(GsplatEngine=Engine)
    )
    monkeypatch.setattr(gpu, "gpu_name", lambda: "a GPU")

    assert gpu._drawing_problem() == f"gsplat does not run on a GPU: {error}"
