"""The command ``splatworks-operator`` as it is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

COMMAND = Path(sys.executable).with_name("splatworks-operator")


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments], env={}, capture_output=True, text=True, timeout=60, check=False
    )


def _refused(folder: Path, text: str) -> str:
    """What is said of a configuration that can not be used."""
    file = folder / "operator.yaml"
    file.write_text(text)
    ended = _run("--config", str(file))
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_help_names_every_option_and_its_variable():
    ended = _run("--help")
    assert ended.returncode == 0
    for word in ("--config", "SPLATWORKS_OPERATOR_CONFIG", "--log-level", "SPLATWORKS_STORE_URL"):
        assert word in ended.stdout


def test_a_key_that_does_not_exist_is_named(tmp_path: Path):
    said = _refused(tmp_path, "pollSecond: 2\n")
    assert f"{tmp_path}/operator.yaml can not be used: pollSecond: Extra inputs are not permitted" in said


def test_a_key_deep_down_is_named_with_its_path(tmp_path: Path):
    assert "workers.tls.key: Field required" in _refused(tmp_path, "workers: {tls: {ca: /a, cert: /b}}\n")


def test_without_a_store_the_variables_that_are_missing_are_named(tmp_path: Path):
    assert "SPLATWORKS_STORE_URL" in _refused(tmp_path, "")
