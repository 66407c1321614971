from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from splatworks_operator.kube.record import changed
from tests.fakes.kube_api import merged

_values = st.recursive(
    st.integers() | st.text(max_size=3) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
_statuses = st.dictionaries(st.sampled_from("abcd"), _values, max_size=4)


@given(_statuses, _statuses)
def test_the_patch_makes_the_new_status_of_the_old(old: dict[str, Any], new: dict[str, Any]):
    assert merged(old, changed(old, new)) == new


@given(_statuses)
def test_nothing_changed_is_no_patch(status: dict[str, Any]):
    assert changed(status, status) == {}
