"""Until when the operator's own certificate is valid, with which it calls the workers."""

from __future__ import annotations

import math

from splatworks_common.tls import UnusableCertificate, read_pem
from splatworks_operator.kube.config import TlsFiles


class OwnCertificate:
    """The last usable certificate of its files, as ``operations.channels`` uses it."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._expiry = math.nan

    def expiry(self) -> float:
        """When it ends, in seconds since the epoch; not a number where none was usable yet."""
        try:
            found = read_pem(cert=self._files.cert, key=self._files.key, ca=self._files.ca)
        except UnusableCertificate:  # in the middle of being replaced; the calls say what lasts
            return self._expiry
        assert found.expiry is not None, "there is a certificate"
        self._expiry = found.expiry.timestamp()
        return self._expiry
