"""What every cluster command does: connect, work, and, where asked to, follow a job to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console

from splatworks_operator.cli.outcome import complain, run_until_signal
from splatworks_operator.cluster.target import Target
from splatworks_operator.status import Phase, StageState

if TYPE_CHECKING:
    from splatworks_operator.cluster.connection import Connection
    from splatworks_operator.cluster.jobs import SplatJobs

Result = TypeVar("Result")

ERRORS = Console(stderr=True)
"""Where what went wrong is said."""


def on_cluster(target: Target, work: Callable[[Connection], Coroutine[Any, Any, Result]]) -> Result:
    """Does ``work`` with a connection to the cluster; Ctrl-C and SIGTERM cancel it."""
    from splatworks_operator.cluster.connection import connect

    async def connected() -> Result:
        async with connect(target) as connection:
            return await work(connection)

    return run_until_signal(connected)


async def follow_job(jobs: SplatJobs, name: str, console: Console, seconds: float | None) -> bool:
    """Shows a job to its end; whether it succeeded.

    Raises:
        ClusterError: It did not end within ``seconds``.
    """
    from splatworks_operator import display
    from splatworks_operator.cluster.errors import ClusterError
    from splatworks_operator.cluster.watch import watch_one

    try:
        async with asyncio.timeout(seconds):
            job = await watch_one(jobs, name, console)
    except TimeoutError as error:
        raise ClusterError(
            f"{name} has not ended within {seconds:g} s and goes on: "
            f"'splatworks watch {name}' follows it again."
        ) from error
    status = job.status
    console.print()
    if any(stage.state is StageState.SUCCEEDED for stage in status.stages):
        console.print(display.summary(status))
    failed = status.failure
    if status.phase is Phase.SUCCEEDED:
        console.print(f"Results: {status.result.uri}", markup=False, highlight=False, soft_wrap=True)
        if status.result.viewer_url:
            console.print(
                f"Viewer:  {status.result.viewer_url}", markup=False, highlight=False, soft_wrap=True
            )
    elif failed is not None and failed.reason is not None:
        complain(ERRORS, failed.reason, failed.message)
        ERRORS.print(f"Logs: splatworks logs {name} --stage {failed.name}", markup=False, highlight=False)
    return status.phase is Phase.SUCCEEDED
