"""What a job has made and what its workers wrote: download and logs."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from splatworks_common.artifacts.manifest import Manifest
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.uri import S3Uri
from tests.integration.operator_cli.conftest import Cli, running, succeeded

pytestmark = pytest.mark.kube


@pytest.fixture
def finished(cli: Cli, fox: object, object_store: StoreSettings, tmp_path: Path) -> tuple[Cli, S3Uri]:
    """A command that knows the store, and where its job fox has a compressed scene."""
    uri = S3Uri(object_store.bucket, f"jobs/{uuid.uuid4()}")
    made = tmp_path / "made"
    made.mkdir()
    (made / "scene.sog").write_bytes(b"scene")
    with ArtifactStore(object_store) as store:
        files = store.upload_directory(made, uri / "compressed")
        store.commit(
            Manifest(
                stage="compressor",
                stage_version="1",
                input_digest="0" * 64,
                files=files,
                created=datetime.now(UTC),
                seconds=1.0,
                metrics={},
            ),
            uri / "compressed",
        )
    cli.report("fox", succeeded(str(uri)))
    return replace(cli, environment=object_store.environment()), uri


def test_the_compressed_scene_is_downloaded(finished, tmp_path):
    cli, _ = finished
    ended = cli.here("download", "fox", "-o", tmp_path / "out")
    assert ended.out.strip() == str(tmp_path / "out" / "compressed")
    assert (tmp_path / "out" / "compressed" / "scene.sog").read_bytes() == b"scene"


def test_a_file_that_was_changed_in_the_store_is_not_taken(finished, object_store, tmp_path):
    cli, uri = finished
    with ArtifactStore(object_store) as store:
        store.put_bytes(uri / "compressed/scene.sog", b"other")
    ended = cli.here("download", "fox", "-o", tmp_path / "out", check=False)
    assert ended.code == 1
    assert "scene.sog" in ended.err
    assert not (tmp_path / "out" / "compressed").exists()


def test_results_that_were_deleted_are_said_to_be(finished, tmp_path):
    cli, uri = finished
    ended = cli.here("download", "fox", "--stage", "train", "-o", tmp_path / "out", check=False)
    assert ended.code == 1
    assert f"{uri}/gaussian any more" in ended.err


def test_a_stage_that_has_not_finished_has_no_results(cli, fox, object_store, tmp_path):
    cli.report("fox", running())
    stored = replace(cli, environment=object_store.environment())
    ended = stored.here("download", "fox", "-o", tmp_path / "out", check=False)
    assert ended.code == 1
    assert "the stage is Pending" in ended.err


def test_the_log_of_a_pod_that_is_gone_is_said_to_be_gone(cli, fox):
    cli.report("fox", running())
    ended = cli.here("logs", "fox", check=False)
    assert ended.code == 1
    assert "The pod splatworks-sfm-0 that ran sfm is gone, and its log with it." in ended.err
