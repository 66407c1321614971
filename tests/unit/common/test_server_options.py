"""Which flags go together: nothing beyond loopback without TLS and an identity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from splatworks_common.server_options import Security, ServerSettings, security, server_options
from splatworks_common.tls import ServerTls

CERT = {"tls_cert": Path("tls.crt"), "tls_key": Path("tls.key")}
NAMES = {"tls_client_ca": Path("ca.crt"), "allowed_san": ("operator.test.svc",)}
TOKEN = {"auth_token_file": Path("token")}


def settings(**given: Any) -> ServerSettings:
    """The options' defaults, and what is given."""
    context = click.Command("server", params=list(server_options())).make_context("server", [])
    return ServerSettings(**{**context.params, **given})


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "[::1]:50051", "localhost:0"])
def test_loopback_needs_nothing(listen: str) -> None:
    assert security(settings(listen=listen)) is None


@pytest.mark.parametrize("identity", [NAMES, TOKEN, {**NAMES, **TOKEN}])
@pytest.mark.parametrize("listen", ["0.0.0.0:50051", "127.0.0.1:0"])
def test_a_certificate_and_an_identity_are_enough_anywhere(listen: str, identity: dict[str, Any]) -> None:
    given = settings(listen=listen, **CERT, **identity)

    assert security(given) == Security(
        ServerTls(Path("tls.crt"), Path("tls.key"), identity.get("tls_client_ca")),
        frozenset(identity.get("allowed_san", ())),
        identity.get("auth_token_file"),
    )


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "--tls-cert, --tls-key, --tls-client-ca with --allowed-san (or --auth-token-file)"),
        (CERT, "--tls-client-ca with --allowed-san (or --auth-token-file)"),
        ({**CERT, "tls_client_ca": Path("ca.crt")}, "--allowed-san (or --auth-token-file)"),
        ({**CERT, "allowed_san": ("operator.test.svc",)}, "--tls-client-ca"),
        (TOKEN, "--tls-cert, --tls-key"),
        (NAMES, "--tls-cert, --tls-key"),
        ({**NAMES, "tls_key": Path("tls.key")}, "--tls-cert"),
        ({**NAMES, "tls_cert": Path("tls.crt")}, "--tls-key"),
    ],
)
def test_missing_flags_are_named_beyond_loopback(given: dict[str, Any], missing: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        security(settings(listen="0.0.0.0:50051", **given))

    assert caught.value.message == f"0.0.0.0:50051 leaves this machine; missing: {missing}."


@pytest.mark.parametrize("given", [CERT, TOKEN, NAMES, {"tls_cert": Path("tls.crt")}])
def test_half_of_the_flags_is_refused_on_loopback_too(given: dict[str, Any]) -> None:
    with pytest.raises(click.UsageError, match="used only together; missing: --"):
        security(settings(listen="127.0.0.1:0", **given))


def test_several_names_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPLATWORKS_ALLOWED_SAN", "operator.test.svc spiffe://test/operator")
    command = click.Command("server", params=list(server_options()))
    context = command.make_context("server", [], auto_envvar_prefix="SPLATWORKS")

    assert context.params["allowed_san"] == ("operator.test.svc", "spiffe://test/operator")


@pytest.mark.parametrize(
    "name", ["TLS_CERT", "TLS_CLIENT_CA", "AUTH_TOKEN_FILE", "HEALTH_LISTEN", "ALLOWED_SAN"]
)
def test_an_empty_variable_is_an_absent_flag(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"SPLATWORKS_{name}", "")
    command = click.Command("server", params=list(server_options()))
    context = command.make_context("server", [], auto_envvar_prefix="SPLATWORKS")

    assert not context.params[name.lower()]


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(click.UsageError, match="write host:port"):
        security(settings(listen="nonsense"))
