"""Writes the SplatJob CustomResourceDefinition into the chart, as the operator's models say it.

Run it through ``make api``. What it writes is a function of ``splatworks_operator`` alone, so a test makes it
again and compares.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml

from splatworks_operator.crd.definition import definition

TARGET = Path(__file__).resolve().parent.parent / "charts" / "splatworks" / "files" / "crd" / "splatjobs.yaml"

_HEADER = """\
# Generated from operator/src/splatworks_operator/{spec,status}.py by `make api`; never edited by hand.
"""


def generate(output: Path) -> None:
    """Writes the definition to the file ``output``, making its folder where there is none."""
    output.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(definition(), sort_keys=False, width=110, allow_unicode=True)
    output.write_text(_HEADER + text)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Generate the CustomResourceDefinition of SplatJob.")
    parser.add_argument("--output", type=Path, default=TARGET, help="write this file (default: the chart's)")
    generate(parser.parse_args().output)


if __name__ == "__main__":
    main()
