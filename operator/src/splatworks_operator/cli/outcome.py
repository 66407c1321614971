"""How commands end: the exit codes, and the sentence on stderr that goes with each."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import typer
from rich.console import Console

from splatworks_common.reasons import Reason, StageError

FAILED = 1
USAGE = 2
INTERRUPTED = 130
"""The exit code shells expect after Ctrl-C."""

Result = TypeVar("Result")


def complain(errors: Console, label: str, message: str) -> None:
    """Says what went wrong."""
    errors.print(f"[red]{label}[/red]: ", end="")
    errors.print(message, markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def told(errors: Console, *, stopped: str = "Stopped.") -> Iterator[None]:
    """Turns what a command may raise into a sentence and an exit code."""
    from splatworks_operator.cluster.errors import ClusterError, WrongUsage

    try:
        yield
    except StageError as error:
        complain(errors, error.reason, str(error))
        raise typer.Exit(FAILED) from error
    except WrongUsage as error:
        complain(errors, "Error", str(error))
        raise typer.Exit(USAGE) from error
    except ClusterError as error:
        complain(errors, "Error", str(error))
        raise typer.Exit(FAILED) from error
    except BrokenPipeError as error:  # whoever read has had enough, such as head
        raise typer.Exit(FAILED) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        complain(errors, Reason.INPUT_INVALID, f"{where}{error.strerror or error}")
        raise typer.Exit(FAILED) from error
    except asyncio.CancelledError:
        errors.print(stopped, markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None


def run_until_signal(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Runs ``work``; Ctrl-C and SIGTERM cancel it, so that it can clean up.

    Raises:
        CancelledError: It was cancelled.
    """

    async def cancellable() -> Result:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        return await work()

    return asyncio.run(cancellable())
