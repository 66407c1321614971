"""Lifecycle rules on a real store. SeaweedFS keeps expirations only; unit tests show the other rule."""

from __future__ import annotations

import contextlib
from pathlib import Path

from minio.commonconfig import ENABLED, Filter
from minio.lifecycleconfig import Expiration, Rule

from splatworks_common.artifacts import lifecycle
from splatworks_common.artifacts.client import Client
from splatworks_common.embedded_store import EmbeddedStore


def test_the_bucket_gets_the_rules_and_keeps_those_it_had(tmp_path: Path):
    with EmbeddedStore(tmp_path / "store") as store:
        settings = store.settings
        with contextlib.closing(Client(settings, connections=1)) as client:
            other = Rule(
                ENABLED, rule_filter=Filter(prefix="logs/"), rule_id="logs", expiration=Expiration(days=1)
            )
            client.set_lifecycle(settings.bucket, [other])
            lifecycle.apply(settings, abort_days=3, expire_days=30)
            found = client.lifecycle(settings.bucket)
    days = {rule.rule_id: rule.expiration.days for rule in found if rule.expiration}
    assert days == {"logs": 1, lifecycle.EXPIRE: 30}
