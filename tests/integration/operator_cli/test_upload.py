"""``splatworks upload``: photos become objects; no cluster is needed."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.artifacts.store import ArtifactStore
from splatworks_common.artifacts.uri import S3Uri
from splatworks_operator.cli.app import app
from tests.integration.operator_cli.conftest import Ended

Upload = Callable[..., Ended]


@pytest.fixture
def upload(object_store: StoreSettings) -> Upload:
    """The command, with the store in its environment and no cluster anywhere."""

    def run(*words: object) -> Ended:
        environment = {"KUBECONFIG": "/nowhere", **object_store.environment()}
        done = CliRunner().invoke(app, ["upload", *(str(word) for word in words)], env=environment)
        return Ended(done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture
def stored(object_store: StoreSettings, prefix: S3Uri) -> Callable[[], dict[str, bytes]]:
    """What lies beneath the test's prefix, by its name there."""

    def read() -> dict[str, bytes]:
        with ArtifactStore(object_store) as store:
            return {
                entry.key.removeprefix(prefix.prefix): store.get_bytes(store.uri(entry.key))
                for entry in store.list_objects(prefix)
            }

    return read


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of two photos, and what else lies about in such folders."""
    folder = tmp_path / "garden"
    (folder / "day 2").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(b"first")
    (folder / "day 2" / "b (1).jpg").write_bytes(b"second")
    (folder / ".DS_Store").write_bytes(b"junk")
    (folder / "notes.txt").write_bytes(b"notes")
    return folder


def test_the_photos_of_a_folder_are_objects_under_portable_names(upload, stored, photos, prefix):
    ended = upload(photos, f"{prefix}/")
    assert ended.code == 0
    assert stored() == {"a.jpg": b"first", "day_2/b_1.jpg": b"second"}
    assert f"Uploaded 2 photos (0.0 MB) to {prefix}/, 1 under another name" in ended.out
    assert f"splatworks submit {prefix}/" in ended.out


def test_the_photos_of_a_zip_are_objects_too(upload, stored, photos, prefix, tmp_path):
    with zipfile.ZipFile(tmp_path / "garden.zip", "w") as archive:
        for path in photos.rglob("*"):
            archive.write(path, path.relative_to(photos))
        archive.writestr("__MACOSX/._a.jpg", b"junk")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.jpg", b"again")
        archive.writestr("c.jpg", b"third")
    assert upload(tmp_path / "garden.zip", prefix).code == 0
    assert stored() == {"a.jpg": b"again", "c.jpg": b"third", "day_2/b_1.jpg": b"second"}


def test_nothing_is_replaced_unless_it_is_said(upload, stored, photos, prefix):
    upload(photos, prefix)
    (photos / "a.jpg").write_bytes(b"another")
    (photos / "c.jpg").write_bytes(b"third")
    ended = upload(photos, prefix)
    assert ended.code == 1
    assert f"2 of 3 photos are at {prefix}/ already, such as a.jpg" in ended.err
    assert stored() == {"a.jpg": b"first", "day_2/b_1.jpg": b"second"}


def test_overwriting_replaces_photos_of_the_same_names_and_leaves_others(upload, stored, photos, prefix):
    upload(photos, prefix)
    (photos / "day 2" / "b (1).jpg").unlink()
    (photos / "a.jpg").write_bytes(b"another")
    assert upload(photos, prefix, "--overwrite").code == 0
    assert stored() == {"a.jpg": b"another", "day_2/b_1.jpg": b"second"}


def test_what_can_not_be_uploaded_is_said(upload, stored, prefix, tmp_path):
    empty, broken = tmp_path / "empty", tmp_path / "broken.zip"
    empty.mkdir()
    broken.write_bytes(b"no zip")
    assert "There are no photos in" in upload(empty, prefix).err
    assert f"{broken} can not be read" in upload(broken, prefix).err
    assert "is neither a folder" in upload(__file__, prefix).err
    assert "InputNotFound" in upload(tmp_path / "nowhere", prefix).err
    assert stored() == {}


@pytest.mark.parametrize(
    ("address", "code", "words"),
    [
        ("s3://splatworks/", 2, "whole bucket"),
        ("/photos", 1, "write s3://bucket/prefix"),
        ("s3://splatworks/a b", 1, "not portable"),
    ],
)
def test_an_address_that_is_no_prefix_is_refused(upload, photos, address, code, words):
    ended = upload(photos, address)
    assert ended.code == code
    assert words in ended.err
