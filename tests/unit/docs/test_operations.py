"""The documents for people, held to the code: nothing points nowhere, nothing of the runbook is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from splatworks_common.reasons import Reason
from tests import monitoring

_REPOSITORY = Path(__file__).resolve().parents[3]
_SOURCES = [*(_REPOSITORY / "services").glob("*/src"), _REPOSITORY / "operator" / "src"]

OPERATIONS = _REPOSITORY / "docs" / "operations.md"
DOCUMENTS = [
    OPERATIONS,
    *(_REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md")),
    *(_REPOSITORY / "docs" / name for name in ("architecture.md", "images.md")),
    _REPOSITORY / "charts" / "splatworks" / "README.md",
]

_FOLDERS = "charts|docs|examples|operator|protos|scripts|services|tests"


def _name(path: Path) -> str:
    return str(path.relative_to(_REPOSITORY))


def _anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def _section(heading: str) -> str:
    """What stands below a heading of the second level."""
    return re.split(r"^## ", OPERATIONS.read_text().split(f"\n## {heading}\n")[1], flags=re.MULTILINE)[0]


def _exported_metrics() -> set[str]:
    """The names that the code gives to metrics; a counter's is without its ``_total``."""
    packages = {path.name for source in _SOURCES for path in source.iterdir()}
    texts = (path.read_text() for source in _SOURCES for path in source.rglob("*.py"))
    return {name for text in texts for name in re.findall(r'"(splatworks_[a-z_]+)"', text)} - packages


def _documented_metrics() -> set[str]:
    return set(re.findall(r"^\| `(splatworks_[a-z_]+)` \|", _section("Monitor"), re.MULTILINE))


def _links(path: Path) -> Iterator[str]:
    text = path.read_text()
    yield from (link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link)


@pytest.mark.parametrize("alert", monitoring.alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_has_the_section_that_its_runbook_names(alert: dict[str, dict[str, str]]) -> None:
    document, _, anchor = alert["annotations"]["runbook_url"].partition("#")

    assert _REPOSITORY / document == OPERATIONS
    assert anchor in _anchors(OPERATIONS)


def test_every_section_about_an_alert_is_about_one_that_exists() -> None:
    named = {alert["annotations"]["runbook_url"].partition("#")[2] for alert in monitoring.alerts()}

    assert {anchor for anchor in _anchors(OPERATIONS) if anchor.startswith("alert-")} == named


def test_every_reason_has_a_runbook_and_no_other() -> None:
    assert set(re.findall(r"^### (.+)$", _section("When a job fails"), re.MULTILINE)) == set(Reason)


def test_the_table_of_metrics_has_all_that_the_code_exports() -> None:
    documented = _documented_metrics()
    missing = {name for name in _exported_metrics() if not {name, f"{name}_total"} & documented}

    assert not missing


def test_the_table_of_metrics_has_nothing_that_the_code_does_not_export() -> None:
    exported = _exported_metrics()

    assert {name for name in _documented_metrics() if name.removesuffix("_total") not in exported} == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    broken = []
    for link in _links(path):
        place, _, anchor = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)

    assert not broken


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_every_file_that_is_named_exists(path: Path) -> None:
    named = re.findall(rf"(?<![\w./:-])((?:{_FOLDERS})/[\w./-]+\w)(?![*{{\w])", path.read_text())
    roots = (_REPOSITORY, path.parent)

    assert [name for name in named if not any((root / name).exists() for root in roots)] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_every_make_target_that_is_named_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (_REPOSITORY / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", path.read_text(), re.MULTILINE)) <= targets


def test_every_value_of_the_chart_that_is_set_exists() -> None:
    values = set(re.findall(r"^\| `([\w.]+)` \|", DOCUMENTS[-1].read_text(), re.MULTILINE))
    of_workers = {name.partition(".")[2] for name in values if name.startswith("worker.")}
    components = ("sfm.", "trainer.", "compressor.", "streamer.")

    unknown = set()
    for name in re.findall(r"--set ([\w.]+)=", OPERATIONS.read_text()):
        if name.startswith(components) and name.partition(".")[2] in of_workers:
            continue
        if name not in values:
            unknown.add(name)

    assert not unknown
