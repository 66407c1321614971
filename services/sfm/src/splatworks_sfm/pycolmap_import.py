"""The one place pycolmap is imported; every other module takes it from here.

The pycolmap wheel exports its own static copies of zlib, libpng, libjpeg, sqlite and OpenSSL. A system
library that is loaded after it binds to those copies and corrupts the heap at first use (``zlib.compress``
aborts the process), so the extension modules that link them are loaded first: the order of the imports below
must stay.

COLMAP aborts the process on some failures, and opens no database that another connection of the same process
holds while it extracts or matches. So: the stage runs in a child process, and ``pycolmap.Database`` is only
open between such calls.
"""

# isort: off
import sqlite3 as _sqlite3  # noqa: F401
import ssl as _ssl  # noqa: F401
import zlib as _zlib  # noqa: F401

import PIL.Image as _Image  # noqa: F401

import pycolmap
# isort: on

__all__ = ["pycolmap"]

# Warnings and errors only: a few hundred lines for each photo say nothing about what went wrong.
pycolmap.logging.minloglevel = pycolmap.logging.Level.WARNING.value
