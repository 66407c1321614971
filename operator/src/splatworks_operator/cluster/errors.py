"""What can go wrong between a person and their cluster. A message says what, where, and what to do."""

from __future__ import annotations


class ClusterError(Exception):
    """A command could not do what it was asked."""


class WrongUsage(ClusterError):
    """What was asked makes no sense, whatever the cluster says."""


class ClusterUnreachable(ClusterError):
    """The API server gave no usable answer; it may the next time."""


class NotFound(ClusterError):
    """What was asked for is not there."""


class Forbidden(ClusterError):
    """The cluster knows who asks, and says no."""
