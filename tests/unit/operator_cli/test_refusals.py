from __future__ import annotations

import pytest

from splatworks_operator.cluster.errors import ClusterError, ClusterUnreachable, Forbidden, NotFound
from splatworks_operator.cluster.refusals import Asked, refusal

FOX = Asked("get", "splatjobs", "foxes", "fox")


def test_a_verb_that_is_missing_is_named_with_who_lacks_it():
    message = 'splatjobs is forbidden: User "ann" cannot get resource "splatjobs"'
    error = refusal(FOX, 403, {"message": message})
    assert isinstance(error, Forbidden)
    assert str(error).startswith("You (ann) may not get splatjobs in namespace foxes")


def test_a_quota_is_not_taken_for_a_missing_role():
    error = refusal(FOX, 403, {"message": "exceeded quota: jobs"})
    assert "exceeded quota: jobs" in str(error)
    assert "Role" not in str(error)


def test_a_cluster_without_splatworks_is_told_how_to_get_it():
    error = refusal(Asked("list", "splatjobs"), 404, {"message": "404 page not found"})
    assert isinstance(error, NotFound)
    assert "helm install" in str(error)


def test_a_job_that_is_not_there_is_not_taken_for_a_missing_definition():
    error = refusal(FOX, 404, {"details": {"name": "fox", "kind": "splatjobs"}})
    assert str(error).startswith("There is no SplatJob fox in namespace foxes")


def test_a_name_that_is_taken_comes_with_two_ways_out():
    error = refusal(Asked("create", "splatjobs", "foxes", "fox"), 409, {"reason": "AlreadyExists"})
    assert "--name" in str(error)
    assert "splatworks cancel fox --delete" in str(error)


def test_what_the_cluster_finds_wrong_is_said_field_by_field():
    causes = [{"field": "spec.source.uri", "message": "must be a folder of photos"}]
    error = refusal(FOX, 422, {"message": "SplatJob is invalid", "details": {"causes": causes}})
    assert str(error) == "The cluster refuses SplatJob fox: spec.source.uri: must be a folder of photos"


@pytest.mark.parametrize("code", [429, 500, 503])
def test_what_may_pass_is_worth_another_try(code):
    assert isinstance(refusal(FOX, code, {}), ClusterUnreachable)


def test_credentials_that_are_not_accepted_are_said_to_be():
    error = refusal(FOX, 401, {"message": "Unauthorized"})
    assert type(error) is ClusterError
    assert "sign in again" in str(error)
