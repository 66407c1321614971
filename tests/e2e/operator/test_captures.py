"""Real captures through the whole path: every photo registered, and the quality that people are promised.

Quality is that of every eighth photo, held out as papers do.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(1200)


@pytest.mark.parametrize(
    ("capture", "photos", "psnr", "covered_psnr"),
    [("brighton", 18, 17.5, 22.3), ("fox/images", 50, 30.0, 30.0)],
    ids=["brighton", "fox"],
)
def test_a_real_capture_reaches_its_quality(
    start, shared_data, tmp_path, capture, photos, psnr, covered_psnr
):
    run = start(shared_data / capture, "-o", tmp_path / "out", "--hold-out-every", "8")
    assert run.finish(1100) == 0, run.text
    report, metrics, summary = (
        json.loads((Path(tmp_path) / "out" / path).read_text())
        for path in ("colmap/report.json", "gaussian/metrics.json", "compressed/summary.json")
    )
    assert report["registered"] == photos
    assert metrics["psnr"] >= psnr
    assert metrics["covered_psnr"] >= covered_psnr
    assert summary["fidelity"]["psnr"] >= 41
    assert summary["psnr_loss"] <= 0.35  # against photos that the polish has seen
    assert summary["ratio"] >= 12
