"""The ``splatworks`` command, which is also the kubectl plugin ``kubectl splat``.

Thin: a command parses, calls what does the work, and turns errors into sentences and exit codes. People wait
for ``--help``, so a command imports what it works with when it runs, not before.
"""

from splatworks_operator.cli.app import main

__all__ = ["main"]
