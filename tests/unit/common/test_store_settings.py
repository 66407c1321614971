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
