"""Writes the table of values in the chart's README from the comments in its values.yaml.

A comment that begins with ``# --`` documents the value on the line below it, as helm-docs has it; lines of
the comment that follow belong to it. The table stands between two marks in the README, whose other text is
written by hand. Assumes that values.yaml indents by two spaces and writes a documented key as ``key: value``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parent.parent / "charts" / "splatworks"
BEGIN, END = "<!-- values: begin -->\n", "<!-- values: end -->\n"

_LONGEST_DEFAULT = 60
_KEY = re.compile(r"( *)([A-Za-z]+):")


@dataclass(frozen=True)
class Value:
    """One documented value.

    Attributes:
        path: Its keys from the top, as ("store", "mode").
        text: What its comment says.
        default: What it is where nobody sets it.
    """

    path: tuple[str, ...]
    text: str
    default: Any


def documented(source: str) -> Iterator[Value]:
    """The documented values of a values.yaml, in its order."""
    values = yaml.safe_load(source)
    path: list[str] = []
    comment: list[str] = []
    for line in source.splitlines():
        stripped = line.strip()
        if stripped.startswith("# -- "):
            comment = [stripped.removeprefix("# -- ")]
        elif stripped.startswith("#") and comment:
            comment.append(stripped.removeprefix("#").strip())
        elif key := _KEY.match(line):
            path[len(key[1]) // 2 :] = [key[2]]
            if comment:
                yield Value(tuple(path), " ".join(comment), _at(values, path))
            comment = []
        else:
            comment = []


def table(source: str) -> str:
    """The values of a values.yaml as a Markdown table."""
    rows = ["| value | default | meaning |\n", "|---|---|---|\n"]
    for value in documented(source):
        text = value.text.replace("|", "\\|")
        rows.append(f"| `{'.'.join(value.path)}` | {_default(value.default)} | {text} |\n")
    return "".join(rows)


def with_table(readme: str, source: str) -> str:
    """A README with the table of a values.yaml between its marks."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table(source)}{END}{after}"


def _at(values: Any, path: list[str]) -> Any:
    for key in path:
        values = values[key]
    return values


def _default(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if len(text) <= _LONGEST_DEFAULT else "see values.yaml"


def main() -> None:
    """Rewrites the README in place."""
    readme = CHART / "README.md"
    readme.write_text(with_table(readme.read_text(), (CHART / "values.yaml").read_text()))


if __name__ == "__main__":
    main()
