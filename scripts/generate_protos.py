"""Turns ``protos/`` into the committed Python stubs, and some of Google's protos into type stubs.

Run it through ``make protos``. What it writes is a function of ``protos/``, ``third_party/`` and the pinned
``grpcio-tools`` and ``mypy-protobuf`` alone, so a test regenerates it and compares. It owns the folders it
writes: a stub whose proto is gone is removed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
THIRD_PARTY = ROOT / "third_party"

STUBS = Path("services/common/src/splatworks")
"""The package of the generated stubs, relative to the repository."""

TYPINGS = Path("typings/google")
"""Type stubs for modules of googleapis-common-protos, which come without usable ones; relative as well."""

TYPED_GOOGLE_PROTOS = (
    "google/longrunning/operations.proto",
    "google/rpc/code.proto",
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
)
"""The Google protos whose Python modules the code uses."""

MESSAGES = ("--python_out=", "--pyi_out=")
SERVICES = ("--grpc_python_out=", "--mypy_grpc_out=quiet:")
"""The plugins that write one module for every proto, empty where it has no service."""

PACKAGE_DOCSTRING = '"""Generated from ``protos/`` by ``make protos``; never edited by hand."""\n'


def generate(output: Path) -> None:
    """Writes ``STUBS`` and ``TYPINGS`` below ``output``, replacing what is there.

    Raises:
        subprocess.CalledProcessError: A proto is wrong; protoc has said on stderr where.
    """
    stubs, typings = output / STUBS, output / TYPINGS
    for folder in (stubs, typings):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    protos = sorted(PROTOS.rglob("*.proto"))
    _protoc(MESSAGES, stubs.parent, protos)
    _protoc(SERVICES, stubs.parent, _with_service(protos))
    for package in (stubs, *(folder for folder in stubs.rglob("*") if folder.is_dir())):
        (package / "__init__.py").write_text(PACKAGE_DOCSTRING)
    (stubs / "py.typed").touch()

    google = [THIRD_PARTY / proto for proto in TYPED_GOOGLE_PROTOS]
    _protoc(MESSAGES[1:], typings.parent, google)
    _protoc(SERVICES[1:], typings.parent, _with_service(google))


def _with_service(protos: Sequence[Path]) -> list[Path]:
    return [proto for proto in protos if re.search(r"^service \w", proto.read_text(), re.MULTILINE)]


def _protoc(outputs: Sequence[str], folder: Path, protos: Sequence[Path]) -> None:
    """Runs protoc on ``protos`` with each of ``outputs`` going to ``folder``."""
    plugins = Path(sys.executable).parent  # where protoc finds protoc-gen-mypy_grpc
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", f"-I{THIRD_PARTY}"),
            *(f"{output}{folder}" for output in outputs),
            *map(str, protos),
        ],
        check=True,
        env={**os.environ, "PATH": f"{plugins}{os.pathsep}{os.environ.get('PATH', '')}"},
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Generate the Python stubs of protos/.")
    parser.add_argument(
        "--output", type=Path, default=ROOT, help="write below this folder (default: the repository)"
    )
    generate(parser.parse_args().output)


if __name__ == "__main__":
    main()
