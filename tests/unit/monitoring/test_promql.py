"""The check of queries against what exists finds each kind of mistake, and nothing else."""

from __future__ import annotations

import pytest

from tests.promql import Catalogue, Drift, measured, output_labels

CATALOGUE = Catalogue(
    {
        "jobs": frozenset({"phase", "release"}),
        "seconds_bucket": frozenset({"le", "stage"}),
        "failures_total": frozenset({"stage", "reason"}),
    },
    {"phase": {"Running", "Failed"}},
)


@pytest.mark.parametrize(
    ("expression", "labels"),
    [
        ("jobs", {"phase", "release"}),
        ('sum by (phase) (jobs{phase=~"Running|Failed"})', {"phase"}),
        ("sum without (phase) (jobs)", {"release"}),
        ("sum(jobs)", set()),
        ("histogram_quantile(0.5, sum by (stage, le) (rate(seconds_bucket[5m])))", {"stage"}),
        ('absent(jobs{release="a"})', {"release"}),
        ("time() - max by (release) (jobs)", {"release"}),
        ("sum by (phase) (jobs) and on (phase) jobs", {"phase"}),
        ("max_over_time(sum by (stage) (failures_total)[1h:1m])", {"stage"}),
    ],
)
def test_the_labels_of_a_result_are_known(expression: str, labels: set[str]) -> None:
    assert output_labels(expression, CATALOGUE) == labels


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("job", "no metric job"),
        ("sum(jobs) / sum(rate(failure_total[5m]))", "no metric failure_total"),
        ('jobs{phases="Running"}', "phases"),
        ('jobs{phase="Runing"}', "never 'Runing'"),
        ('jobs{phase=~"Running|Done"}', "never 'Done'"),
        ("sum by (stage) (jobs)", "stage"),
        ("sum by (release) (sum by (phase) (jobs))", "release"),
        ("jobs / on (stage) failures_total", "stage"),
        ("histogram_quantile(0.5, sum by (stage) (rate(seconds_bucket[5m])))", "le"),
    ],
)
def test_what_does_not_exist_is_found(expression: str, complaint: str) -> None:
    with pytest.raises(Drift, match=complaint):
        output_labels(expression, CATALOGUE)


@pytest.mark.parametrize(
    ("expression", "parts"),
    [
        ("sum by (phase) (jobs) / 2", ["sum by (phase)(jobs{}) / 2"]),
        (
            "time() - max(jobs) > 900 and on (a) sum by (a) (up) > 0",
            ["time() - max(jobs{})", "sum by (a)(up{})"],
        ),
        ("jobs - time() < 14 * 86400 >= 2 * 86400", ["jobs{} - time()"]),
        ("jobs > bool 600", ["jobs{} > bool 600"]),
        ("sum(rate(up[5m])) / (sum(jobs) >= 5) > 0.2", ["sum(rate(up{}[5m]))", "sum(jobs{})"]),
        ("max(changes(up[30m]) and up offset 30m) == 0", ["changes(up{}[30m])", "up{} offset 30m"]),
        ('absent(jobs{phase="Running"})', ['jobs{phase="Running"}']),
    ],
)
def test_what_a_query_compares_is_told_from_its_thresholds(expression: str, parts: list[str]) -> None:
    assert measured(expression) == parts
