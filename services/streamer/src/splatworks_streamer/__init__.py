"""Publishes Gaussian-splat scenes and serves them, with a self-hosted viewer, to browsers."""
