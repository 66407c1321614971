"""The generated reference: it is the committed one, leaves nothing out, and its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "api.md"


@pytest.fixture(scope="module")
def reference() -> str:
    return REFERENCE.read_text()


@pytest.fixture(scope="module")
def headings(reference: str) -> list[str]:
    return re.findall(r"^#+ (.*)$", reference, re.MULTILINE)


def anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")


def test_the_committed_reference_is_that_of_models_and_protos(
    repository: Path, reference: str, tmp_path: Path
) -> None:
    script, fresh = repository / "scripts" / "generate_api_reference.py", tmp_path / "api.md"
    subprocess.run([sys.executable, script, "--output", fresh], check=True)

    assert reference == fresh.read_text(), "run `make api` and commit what it writes"


def test_every_link_inside_the_page_leads_to_one_heading(reference: str, headings: list[str]) -> None:
    anchors = [anchor(heading) for heading in headings]
    links = set(re.findall(r"\]\(#([^)]*)\)", reference))

    assert links
    assert [link for link in links if anchors.count(link) != 1] == []


def test_every_file_that_is_linked_is_there(reference: str) -> None:
    files = re.findall(r"\]\((\.\./[^)]*)\)", reference)

    assert files
    assert [file for file in files if not (REFERENCE.parent / file).exists()] == []


def test_every_service_message_and_enum_has_a_heading(repository: Path, headings: list[str]) -> None:
    protos = "".join(
        path.read_text() for path in (repository / "protos" / "splatworks" / "v1").glob("*.proto")
    )
    names = set(re.findall(r"^(?:service|message|enum) (\w+)", protos, re.MULTILINE))

    assert names - {"Reason"} <= set(headings)


def test_every_row_of_a_table_has_as_many_cells_as_its_heading(reference: str) -> None:
    tables = re.findall(r"(?:^\|.*\n)+", reference, re.MULTILINE)

    assert tables
    assert [table for table in tables if len({row.count(" | ") for row in table.splitlines()}) != 1] == []


def test_nothing_is_left_undescribed(reference: str) -> None:
    assert re.findall(r"^.*\| \|$|^.*\|  \|$", reference, re.MULTILINE) == []
