"""JSON logs, one object a line on stderr, with the request id and the stage where there is one.

``log.info("...", extra={"request_id": ..., "stage": ...})`` is all that callers need.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

_CONTEXT = (
    *("namespace", "job", "transition", "request_id", "stage", "attempt", "worker", "reason"),
    *("operation", "outcome", "seconds", "address", "expiry"),
)
"""The attributes of a record that are written when present."""


class JsonFormatter(logging.Formatter):
    """One JSON object a record: time, level, logger, message, context, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a JSON object."""
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields |= {name: getattr(record, name) for name in _CONTEXT if hasattr(record, name)}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str)


def configure(level: str) -> None:
    """Sends every log of this process to stderr as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
