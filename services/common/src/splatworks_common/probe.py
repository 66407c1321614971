"""Asks a server of this container whether it is well: for containers' health checks.

    python -m splatworks_common.probe grpc://127.0.0.1:50052
    python -m splatworks_common.probe http://127.0.0.1:8080/healthz
    python -m splatworks_common.probe tcp://127.0.0.1:8333

Exits with 0 where the server says so within a few seconds (``tcp`` only connects), and otherwise with 1 and a
sentence on stderr. Kubernetes probes by itself and needs none of this.
"""

from __future__ import annotations

import argparse
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

_SECONDS = 4.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m splatworks_common.probe")
    parser.add_argument("url", help="grpc://host:port, http://host:port/path or tcp://host:port")
    url = urlsplit(parser.parse_args(arguments).url)
    if url.scheme not in _PROBES or not url.port:
        parser.error("the address must be grpc://host:port, http://host:port/path or tcp://host:port")
    trouble = _PROBES[url.scheme](url)
    if trouble:
        print(f"{url.geturl()}: {trouble}", file=sys.stderr)
        return 1
    return 0


def _grpc(url: SplitResult) -> str:
    """What is wrong with a gRPC server, by grpc.health.v1; nothing is the empty text."""
    with grpc.insecure_channel(url.netloc) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=_SECONDS
            )
        except grpc.RpcError as error:
            return str(error.code().name)
    status = health_pb2.HealthCheckResponse.ServingStatus
    return "" if answer.status == status.SERVING else status.Name(answer.status)


def _http(url: SplitResult) -> str:
    """What is wrong with an HTTP server: anything but an answer of 2xx."""
    try:
        with urllib.request.urlopen(url.geturl(), timeout=_SECONDS):
            return ""
    except (OSError, urllib.error.URLError) as error:
        return str(error)


def _tcp(url: SplitResult) -> str:
    """What is wrong with a listener: it takes no connection."""
    try:
        with socket.create_connection((str(url.hostname), url.port or 0), _SECONDS):
            return ""
    except OSError as error:
        return str(error)


_PROBES = {"grpc": _grpc, "http": _http, "tcp": _tcp}

if __name__ == "__main__":
    sys.exit(main())
