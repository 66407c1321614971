"""Says at the end of every run what was skipped and why, one line a reason.

pytest's own short summary lists skips by file and line; a person wants to know what this machine lacks.
"""

from __future__ import annotations

from collections import Counter

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    terminalreporter.section("skipped and why")
    if not skipped:
        terminalreporter.line("nothing was skipped")
    reasons = Counter(_reason(report) for report in skipped)
    for reason, count in sorted(reasons.items()):
        terminalreporter.line(f"{count:4d}  {reason}")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The words given to ``pytest.skip`` or ``skipif``."""
    if isinstance(report.longrepr, tuple):  # (path, line, "Skipped: words")
        return report.longrepr[2].removeprefix("Skipped: ")
    return str(report.longrepr)
