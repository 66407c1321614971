from __future__ import annotations

import pytest

from splatworks_operator.cluster.errors import WrongUsage
from splatworks_operator.cluster.explain import explain


@pytest.mark.parametrize("path", ["train.maxSteps", "spec.train.maxSteps", "splatjob.spec.train.maxSteps"])
def test_a_field_is_found_by_its_short_and_its_whole_path(path):
    text = explain(path)
    assert "FIELD: spec.train.maxSteps <integer> (0 to 200000; default 0)" in text
    assert "Optimisation steps" in text


def test_an_object_lists_its_fields_and_which_are_needed():
    text = explain("source")
    assert "  uri <string> (required)" in text
    assert "  secretRef <object>" in text


def test_the_values_of_a_choice_are_listed():
    assert "(one of High, Default, Small; default Default)" in explain("compress.quality")


def test_what_a_list_holds_is_explained_through_it():
    assert "FIELD: spec.failurePolicy.rules <[]object>" in explain("failurePolicy.rules")
    assert "  action <string>" in explain("failurePolicy.rules")


def test_the_status_is_explained_too():
    assert "FIELD: status.result" in explain("status.result")


def test_without_a_path_the_whole_job_is_explained():
    assert "  spec <object> (required)" in explain()


def test_a_field_that_is_not_there_is_answered_with_the_one_that_was_meant():
    with pytest.raises(WrongUsage, match=r"spec\.train has no field maxStep\. Did you mean maxSteps"):
        explain("train.maxStep")
