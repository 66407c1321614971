"""Writing a file so that nobody ever sees half of it.

The bytes go to a hidden file beside the target, which is renamed over it when the block ends well and removed
when it does not. Nothing is flushed to the disk: this guards against readers and crashes of the process, not
against a power cut.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Opens a new file that takes the name ``path`` only when the block ends without an exception.

    Example:
        >>> with atomic_write(Path("model.ply")) as file:
        ...     file.write(b"ply")

    Raises:
        OSError: The folder is missing, full, or not writable.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with temporary.open("xb") as file:
            yield file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
