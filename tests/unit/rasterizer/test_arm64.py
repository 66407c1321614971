"""The kernels on 64-bit ARM: compiled by a cross compiler, run by an emulator where there is one."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.rasterizer.native_views import differentiate
from tests.unit.rasterizer.scenes import random_photo, random_splats, turned_camera

RASTERIZER = Path(__file__).parents[3] / "services" / "rasterizer"
KERNELS = RASTERIZER / "src" / "kernels"
COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"


def kernel_options() -> list[str]:
    """What CMakeLists.txt compiles every kernel with."""
    found = re.search(r"set\(KERNEL_OPTIONS (.*)\)", (RASTERIZER / "CMakeLists.txt").read_text())
    assert found
    return found[1].split()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All kernels and gradient.cpp for ARM, in one static program."""
    if shutil.which(COMPILER) is None:
        pytest.skip(f"{COMPILER} is not installed (Debian: g++-aarch64-linux-gnu)")
    sources = [path for path in KERNELS.glob("*.cpp") if path.name not in ("module.cpp", "cpu.cpp")]
    program = tmp_path_factory.mktemp("arm64") / "gradient"
    command = [COMPILER, "-std=c++17", "-Werror", *kernel_options(), f"-I{KERNELS}", "-static", "-pthread"]
    subprocess.run([*command, *sources, Path(__file__).with_name("gradient.cpp"), "-o", program], check=True)
    return program


@pytest.mark.timeout(600)
def test_the_kernels_compile_for_arm64_without_a_warning(program: Path):
    header = program.read_bytes()[:20]

    assert header[:4] == b"\x7fELF"
    assert int.from_bytes(header[18:20], "little") == 183, "EM_AARCH64"


@pytest.mark.timeout(600)
def test_the_gradient_is_the_same_on_arm64(program: Path, tmp_path: Path):
    if shutil.which(EMULATOR) is None:
        pytest.skip(f"{EMULATOR} is not installed (Debian: qemu-user)")
    splats = random_splats(120)
    camera = replace(turned_camera(50, 37), viewmat=np.eye(4))
    photo = random_photo(camera)
    arrays: list[NDArray[Any]] = [
        np.array([120, 50, 37], np.int32),
        np.array([camera.fx, camera.fy, camera.cx, camera.cy], np.float32),
        *(splats.means, splats.log_scales, splats.quats, splats.opacities, splats.sh0, splats.shN),
        photo,
    ]
    (tmp_path / "scene").write_bytes(b"".join(array.tobytes() for array in arrays))

    subprocess.run([EMULATOR, program, tmp_path / "scene", tmp_path / "result"], check=True)

    result = (tmp_path / "result").read_bytes()
    gradient = np.frombuffer(result, np.float32, offset=8).reshape(59, 120)
    generic = importlib.import_module("splatworks_rasterizer._kernels_generic")
    expected = differentiate(generic, splats, camera, photo, antialiased=True)
    assert np.frombuffer(result, np.float64, 1)[0] == pytest.approx(expected.loss, rel=1e-6)
    assert np.linalg.norm(gradient - expected.gradient) <= 1e-5 * np.linalg.norm(expected.gradient)
