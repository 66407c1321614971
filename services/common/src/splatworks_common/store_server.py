r"""``splatworks-store``: the embedded store as a server of its own, for a cluster that has no other.

    splatworks-store --listen 0.0.0.0:8333 --data /data --bucket splatworks \
        --access-key-file /keys/access-key --secret-key-file /keys/secret-key \
        --tls-cert /tls/tls.crt --tls-key /tls/tls.key

SeaweedFS itself stays on loopback with all of its ports; only S3, where every request is signed, is forwarded
to ``--listen``, and beyond this machine only over TLS. The listener opens once objects can be written. The
process ends in order on SIGTERM and SIGINT, and with an error as soon as SeaweedFS has ended by itself.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from pathlib import Path
from urllib.parse import urlsplit

import click

from splatworks_common import logs
from splatworks_common.addresses import Address
from splatworks_common.embedded_store import EmbeddedStore, Keys
from splatworks_common.reasons import StageError
from splatworks_common.server_options import listen_address
from splatworks_common.tls import UnusableCertificate
from splatworks_common.tls_forwarder import Certificate, forwarding

log = logging.getLogger(__name__)

_WATCH_SECONDS = 0.5
"""Between two looks at whether SeaweedFS still runs."""

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(
    context_settings={"auto_envvar_prefix": "SPLATWORKS_STORE", "show_default": True},
    help="Serves an S3 store for trials: one process, one folder, no replicas.",
)
@click.option("--listen", default="127.0.0.1:8333", show_envvar=True, help="Address of the S3 server.")
@click.option(
    "--data",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    show_envvar=True,
    help="Folder of the objects; made if missing.",
)
@click.option("--bucket", default="splatworks", show_envvar=True, help="Bucket that exists from the start.")
@click.option(
    "--access-key-file", required=True, type=_FILE, show_envvar=True, help="File with the access key."
)
@click.option(
    "--secret-key-file", required=True, type=_FILE, show_envvar=True, help="File with the secret key."
)
@click.option(
    "--tls-cert", type=_FILE, show_envvar=True, help="Certificate in PEM; read again when replaced."
)
@click.option("--tls-key", type=_FILE, show_envvar=True, help="Private key of the certificate, in PEM.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_envvar=True,
    help="Least severe log lines to write.",
)
def main(
    listen: str,
    data: Path,
    bucket: str,
    access_key_file: Path,
    secret_key_file: Path,
    tls_cert: Path | None,
    tls_key: Path | None,
    log_level: str,
) -> None:
    """The entry point ``splatworks-store``."""
    logs.configure(log_level)
    address = listen_address(listen)
    certificate = _certificate(address, tls_cert, tls_key)
    keys = Keys(_content(access_key_file), _content(secret_key_file))
    try:
        with EmbeddedStore(data, bucket=bucket, keys=keys) as store:
            asyncio.run(_serve(store, address, certificate))
    except StageError as error:
        raise click.ClickException(str(error)) from error


async def _serve(store: EmbeddedStore, listen: Address, certificate: Certificate | None) -> None:
    """Forwards to the store until a signal asks to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    inside = urlsplit(store.settings.url)
    assert inside.hostname
    assert inside.port
    try:
        async with forwarding(listen, Address(inside.hostname, inside.port), certificate) as bound:
            log.info("listening for s3", extra={"address": str(bound)})
            while not stop.is_set():
                if not store.alive:
                    raise click.ClickException(
                        "SeaweedFS has ended by itself; its log is logs/weed.out in the data folder"
                    )
                try:
                    await asyncio.wait_for(stop.wait(), _WATCH_SECONDS)
                except TimeoutError:
                    continue
    except OSError as error:
        raise click.ClickException(f"Can not listen on {listen}: {error.strerror}") from error
    log.info("stopping")


def _certificate(listen: Address, cert: Path | None, key: Path | None) -> Certificate | None:
    if cert is None and key is None and listen.loopback:
        return None
    if cert is None or key is None:
        missing = ", ".join(flag for flag, file in (("--tls-cert", cert), ("--tls-key", key)) if file is None)
        why = "are used only together" if listen.loopback else f"are needed: {listen} leaves this machine"
        raise click.UsageError(f"a certificate and its key {why}; missing: {missing}.")
    try:
        return Certificate(cert, key)
    except UnusableCertificate as error:
        raise click.ClickException(f"Can not start: {error}.") from error


def _content(file: Path) -> str:
    try:
        content = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        # The exception's own text may hold what was read.
        raise click.ClickException(f"{file} can not be read ({type(error).__name__}).") from None
    if not content:
        raise click.ClickException(f"{file} is empty; it must hold one key.")
    return content


if __name__ == "__main__":
    main()
