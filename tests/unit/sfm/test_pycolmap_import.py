import subprocess
import sys
from pathlib import Path

import splatworks_sfm

USES = "import gzip, io, PIL.Image; gzip.compress(b'a'); PIL.Image.new('L', (9, 9)).save(io.BytesIO(), 'PNG')"


def test_compression_works_after_pycolmap_is_loaded() -> None:
    program = f"from splatworks_sfm.pycolmap_import import pycolmap; {USES}"

    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )

    assert run.returncode == 0, run.stderr


def test_pycolmap_is_imported_in_one_place_only() -> None:
    package = Path(splatworks_sfm.__file__).parent
    importers = [path.name for path in package.glob("*.py") if "\nimport pycolmap" in path.read_text()]

    assert importers == ["pycolmap_import.py"]
