"""Talking to processes on loopback: a port nobody has, and what an HTTP endpoint answers."""

from __future__ import annotations

import socket
import urllib.request
from urllib.error import HTTPError


def get(url: str) -> tuple[int, str]:
    """Status and text of the answer, of whatever status; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
