"""Showing and changing SplatJobs: list, get, watch, cancel, suspend, resume."""

from __future__ import annotations

import json
import os
import sysconfig
from dataclasses import replace

import pytest
import yaml

from splatworks_common.reasons import Reason
from splatworks_operator.status import Phase, StageName, StageState, StageStatus
from tests.integration.operator_cli.conftest import failed, running, succeeded

pytestmark = pytest.mark.kube


def test_a_list_tells_phase_stage_progress_quality_and_photos(cli, fox):
    cli.report("fox", succeeded())
    heading, line = cli.here("list").out.splitlines()
    assert heading.split() == ["NAME", "PHASE", "STAGE", "PROGRESS", "PSNR", "IMAGES", "AGE"]
    assert line.split()[:7] == ["fox", "Succeeded", "-", "100", "%", "30.12", "49/50"]


def test_a_wide_list_adds_ratio_size_and_viewer(cli, fox):
    cli.report("fox", succeeded())
    line = cli.here("list", "-o", "wide").out.splitlines()[1]
    assert line.split()[-5:] == ["15.6", "1.90", "MB", "-", "https://splats.example.com/s/fox/"]


def test_a_job_that_no_operator_has_seen_is_pending(cli, fox):
    assert cli.here("list").out.splitlines()[1].split()[:2] == ["fox", "Pending"]


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_a_list_for_programs_is_what_kubectl_would_give(cli, fox, form, read):
    found = read(cli.here("list", "-o", form).out)
    assert (found["kind"], [item["metadata"]["name"] for item in found["items"]]) == ("List", ["fox"])
    assert found["items"][0]["kind"] == "SplatJob"


def test_names_can_be_given_to_kubectl(cli, fox):
    name = cli.here("list", "-o", "name").out.strip()
    assert cli.cluster.kubectl("get", name, "-o=name", namespace=cli.namespace).strip() == name


def test_a_selector_chooses_among_jobs(cli, fox):
    cli.cluster.kubectl("label", "splatjob/fox", "team=a", namespace=cli.namespace)
    assert "fox" in cli.here("list", "-l", "team=a").out
    assert "no SplatJobs" in cli.here("list", "-l", "team=b").err


def test_all_namespaces_are_shown_with_their_names(cli, fox):
    lines = cli("list", "-A").out.splitlines()
    assert lines[0].startswith("NAMESPACE")
    assert [cli.namespace, "fox"] in [line.split()[:2] for line in lines]


def test_the_page_of_a_job_shows_stages_results_and_events(cli, fox):
    cli.report("fox", succeeded())
    cli.cluster.create(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": "fox.1"},
            "involvedObject": {
                "kind": "SplatJob",
                "namespace": cli.namespace,
                "uid": fox()["metadata"]["uid"],
            },
            "type": "Normal",
            "reason": "Succeeded",
            "message": "The scene is ready.",
            "lastTimestamp": "2026-11-20T12:00:00Z",
        },
        namespace=cli.namespace,
    )
    page = cli.here("get", "fox").out
    for part in (
        "https://splats.example.com/s/fox/",
        "49 of 50 photos registered, 10,358 points, 1.05 px",
        "30.12 dB",
        "s3://splatworks/jobs/fox",
        "Normal   Succeeded   The scene is ready.",
    ):
        assert part in page


def test_the_page_of_a_failed_job_says_why(cli, fox):
    stage = StageStatus(
        StageName.SFM, StageState.FAILED, attempt=1, reason=Reason.TOO_FEW_IMAGES, message="Only 2 photos."
    )
    cli.report("fox", failed(stage))
    assert "TooFewImages: Only 2 photos." in cli.here("get", "fox").out


def test_a_single_job_for_programs_is_the_object_itself(cli, fox):
    found = yaml.safe_load(cli.here("get", "fox", "-o", "yaml").out)
    assert (found["kind"], found["spec"]["source"]["uri"]) == (
        "SplatJob",
        "s3://splatworks/uploads/fox/photos.zip",
    )


def test_a_job_that_is_not_there_is_named_with_the_remedy(cli):
    ended = cli.here("get", "fox", check=False)
    assert ended.code == 1
    assert f"There is no SplatJob fox in namespace {cli.namespace}: 'splatworks list" in ended.err


def wait_for(process, part: str) -> str:
    """What was printed up to the line with ``part``."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if part in line:
            return "".join(lines)
    raise AssertionError(f"{part!r} was not printed:\n{''.join(lines)}")


def test_a_job_is_followed_through_its_stages_to_its_end(cli, fox):
    with cli.start("watch", "fox") as process:
        wait_for(process, "Waiting for the operator")
        cli.report("fox", running())
        wait_for(process, "Finding features, 8 of 50 photos")
        cli.report("fox", succeeded())
        rest = process.stdout.read()
    assert process.returncode == 0
    assert "30.12 dB" in rest
    assert "https://splats.example.com/s/fox/" in rest


def test_following_a_job_that_fails_ends_with_its_reason_and_code_1(cli, fox):
    stage = StageStatus(
        StageName.SFM, StageState.FAILED, attempt=1, reason=Reason.TOO_FEW_IMAGES, message="Only 2 photos."
    )
    cli.report("fox", failed(stage))
    ended = cli.here("watch", "fox", check=False)
    assert ended.code == 1
    assert "TooFewImages: Only 2 photos." in ended.err


def test_a_job_that_is_deleted_is_not_followed_any_longer(cli, fox):
    with cli.start("watch", "fox") as process:
        wait_for(process, "Waiting for the operator")
        cli.here("cancel", "fox", "--delete")
        rest = process.stdout.read()
    assert process.returncode == 1
    assert "SplatJob fox was deleted" in rest


def test_following_stops_when_its_time_is_over_and_the_job_goes_on(cli, fox):
    cli.report("fox", running())
    ended = cli.here("watch", "fox", "--timeout", "1s", check=False)
    assert ended.code == 1
    assert "has not ended within 1 s and goes on" in ended.err


def test_all_jobs_are_followed_line_by_line_where_there_is_no_terminal(cli, fox):
    with cli.start("watch") as process:
        wait_for(process, f"{cli.namespace}/fox  Pending")
        cli.report("fox", replace(running(), message="Finding features"))
        wait_for(process, f"{cli.namespace}/fox  Running  sfm  Finding features")
        process.terminate()
        rest = process.stdout.read()
    assert (process.returncode, rest) == (130, "Stopped watching; the jobs go on.\n")


def test_a_cancelled_job_is_terminated_and_kept(cli, fox):
    cli.here("cancel", "fox")
    assert fox()["spec"]["terminate"] is True


def test_a_job_that_has_ended_is_not_cancelled_again(cli, fox):
    cli.report("fox", succeeded())
    assert "has ended already: Succeeded" in cli.here("cancel", "fox").out
    assert not fox()["spec"].get("terminate")


def test_a_job_is_suspended_and_resumed(cli, fox):
    cli.here("suspend", "fox")
    assert fox()["spec"]["suspend"] is True
    cli.report("fox", replace(running(), phase=Phase.SUSPENDED))
    cli.here("resume", "fox")
    assert fox()["spec"]["suspend"] is False


def test_one_name_that_is_wrong_does_not_keep_the_others_from_being_cancelled(cli, fox):
    ended = cli.here("cancel", "wolf", "fox", check=False)
    assert ended.code == 1
    assert "There is no SplatJob wolf" in ended.err
    assert fox()["spec"]["terminate"] is True


def test_who_may_not_is_told_which_verb_on_what_is_missing(cli, fox, tmp_path):
    cli.cluster.kubectl("create", "serviceaccount", "stranger", namespace=cli.namespace)
    path = cli.cluster.kubeconfig_of(cli.namespace, "stranger", tmp_path / "kubeconfig")
    ended = cli("list", "--kubeconfig", path, check=False)
    assert ended.code == 1
    assert f"(system:serviceaccount:{cli.namespace}:stranger) may not list splatjobs" in ended.err
    assert "the verb 'list' on splatjobs" in ended.err


def test_who_may_read_jobs_but_not_events_still_sees_the_page(cli, fox, tmp_path):
    for words in (
        ("create", "serviceaccount", "reader"),
        ("create", "role", "reader", "--verb=get,list,watch", "--resource=splatjobs.splatworks.dev"),
        ("create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={cli.namespace}:reader"),
    ):
        cli.cluster.kubectl(*words, namespace=cli.namespace)
    path = cli.cluster.kubeconfig_of(cli.namespace, "reader", tmp_path / "kubeconfig")
    assert "Events: you may not see them." in cli("get", "fox", "--kubeconfig", path).out


def test_the_namespace_is_the_contexts(cli, fox, tmp_path):
    config = json.loads(cli.cluster.kubeconfig.read_text())
    other = json.loads(json.dumps(config["contexts"][0]))
    other["name"], other["context"]["namespace"] = "foxes", cli.namespace
    config["contexts"].append(other)
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    assert "fox" in cli("list", "--kubeconfig", path, "--context", "foxes").out


def test_kubectl_finds_the_command_as_its_plugin(cli, fox):
    scripts = sysconfig.get_path("scripts")
    done = cli.cluster.run(
        "env",
        f"PATH={scripts}{os.pathsep}{cli.cluster.environment['PATH']}",
        *("kubectl", "splat", "list", "-n", cli.namespace),
    )
    assert done.splitlines()[1].startswith("fox")


def test_no_key_of_the_kubeconfig_is_left_in_a_temporary_file(cli, fox, tmp_path):
    replace(cli, environment={"TMPDIR": str(tmp_path)}).here("list")
    assert list(tmp_path.iterdir()) == []
