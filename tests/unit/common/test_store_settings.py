"""Store settings: through the environment and back, and never a secret in sight."""

from __future__ import annotations

from pathlib import Path

import pytest

from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.reasons import InputInvalid

SETTINGS = StoreSettings(
    url="https://store.example:9000",
    access_key="visible-to-nobody",
    secret_key="hidden-from-all",
    bucket="scenes",
    region="eu-west-1",
    ca_file=Path("/etc/ca.pem"),
    sse="KMS:alias/scenes",
)


def test_settings_travel_through_the_environment() -> None:
    assert StoreSettings.from_environment(SETTINGS.environment()) == SETTINGS


def test_only_url_and_keys_are_needed() -> None:
    settings = StoreSettings.from_environment(
        {
            "SPLATWORKS_STORE_URL": "http://127.0.0.1:9000",
            "SPLATWORKS_STORE_ACCESS_KEY": "a",
            "SPLATWORKS_STORE_SECRET_KEY": "b",
        }
    )

    assert (settings.bucket, settings.region, settings.ca_file) == ("splatworks", "us-east-1", None)


@pytest.fixture
def key_files(tmp_path: Path) -> dict[str, str]:
    """An environment whose keys are in files."""
    (tmp_path / "access").write_text("from-a-file\n")
    (tmp_path / "secret").write_text("hidden-in-a-file\n")
    return {
        "SPLATWORKS_STORE_URL": "http://127.0.0.1:9000",
        "SPLATWORKS_STORE_ACCESS_KEY_FILE": str(tmp_path / "access"),
        "SPLATWORKS_STORE_SECRET_KEY_FILE": str(tmp_path / "secret"),
    }


def test_keys_may_be_in_files(key_files: dict[str, str]) -> None:
    settings = StoreSettings.from_environment(key_files)

    assert (settings.access_key, settings.secret_key) == ("from-a-file", "hidden-in-a-file")


def test_a_child_has_the_keys_themselves_whatever_became_of_the_files(key_files: dict[str, str]) -> None:
    settings = StoreSettings.from_environment(key_files)
    Path(key_files["SPLATWORKS_STORE_SECRET_KEY_FILE"]).unlink()

    assert StoreSettings.from_environment({**key_files, **settings.environment()}) == settings


def test_a_key_file_that_can_not_be_read_is_named(key_files: dict[str, str]) -> None:
    Path(key_files["SPLATWORKS_STORE_SECRET_KEY_FILE"]).unlink()

    with pytest.raises(InputInvalid, match=r"secret can not be read .*SPLATWORKS_STORE_SECRET_KEY_FILE"):
        StoreSettings.from_environment(key_files)


def test_an_empty_key_file_is_a_missing_key(key_files: dict[str, str]) -> None:
    Path(key_files["SPLATWORKS_STORE_SECRET_KEY_FILE"]).write_text("\n")

    with pytest.raises(InputInvalid, match="SPLATWORKS_STORE_SECRET_KEY missing"):
        StoreSettings.from_environment(key_files)


@pytest.mark.parametrize("sse", ["", "S3", "KMS:key-id", "KMS:arn:aws:kms:eu-west-1:1:key/2"])
def test_these_are_ways_to_encrypt(sse: str) -> None:
    assert StoreSettings(url="https://store", access_key="a", secret_key="b", sse=sse).sse == sse


@pytest.mark.parametrize("sse", ["AES256", "s3", "KMS", "KMS:", "S3:key"])
def test_other_ways_to_encrypt_are_refused(sse: str) -> None:
    with pytest.raises(InputInvalid, match="S3, KMS:key-id or nothing"):
        StoreSettings(url="https://store", access_key="a", secret_key="b", sse=sse)


def test_a_kms_key_needs_https() -> None:
    with pytest.raises(InputInvalid, match="https only"):
        StoreSettings(url="http://store", access_key="a", secret_key="b", sse="KMS:key-id")


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(InputInvalid, match="SPLATWORKS_STORE_SECRET_KEY missing"):
        StoreSettings.from_environment(
            {"SPLATWORKS_STORE_URL": "http://127.0.0.1:9000", "SPLATWORKS_STORE_ACCESS_KEY": "a"}
        )


@pytest.mark.parametrize("shown", [repr(SETTINGS), str(SETTINGS)])
def test_no_key_is_shown(shown: str) -> None:
    assert "nobody" not in shown
    assert "hidden" not in shown


@pytest.mark.parametrize(
    "url",
    [
        "",
        "store:9000",
        "ftp://store",
        "http://",
        "http://store/bucket",
        "http://store?x=1",
        "http://a:b@store",
    ],
)
def test_a_url_with_less_or_more_than_host_and_port_is_refused(url: str) -> None:
    with pytest.raises(InputInvalid) as caught:
        StoreSettings(url=url, access_key="a", secret_key="hidden")

    assert "a:b" not in str(caught.value)
