import subprocess
import sys
from pathlib import Path

import pytest

GENERATED = ("services/common/src/splatworks", "typings/google")


def contents(root: Path) -> dict[str, str]:
    """The files below ``root`` by relative path, without what importing them leaves."""
    return {
        str(path.relative_to(root)): path.read_text()
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def regenerated(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("regenerated")
    script = repository / "scripts" / "generate_protos.py"
    subprocess.run([sys.executable, script, "--output", output], check=True)
    return output


@pytest.mark.parametrize("folder", GENERATED)
def test_committed_stubs_are_those_of_the_protos(repository: Path, regenerated: Path, folder: str) -> None:
    committed, fresh = contents(repository / folder), contents(regenerated / folder)

    assert committed == fresh, "run `make protos` and commit what it writes"


def test_a_stub_whose_proto_is_gone_is_removed(repository: Path, tmp_path: Path) -> None:
    stale = tmp_path / GENERATED[0] / "v1" / "gone_pb2.py"
    stale.parent.mkdir(parents=True)
    stale.touch()

    subprocess.run(
        [sys.executable, repository / "scripts" / "generate_protos.py", "--output", tmp_path], check=True
    )

    assert not stale.exists()
