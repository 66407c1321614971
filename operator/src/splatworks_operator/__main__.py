"""``python -m splatworks_operator`` is the ``splatworks`` command."""

from splatworks_operator.cli import main

main()
