from __future__ import annotations

from minio.commonconfig import ENABLED, Filter
from minio.lifecycleconfig import Expiration, Rule

from splatworks_common.artifacts import lifecycle


def test_unfinished_uploads_are_given_up_everywhere_and_only_uploads_expire():
    abort, expire = lifecycle.updated([], abort_days=3, expire_days=30)
    assert abort.rule_filter
    assert abort.abort_incomplete_multipart_upload
    assert abort.abort_incomplete_multipart_upload.days_after_initiation == 3
    assert (abort.rule_filter.prefix, abort.expiration) == ("", None)
    assert expire.rule_filter
    assert expire.expiration
    assert (expire.rule_filter.prefix, expire.expiration.days) == ("uploads/", 30)


def test_rules_of_others_stay():
    other = Rule(ENABLED, rule_filter=Filter(prefix="logs/"), rule_id="logs", expiration=Expiration(days=1))
    assert lifecycle.updated([other], abort_days=3, expire_days=30)[0] is other


def test_a_second_time_changes_the_days_and_adds_nothing():
    once = lifecycle.updated([], abort_days=3, expire_days=30)
    twice = lifecycle.updated(once, abort_days=3, expire_days=7)
    assert [rule.rule_id for rule in twice] == [rule.rule_id for rule in once]
    assert twice[1].expiration
    assert twice[1].expiration.days == 7
