import subprocess
import sys
from pathlib import Path

BUF = Path(sys.executable).parent / "buf"


def test_protos_follow_the_style(repository: Path) -> None:
    result = subprocess.run([BUF, "lint"], cwd=repository, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout + result.stderr
