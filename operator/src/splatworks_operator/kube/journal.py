"""The operator's log of jobs: one line a transition, with what programs search for as fields.

What a line says is what the job's event says, and so holds no secret.
"""

from __future__ import annotations

import logging

from splatworks_operator.explain import events
from splatworks_operator.job import Job
from splatworks_operator.status import JobStatus

log = logging.getLogger(__name__)


class Journal:
    """Writes the lines."""

    def written(self, job: Job, old: JobStatus, new: JobStatus) -> None:
        """Logs what happened between two statuses; nothing for mere progress."""
        for event in events(old, new):
            level = logging.WARNING if event.type == "Warning" else logging.INFO
            log.log(level, "%s", event.message, extra=_fields(job, new, event.reason))


def _fields(job: Job, status: JobStatus, transition: str) -> dict[str, object]:
    fields: dict[str, object] = {"namespace": job.namespace, "job": job.name, "transition": transition}
    stage = status.current
    if stage is None:
        return fields
    fields |= {"stage": stage.name.value, "attempt": stage.attempt}
    if stage.worker is not None:
        fields["worker"] = stage.worker.name
    if stage.reason is not None:
        fields["reason"] = stage.reason.value
    return fields
