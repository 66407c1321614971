"""The chart's rules and dashboards as Python values, and their queries with the labels that texts show."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_FILES = Path(__file__).resolve().parent.parent / "charts" / "splatworks" / "files"
_TEMPLATES = _FILES.parent / "templates" / "monitoring"

RULES = _FILES / "rules" / "splatworks.yaml"
RULE_TESTS = sorted((_FILES / "rules" / "tests").glob("*.yaml"))
DASHBOARDS = sorted((_FILES / "dashboards").glob("*.json"))


@dataclass(frozen=True)
class Query:
    """One PromQL expression.

    Attributes:
        where: What it belongs to, for messages.
        expression: PromQL, without Grafana's variables for durations.
        shown: Labels that a legend or an annotation shows.
        records: The metric that it makes; empty where it makes none.
    """

    where: str
    expression: str
    shown: frozenset[str]
    records: str = ""


def rules() -> list[dict[str, Any]]:
    """All rules, in order."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """The rules that alert."""
    return [rule for rule in rules() if "alert" in rule]


def dashboard(path: Path) -> dict[str, Any]:
    """One dashboard."""
    return dict(json.loads(path.read_text()))


def rule_queries() -> Iterator[Query]:
    """The expressions of all rules, recording rules before whatever uses them."""
    for rule in sorted(rules(), key=lambda rule: "alert" in rule):
        texts = " ".join(rule.get("annotations", {}).values())
        shown = frozenset(re.findall(r"\$labels\.(\w+)", texts))
        yield Query(rule.get("alert") or rule["record"], rule["expr"], shown, rule.get("record", ""))


def dashboard_queries(path: Path) -> Iterator[Query]:
    """The expressions of a dashboard's panels and variables."""
    board = dashboard(path)
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            where = f"{path.stem}: {panel['title']}"
            shown = frozenset(re.findall(r"{{\s*(\w+)\s*}}", target["legendFormat"]))
            yield Query(where, target["expr"].replace("$__rate_interval", "5m"), shown)
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            call = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
            assert call is not None, (
                f"{path.stem}: variable {variable['name']} is no label_values(selector, label)"
            )
            yield Query(f"{path.stem}: variable {variable['name']}", call[1], frozenset({call[2]}))


def scrape_labels() -> frozenset[str]:
    """Labels of every series that the chart's PodMonitors scrape."""
    relabelings = (_TEMPLATES / "_release.tpl").read_text()
    of_prometheus_operator = {"namespace", "pod", "container", "endpoint", "instance", "job"}
    return frozenset({*of_prometheus_operator, *re.findall(r"targetLabel: (\w+)", relabelings)})
