"""Splatworks trainer: a COLMAP model and its photos in, 3D Gaussians out.

``train.train`` is the entry point; it reads like the recipe. Everything here takes paths and arrays and
returns values: no gRPC, no object store, no logger. Time is read for the ``seconds`` in the outputs and
decides nothing.
"""
