"""Which kernels are loaded, and what loading them does to the process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from splatworks_rasterizer import native


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("isa", native.available())
def test_environment_chooses_the_instruction_set(isa: str):
    result = run_python("import splatworks_rasterizer; print(splatworks_rasterizer.ISA)", SPLATWORKS_ISA=isa)

    assert result.stdout.strip() == isa, result.stderr


def test_unknown_instruction_set_is_a_clear_error():
    result = run_python("import splatworks_rasterizer", SPLATWORKS_ISA="v9")

    assert result.returncode != 0
    assert "SPLATWORKS_ISA=v9: this machine and build offer generic" in result.stderr


def test_best_candidate_is_the_default():
    assert native.choose(None, ["generic", "v3"]) == "v3"
    assert native.choose("", ["generic", "v3"]) == "v3"


def test_an_instruction_set_the_machine_lacks_is_refused():
    with pytest.raises(ImportError, match="SPLATWORKS_ISA=v4: this machine and build offer generic, v3"):
        native.choose("v4", ["generic", "v3"])


def test_denormals_survive_import_and_use():
    """A library linked with -ffast-math would flush them to zero in the whole process."""
    result = run_python(
        "import numpy as np\n"
        "from splatworks_common.cameras import Camera\n"
        "from splatworks_common.splats import Splats\n"
        "from splatworks_rasterizer import render\n"
        "def zeros(*shape): return np.zeros(shape, np.float32)\n"
        "splats = Splats(zeros(9, 3), zeros(9, 3), zeros(9, 4), zeros(9), zeros(9, 3), zeros(9, 0, 3))\n"
        "render(splats, Camera('a', np.eye(4), 9, 9, 9, 9, 99, 99), threads=3)\n"
        "print(np.float32(1e-40) * np.float32(1) != 0 and 5e-324 * 1.0 != 0)\n"
    )

    assert result.stdout.strip() == "True", result.stderr


def test_two_models_in_two_threads_do_not_disturb_each_other():
    result = run_python(
        "import sys; sys.path.insert(0, '.')\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "import numpy as np\n"
        "from splatworks_rasterizer import render\n"
        "from tests.unit.rasterizer.scenes import random_splats, turned_camera\n"
        "splats, camera = random_splats(500), turned_camera(90, 70)\n"
        "alone = render(splats, camera, threads=1)\n"
        "with ThreadPoolExecutor(4) as pool:\n"
        "    pictures = list(pool.map(lambda _: render(splats, camera, threads=2), range(40)))\n"
        "print(all(np.array_equal(alone, picture) for picture in pictures))\n"
    )

    assert result.stdout.strip() == "True", result.stderr
