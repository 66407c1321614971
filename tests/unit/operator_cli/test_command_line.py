"""What the command line refuses and tells before any cluster is asked."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from splatworks_operator.cli.app import app
from splatworks_operator.cli.flags import duration

COMMANDS = [
    *("run", "submit", "upload", "list", "get", "watch", "cancel", "suspend", "resume"),
    *("logs", "download", "explain"),
]


def run(*words: object, **environment: str):
    return CliRunner().invoke(
        app, [str(word) for word in words], env={"KUBECONFIG": "/nowhere", **environment}
    )


def test_every_command_is_listed_with_what_it_does():
    listed = [line.split()[0] for line in run("--help").output.splitlines() if line.startswith("  ")]
    assert [name for name in listed if name in COMMANDS] == COMMANDS


def test_the_version_is_told():
    assert run("--version").output.startswith("splatworks 0.")


def test_help_is_quick_because_it_loads_nothing_to_work_with():
    script = (
        "import sys, splatworks_operator.cli\n"
        "print(sorted({'grpc', 'kr8s', 'minio', 'kopf', 'numpy', 'httpx'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "words",
    [
        ("submit",),
        ("submit", "photos", "-f", "job.yaml"),
        ("submit", "s3://splatworks/fox", "--timeout", "5m"),
        ("upload", "photos"),
        ("watch", "fox", "-A"),
        ("watch", "-o", "json"),
        ("watch", "fox", "--timeout", "soon"),
        ("explain", "nothing"),
        ("list", "-o", "csv"),
    ],
)
def test_wrong_usage_ends_with_code_2(words):
    assert run(*words).exit_code == 2


def test_a_folder_that_is_not_there_is_named(tmp_path):
    ended = run("submit", tmp_path / "nowhere")
    assert ended.exit_code == 1
    assert str(tmp_path / "nowhere") in ended.stderr


def test_without_a_kubeconfig_one_is_asked_for():
    ended = run("list")
    assert ended.exit_code == 1
    assert "No cluster is configured" in ended.stderr


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path):
    ended = run("list", "--kubeconfig", tmp_path / "config")
    assert f"There is no kubeconfig at {tmp_path / 'config'}" in ended.stderr


@pytest.mark.parametrize("text", ["", "{}", "apiVersion: v1\nkind: Config\n", ": : :", "- 1"])
def test_a_kubeconfig_that_is_broken_is_no_traceback(tmp_path, text):
    (tmp_path / "config").write_text(text)
    ended = run("list", "--kubeconfig", tmp_path / "config")
    assert ended.exit_code == 1
    assert "kubeconfig" in ended.stderr


def test_a_context_that_is_not_there_is_named(kubeconfig):
    ended = run("list", "--kubeconfig", kubeconfig, "--context", "mars")
    assert "No such context mars" in ended.stderr


def test_a_cluster_that_does_not_answer_is_named(kubeconfig):
    ended = run("list", "--kubeconfig", kubeconfig)
    assert ended.exit_code == 1
    assert "There is no answer from the cluster" in ended.stderr


@pytest.fixture
def kubeconfig(tmp_path):
    """A kubeconfig of a cluster that is not there."""
    path = tmp_path / "kubeconfig"
    path.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: gone\n"
        "clusters: [{name: gone, cluster: {server: 'http://127.0.0.1:1'}}]\n"
        "users: [{name: me, user: {token: none}}]\n"
        "contexts: [{name: gone, context: {cluster: gone, user: me}}]\n"
    )
    return path


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("30m", 1800), ("1h30m", 5400), ("2h1s", 7201)])
def test_a_length_of_time_is_written_as_for_kubectl(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "3d", "m"])
def test_another_length_of_time_is_refused(text):
    with pytest.raises(typer.BadParameter):
        duration(text)
