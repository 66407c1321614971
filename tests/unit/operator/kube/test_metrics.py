from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from splatworks_common.reasons import Reason
from splatworks_operator.kube.certificate import OwnCertificate
from splatworks_operator.kube.config import TlsFiles
from splatworks_operator.kube.faults import Fault
from splatworks_operator.kube.metrics import OperatorMetrics
from splatworks_operator.status import StageName
from tests.certificates import Authority

_DAY = 86400


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        *(("splatworks_stage_attempts_total", {"stage": stage}) for stage in StageName),
        *(
            ("splatworks_stage_failures_total", {"stage": stage, "reason": reason})
            for stage, reason in product(StageName, Reason)
        ),
        ("splatworks_jobs_finished_total", {"phase": "Succeeded", "reason": ""}),
        *(("splatworks_jobs_finished_total", {"phase": "Failed", "reason": reason}) for reason in Reason),
        *(("splatworks_reconcile_errors_total", {"kind": fault}) for fault in Fault),
    ],
)
def test_a_counter_is_zero_before_its_first_event(name: str, labels: dict[str, str]):
    registry = CollectorRegistry()
    OperatorMetrics(registry)
    assert registry.get_sample_value(name, labels) == 0


def test_the_end_of_the_operators_certificate_follows_its_files(tmp_path: Path):
    authority = Authority(tmp_path)
    files = authority.issue("operator", ["operator.test.svc"], days=10)
    own = OwnCertificate(TlsFiles(ca=authority.file, cert=files.cert, key=files.key))
    registry = CollectorRegistry()
    OperatorMetrics(registry).export_certificate_expiry(own.expiry)

    def ends() -> float:
        return registry.get_sample_value("splatworks_tls_certificate_expiry_seconds") or 0.0

    before = ends()
    authority.issue("operator", ["operator.test.svc"], days=20)
    assert ends() - before == pytest.approx(10 * _DAY, abs=60)
    files.key.write_text("half writ")
    assert ends() - before == pytest.approx(10 * _DAY, abs=60)
