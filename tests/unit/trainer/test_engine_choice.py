from __future__ import annotations

import logging
import subprocess
import sys
from functools import partial

import pytest

from splatworks_common.reasons import InvalidField
from splatworks_trainer.config import EngineName
from splatworks_trainer.engines import choice
from splatworks_trainer.engines.choice import choose_engine
from splatworks_trainer.engines.native import NativeEngine

NO_DRIVER = "torch finds no CUDA GPU; look at nvidia-smi"


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "gpu_problem", lambda: NO_DRIVER)


@pytest.fixture
def a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "gpu_problem", lambda: None)
    monkeypatch.setattr(choice, "gpu_name", lambda: "NVIDIA H200")
    monkeypatch.setattr(choice, "free_gpu_bytes", lambda: 140 << 30)


@pytest.mark.usefixtures("no_gpu")
def test_auto_without_a_gpu_takes_the_native_engine_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        chosen = choose_engine(EngineName.AUTO, require_gpu=False)

    assert (chosen.name, chosen.device, chosen.make) == (EngineName.NATIVE, "cpu", NativeEngine)
    assert chosen.gpu_bytes is None
    assert NO_DRIVER in caplog.text


@pytest.mark.usefixtures("a_gpu")
@pytest.mark.parametrize("engine", [EngineName.AUTO, EngineName.GSPLAT])
@pytest.mark.parametrize("require_gpu", [False, True])
def test_where_there_is_a_gpu_it_is_used(engine: EngineName, require_gpu: bool) -> None:
    pytest.importorskip("torch", reason="needs torch")

    chosen = choose_engine(engine, require_gpu=require_gpu, absgrad=True)

    assert (chosen.name, chosen.device) == (EngineName.GSPLAT, "NVIDIA H200")
    assert chosen.gpu_bytes == 140 << 30
    assert isinstance(chosen.make, partial)
    assert chosen.make.func.__name__ == "GsplatEngine"
    assert chosen.make.keywords["options"].absgrad


@pytest.mark.usefixtures("a_gpu")
def test_native_is_native_beside_a_gpu() -> None:
    assert choose_engine(EngineName.NATIVE, require_gpu=False).make is NativeEngine


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize(
    ("engine", "require_gpu", "field"),
    [
        (EngineName.GSPLAT, False, "engine"),
        (EngineName.GSPLAT, True, "engine"),
        (EngineName.AUTO, True, "require_gpu"),
    ],
)
def test_what_this_machine_has_not_is_refused_with_what_is_missing(
    engine: EngineName, require_gpu: bool, field: str
) -> None:
    with pytest.raises(InvalidField, match=NO_DRIVER) as caught:
        choose_engine(engine, require_gpu=require_gpu)

    assert caught.value.field == field


def test_torch_is_not_imported_before_a_gpu_is_asked_for() -> None:
    program = (
        "import sys; from splatworks_trainer import train; "
        "from splatworks_trainer.config import EngineName; "
        "from splatworks_trainer.engines.choice import choose_engine; "
        "choose_engine(EngineName.NATIVE, require_gpu=False); sys.exit('torch' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
