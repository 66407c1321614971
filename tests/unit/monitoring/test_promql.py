"""The check of queries against what exists finds each kind of mistake, and nothing else."""

from __future__ import annotations

import pytest

from tests.promql import Catalogue, Drift, output_labels

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
