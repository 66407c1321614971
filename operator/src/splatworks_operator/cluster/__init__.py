"""The cluster's side of the ``splatworks`` command: SplatJobs made, shown, watched, changed and fetched.

``connection`` speaks to the API server and ``store_access`` to the object store; each other module is one
command or what several of them share. Nothing here decides what happens to a job: that is the operator's.
"""
