"""The rules: promtool accepts them, its unit tests pass, every alert is shown to fire and to stay silent."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import monitoring, promql

_SEVERITIES = {"critical", "warning", "info"}


@pytest.fixture(scope="session")
def promtool() -> str:
    path = shutil.which("promtool")
    if path is None:
        pytest.skip("needs promtool (Debian: prometheus)")
    return path


def _tested(*, fires: bool) -> set[tuple[str, str]]:
    """Alerts, as (name, severity), that a unit test expects to fire; or (name, "") where none may."""
    return {
        (check["alertname"], severity)
        for path in monitoring.RULE_TESTS
        for test in yaml.safe_load(path.read_text())["tests"]
        for check in test["alert_rule_test"]
        if bool(check["exp_alerts"]) is fires
        for severity in ([alert["exp_labels"]["severity"] for alert in check["exp_alerts"]] or [""])
    }


def test_promtool_accepts_the_rules(promtool: str) -> None:
    answer = subprocess.run([promtool, "check", "rules", monitoring.RULES], capture_output=True, text=True)

    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("path", monitoring.RULE_TESTS, ids=lambda path: path.stem)
def test_alerts_fire_and_stay_silent_as_their_tests_say(promtool: str, path: Path) -> None:
    answer = subprocess.run([promtool, "test", "rules", path], capture_output=True, text=True)

    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_every_alert_has_a_test_in_which_it_fires() -> None:
    assert {(rule["alert"], rule["labels"]["severity"]) for rule in monitoring.alerts()} == _tested(
        fires=True
    )


def test_every_alert_has_a_test_in_which_it_stays_silent() -> None:
    assert {(rule["alert"], "") for rule in monitoring.alerts()} == _tested(fires=False)


@pytest.mark.parametrize(
    "rule", monitoring.alerts(), ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}"
)
def test_an_alert_says_what_is_wrong_and_where_to_read_on(rule: dict[str, Any]) -> None:
    kebab = re.sub(r"(?<!^)(?=[A-Z])", "-", rule["alert"].removeprefix("Splatworks")).lower()

    assert rule["labels"]["severity"] in _SEVERITIES
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/operations.md#alert-{kebab}"


@pytest.mark.parametrize("query", list(monitoring.rule_queries()), ids=lambda query: query.where)
def test_every_rule_speaks_of_one_release(query: monitoring.Query) -> None:
    selectors = promql.selectors(query.expression)

    assert selectors
    assert [str(each) for each in selectors if 'release="splatworks/splatworks"' not in str(each)] == []
