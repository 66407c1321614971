"""The driver for a cluster: SplatJob resources taken through the pipeline on the workers' pods.

Thin adapters: what happens next is decided by ``pipeline.reconcile``, who gets a worker by
``queueing.assign``. ``driver`` and everything it uses know neither kopf nor a cluster; ``handlers`` connects
it to kopf, ``main`` is the process.
"""
