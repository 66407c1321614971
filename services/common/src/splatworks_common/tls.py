"""Certificates as PEM files that are replaced while the process runs.

``read_pem`` takes only what fits together: a certificate with its own key, and authorities that can be read.
``ServerCertificates`` serves a replacement from the next handshake on. A replacement that can not be used
(half written, another key's) is never served: the last good one stays, and the log says so once.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import grpc
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

log = logging.getLogger(__name__)


class UnusableCertificate(Exception):
    """A PEM file can not be read, or does not fit the others. The message names files, not their content."""


@dataclass(frozen=True)
class Pem:
    """What the files of one side of a TLS connection hold.

    Attributes:
        cert: The own certificate and its intermediates, or None.
        key: The private key of ``cert``, or None.
        ca: The authorities that the other side's certificate must come from, or None.
        expiry: Until when ``cert`` is valid, or None.
    """

    cert: bytes | None
    key: bytes | None = field(repr=False)
    ca: bytes | None
    expiry: datetime | None


def read_pem(*, cert: Path | None, key: Path | None, ca: Path | None) -> Pem:
    """Reads the files and checks that they belong together.

    Raises:
        UnusableCertificate: They can not be read, or do not.
    """
    if (cert is None) != (key is None):
        raise UnusableCertificate("a certificate and its private key are needed together")
    authorities = _authorities(ca) if ca else None
    if cert is None or key is None:
        return Pem(None, None, authorities, None)
    chain, secret = _read(cert), _read(key)
    leaf = _certificates(chain, cert)[0]
    try:
        fits = load_pem_private_key(secret, None).public_key() == leaf.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UnusableCertificate(f"{key} holds no private key in PEM without a passphrase") from error
    if not fits:
        raise UnusableCertificate(f"the private key in {key} is not that of the certificate in {cert}")
    return Pem(chain, secret, authorities, leaf.not_valid_after_utc)


@dataclass(frozen=True)
class ServerTls:
    """The files behind a server's TLS.

    Attributes:
        cert: Its certificate and intermediates.
        key: The certificate's private key.
        client_ca: Who signs clients' certificates; with it, a client without such a certificate gets no
            connection. None asks clients for none.
    """

    cert: Path
    key: Path
    client_ca: Path | None = None


class ServerCertificates:
    """A server's certificate, always the last usable one of its files.

    gRPC asks at every handshake, from threads of its own.
    """

    def __init__(self, files: ServerTls) -> None:
        """Reads the files for the first time.

        Raises:
            UnusableCertificate: They can not be used.
        """
        self._files = files
        self._lock = threading.Lock()
        self._current = self._served = self._read()
        self._complaint = ""

    def credentials(self) -> grpc.ServerCredentials:
        """The credentials for a gRPC listener."""
        with_client_certificate = self._files.client_ca is not None
        return grpc.dynamic_ssl_server_credentials(
            _configuration(self._current), cast(Any, self._replacement), with_client_certificate
        )

    def expiry(self) -> float:
        """Until when the certificate is valid that the next handshake gets; seconds since the epoch."""
        with self._lock:
            self._refresh()
            assert self._current.expiry is not None
            return self._current.expiry.timestamp()

    def _replacement(self) -> grpc.ServerCertificateConfiguration | None:
        """What to serve instead of what is served, if anything; raises nothing, as gRPC demands."""
        with self._lock:
            self._refresh()
            if self._current == self._served:
                return None
            self._served = self._current
            return _configuration(self._current)

    def _refresh(self) -> None:
        try:
            found = self._read()
        except UnusableCertificate as error:
            if str(error) != self._complaint:
                log.error("the replaced certificate is not used, the last one stays: %s", error)
            self._complaint = str(error)
            return
        self._complaint = ""
        if found != self._current:
            log.info("the certificate was replaced", extra={"expiry": str(found.expiry)})
            self._current = found

    def _read(self) -> Pem:
        return read_pem(cert=self._files.cert, key=self._files.key, ca=self._files.client_ca)


def _configuration(pem: Pem) -> grpc.ServerCertificateConfiguration:
    assert pem.key is not None
    assert pem.cert is not None
    return grpc.ssl_server_certificate_configuration([(pem.key, pem.cert)], pem.ca)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnusableCertificate(f"{path} can not be read: {error.strerror}") from error


def _authorities(path: Path) -> bytes:
    content = _read(path)
    _certificates(content, path)
    return content


def _certificates(content: bytes, path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise UnusableCertificate(f"{path} holds no certificate in PEM") from error
