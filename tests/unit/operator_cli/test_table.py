from __future__ import annotations

import pytest

from splatworks_operator.cluster.splatjob import SplatJob
from splatworks_operator.cluster.table import age, columns, job_table


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (119, "119s"),
        (120, "2m"),
        (192, "3m12s"),
        (3600, "60m"),
        (4 * 3600 + 60, "4h1m"),
        (20 * 3600, "20h"),
        (3 * 86400, "3d"),
    ],
)
def test_an_age_is_told_as_kubectl_does(seconds, text):
    assert age(seconds) == text


def test_columns_are_as_wide_as_their_widest_cell():
    assert columns([("A", "B"), ("long", "x")]) == ["A      B", "long   x"]


def test_a_job_with_an_odd_status_does_not_spoil_the_list():
    resource = {
        "metadata": {"name": "fox", "namespace": "foxes", "creationTimestamp": "2026-11-20T12:00:00Z"},
        "spec": {},
        "status": {"phase": "Dreaming", "result": {"registeredImages": 4}},
    }
    line = job_table([SplatJob(resource)], wide=True)[1]
    assert line.split()[:7] == ["fox", "Dreaming", "-", "0", "%", "-", "4/?"]
