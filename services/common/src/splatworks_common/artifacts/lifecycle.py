"""``python -m splatworks_common.artifacts.lifecycle``: lets a bucket forget what nobody will come back for.

Two rules, known by their ids: unfinished uploads in parts are given up, and photos that were uploaded for one
job (``uploads/``) expire. Rules of other ids stay as they are. Artifacts of jobs are never touched: whether
they stay is each job's own policy, and the cache points into them.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable

import click
from minio.commonconfig import ENABLED, Filter
from minio.lifecycleconfig import AbortIncompleteMultipartUpload, Expiration, Rule

from splatworks_common import logs
from splatworks_common.artifacts.client import Client
from splatworks_common.artifacts.settings import StoreSettings
from splatworks_common.reasons import StageError

log = logging.getLogger(__name__)

ABORT, EXPIRE = "splatworks-abort-uploads", "splatworks-expire-uploads"
"""Ids of the rules that are this module's."""

UPLOADS = "uploads/"


def updated(rules: Iterable[Rule], *, abort_days: int, expire_days: int) -> list[Rule]:
    """The rules that a bucket should have.

    Args:
        rules: The ones it has.
        abort_days: After how many days an unfinished upload is given up.
        expire_days: After how many days uploaded photos are removed.
    """
    return [
        *(rule for rule in rules if rule.rule_id not in (ABORT, EXPIRE)),
        Rule(
            ENABLED,
            rule_filter=Filter(prefix=""),
            rule_id=ABORT,
            abort_incomplete_multipart_upload=AbortIncompleteMultipartUpload(abort_days),
        ),
        Rule(
            ENABLED,
            rule_filter=Filter(prefix=UPLOADS),
            rule_id=EXPIRE,
            expiration=Expiration(days=expire_days),
        ),
    ]


def apply(settings: StoreSettings, *, abort_days: int, expire_days: int) -> None:
    """Gives the settings' bucket the rules of ``updated``.

    Raises:
        StageError: The store refuses, or can not be reached.
    """
    with contextlib.closing(Client(settings, connections=1)) as client:
        rules = updated(client.lifecycle(settings.bucket), abort_days=abort_days, expire_days=expire_days)
        client.set_lifecycle(settings.bucket, rules)


@click.command(help="Sets Splatworks' lifecycle rules on the bucket that SPLATWORKS_STORE_BUCKET names.")
@click.option(
    "--abort-uploads-days",
    type=click.IntRange(1),
    required=True,
    help="Age of unfinished uploads to give up.",
)
@click.option(
    "--expire-uploads-days", type=click.IntRange(1), required=True, help="Age of uploaded photos to remove."
)
def main(abort_uploads_days: int, expire_uploads_days: int) -> None:
    """The entry point."""
    logs.configure("info")
    try:
        settings = StoreSettings.from_environment()
        apply(settings, abort_days=abort_uploads_days, expire_days=expire_uploads_days)
    except StageError as error:
        raise click.ClickException(str(error)) from error
    log.info("lifecycle rules are set", extra={"bucket": settings.bucket})


if __name__ == "__main__":
    main()
