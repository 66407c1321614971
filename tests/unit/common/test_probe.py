"""The health check of a container: one process, one question, an exit code."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent import futures
from http.server import BaseHTTPRequestHandler, HTTPServer

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from splatworks_common import probe

Status = health_pb2.HealthCheckResponse.ServingStatus


@pytest.fixture
def servicer() -> health.HealthServicer:
    return health.HealthServicer()


@pytest.fixture
def grpc_port(servicer: health.HealthServicer) -> Iterator[int]:
    server = grpc.server(futures.ThreadPoolExecutor(1))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None).wait()


@pytest.fixture
def http_port() -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/healthz" else 503)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_serving_grpc_server_is_well(grpc_port: int) -> None:
    assert probe.main([f"grpc://127.0.0.1:{grpc_port}"]) == 0


def test_a_grpc_server_that_drains_is_not_well(
    grpc_port: int, servicer: health.HealthServicer, capsys: pytest.CaptureFixture[str]
) -> None:
    servicer.set("", Status.NOT_SERVING)

    assert probe.main([f"grpc://127.0.0.1:{grpc_port}"]) == 1
    assert "NOT_SERVING" in capsys.readouterr().err


def test_a_grpc_server_that_is_gone_is_not_well(closed_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert probe.main([f"grpc://127.0.0.1:{closed_port}"]) == 1
    assert "UNAVAILABLE" in capsys.readouterr().err


def test_an_http_server_is_well_when_it_answers_with_success(http_port: int) -> None:
    assert probe.main([f"http://127.0.0.1:{http_port}/healthz"]) == 0


def test_an_http_server_that_answers_with_an_error_is_not_well(
    http_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert probe.main([f"http://127.0.0.1:{http_port}/readyz"]) == 1
    assert "503" in capsys.readouterr().err


def test_a_listener_is_well_when_it_takes_connections(http_port: int, closed_port: int) -> None:
    assert probe.main([f"tcp://127.0.0.1:{http_port}"]) == 0
    assert probe.main([f"tcp://127.0.0.1:{closed_port}"]) == 1


@pytest.mark.parametrize("url", ["127.0.0.1:1", "ftp://127.0.0.1:1", "grpc://127.0.0.1"])
def test_other_addresses_are_refused(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        probe.main([url])
    assert "must be grpc://host:port" in capsys.readouterr().err
