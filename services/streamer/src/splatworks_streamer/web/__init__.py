"""The HTTP face: pages, the viewer's files, and scene files out of the object store.

- ``app``: ``create_app``, the Starlette application.
- ``serving``: ``serve``, which runs an application in the event loop of the caller.
- ``pages``, ``static``, ``scene_files``: the three kinds of answers.
- ``ranges``, ``validators``, ``encodings``, ``headers``: the parts of HTTP that those need.
"""
