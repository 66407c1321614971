"""Making SplatJobs of photos on this machine, of photos in the store, and of files."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.uri import S3Uri
from tests.integration.operator_cli.conftest import Cli, succeeded

pytestmark = pytest.mark.kube

FILE = """
apiVersion: splatworks.dev/v1alpha1
kind: SplatJob
metadata: {name: one}
spec:
  source: {uri: s3://splatworks/captures/one}
---
apiVersion: splatworks.dev/v1alpha1
kind: SplatJob
metadata: {name: two}
spec:
  source: {uri: s3://splatworks/captures/two}
"""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of two photos."""
    folder = tmp_path / "garden"
    folder.mkdir()
    for name in ("a.jpg", "b (1).jpg"):
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.fixture
def stored(cli: Cli, object_store: StoreSettings) -> Cli:
    """The command, with the store in its environment."""
    return replace(cli, environment=object_store.environment())


def test_a_folder_is_uploaded_and_becomes_a_job_of_its_name(stored, photos, object_store, tmp_path):
    ended = stored.here("submit", photos, "--profile", "draft", "--set", "train.maxSteps=3000")
    assert "splatjob.splatworks.dev/garden created" in ended.out
    spec = stored.job("garden")["spec"]
    assert (spec["profile"], spec["train"]["maxSteps"]) == ("Draft", 3000)
    with ArtifactStore(object_store) as store:
        store.download_file(S3Uri.parse(spec["source"]["uri"]), tmp_path / "photos.zip")
    with zipfile.ZipFile(tmp_path / "photos.zip") as archive:
        assert archive.namelist() == ["a.jpg", "b (1).jpg"]


def test_nothing_is_uploaded_for_a_job_that_the_cluster_would_not_take(stored, photos, object_store):
    name = stored.namespace
    stored.here("submit", "s3://splatworks/captures/one", "--name", name)
    ended = stored.here("submit", photos, "--name", name, check=False)
    assert ended.code == 1
    assert f"There is a SplatJob {name} in namespace {stored.namespace} already" in ended.err
    with ArtifactStore(object_store) as store:
        uploads = [entry.key for entry in store.list_objects(store.uri("uploads"))]
    assert not [key for key in uploads if name in key]


def test_without_a_store_the_settings_that_are_missing_are_named(cli, photos):
    ended = cli.here("submit", photos, check=False)
    assert ended.code == 1
    assert "SPLATWORKS_STORE_URL" in ended.err
    assert "--store-secret" in ended.err


def test_the_stores_keys_may_come_from_a_secret_and_are_never_printed(cli, photos, object_store):
    cli.cluster.kubectl(
        *("create", "secret", "generic", "store"),
        f"--from-literal=access-key={object_store.access_key}",
        f"--from-literal=secret-key={object_store.secret_key}",
        namespace=cli.namespace,
    )
    ended = cli.here("submit", photos, "--store-secret", "store", "--store-url", object_store.url)
    assert cli.job("garden")["spec"]["source"]["uri"].startswith("s3://splatworks/uploads/garden-")
    assert object_store.secret_key not in ended.out + ended.err


def test_a_file_makes_every_job_in_it(cli):
    ended = cli.here("submit", "-f", "-", "--profile", "draft", stdin=FILE)
    assert ended.out.count("created") == 2
    assert cli.job("two")["spec"]["profile"] == "Draft"


def test_an_older_job_file_makes_a_splatjob(cli):
    older = '{"jobName": "fox", "s3Url": "s3://splatworks/fox", "options": {"progressive_resolution": false}}'
    assert "splatjob.splatworks.dev/fox created" in cli.here("submit", "-f", "-", stdin=older).out
    spec = cli.job("fox")["spec"]
    assert spec["source"]["uri"] == "s3://splatworks/fox"
    assert spec["train"]["resolutionSchedule"] == [{"size": 1, "start": 0}]


def test_what_a_dry_run_shows_is_what_the_cluster_takes(cli, photos):
    shown = cli("submit", photos, "--quality", "small", "--dry-run").out
    applied = cli.cluster.kubectl(
        *("apply", "--dry-run=server", "-f=-", "-o=name"), namespace=cli.namespace, stdin=shown
    )
    assert applied.strip() == "splatjob.splatworks.dev/garden"


def test_a_job_that_is_waited_for_decides_the_exit_code(cli):
    with cli.start("submit", "s3://splatworks/uploads/fox/photos.zip", "--wait") as process:
        for line in process.stdout:
            if "Waiting for the operator" in line:
                cli.report("fox", succeeded())
    assert process.returncode == 0


def test_a_namespace_that_is_not_there_is_named(cli):
    ended = cli("submit", "s3://splatworks/captures/one", "-n", "nowhere", check=False)
    assert ended.code == 1
    assert "There is no namespace nowhere" in ended.err


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("train.maxStep=3", "spec.train.maxStep does not exist: did you mean maxSteps?"),
        ("train.maxSteps=-1", "spec.train.maxSteps can not be -1"),
        ("train.maxSteps", "write it as PATH=VALUE"),
    ],
)
def test_a_setting_that_can_not_be_is_wrong_usage(cli, setting, words):
    ended = cli.here("submit", "s3://splatworks/captures/one", "--set", setting, check=False)
    assert ended.code == 2
    assert words in ended.err
