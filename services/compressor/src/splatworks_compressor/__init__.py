"""Gaussians in, a scene small enough for a browser out: SOG v2 with its measured loss."""
