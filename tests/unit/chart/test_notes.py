"""What a person reads after an install: commands that work as they stand."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import typer

from splatworks_operator.cli.app import app
from tests.unit.chart.rendering import BUCKETS, EXAMPLES, EXTERNAL_STORE, Chart

AUTHORITY = "export SPLATWORKS_STORE_CA_FILE=store-ca.crt"


def commands(notes: str) -> dict[str, dict[str, Any]]:
    """The ``splatworks`` commands in the notes, as the real command reads them."""
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    found = [shlex.split(line) for line in re.findall(r"^  splatworks (.+)$", notes, re.MULTILINE)]
    return {name: dict(known[name].make_context(name, list(words)).params) for name, *words in found}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_tells_how_to_submit_and_upload(chart: Chart, example):
    assert set(commands(chart.notes(example))) == {"submit", "upload"}


def test_the_embedded_store_needs_a_forwarded_port_and_one_secret(chart: Chart):
    notes = chart.notes()
    assert "kubectl -n demo port-forward service/splatworks-store 8333" in notes
    for read in commands(notes).values():
        assert read["store_url"] == "https://127.0.0.1:8333"
        assert read["store_secret"] == "demo/splatworks-store-keys"
    assert AUTHORITY not in notes


@pytest.mark.parametrize(
    ("values", "secret"),
    [
        ({"tls": {"mode": "certManager"}}, "splatworks-store-tls"),
        ({"store": {"existingSecret": "mine"}}, "splatworks-store-tls"),
        (
            {
                "store": {
                    **EXTERNAL_STORE["store"],
                    "external": {"url": "https://minio.minio.svc:9000", "caSecret": "minio-ca"},
                }
            },
            "minio-ca",
        ),
    ],
)
def test_an_authority_that_is_elsewhere_is_fetched(chart: Chart, values: dict[str, Any], secret: str):
    notes = chart.notes(**values)
    assert f"kubectl -n demo get secret {secret} -o jsonpath='{{.data.ca\\.crt}}'" in notes
    assert AUTHORITY in notes


def test_an_external_store_is_reached_as_it_is(chart: Chart):
    notes = chart.notes(**EXTERNAL_STORE)
    assert "8333" not in notes
    assert commands(notes)["upload"]["store_url"] == "https://s3.example.com"


@pytest.mark.parametrize(
    ("namespaces", "warned"),
    [(["demo"], True), ([], True), (["team-a", "demo"], True), (["team-a"], False)],
)
def test_jobs_next_to_the_releases_secrets_are_warned_of(chart: Chart, namespaces: list[str], warned: bool):
    notes = chart.notes(operator={"watchNamespaces": namespaces, "buckets": [BUCKETS]})
    assert ("can also read this release's Secrets" in notes) == warned


def test_the_test_of_the_release_is_said_to_clean_up(chart: Chart):
    assert "It submits the SplatJob splatworks-test and deletes it at the end." in chart.notes()
