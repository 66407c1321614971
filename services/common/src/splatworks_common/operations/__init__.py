"""Long-running operations (AIP-151): the work of a stage in a child process, and its state in the server.

``registry`` owns the operations of one server and their slots; ``child`` starts, watches and kills the
process that does the work; ``child_main`` is that process; ``servicer`` and ``client`` are the two gRPC
faces.
"""
