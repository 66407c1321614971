"""The local driver of the pipeline: an object store and four services as child processes on loopback."""
