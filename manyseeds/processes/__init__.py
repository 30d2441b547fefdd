"""Worker processes and the machine they run on: how to start, talk to and end a worker.

`worker_process` is the parent's end, `serving` the worker's. Nothing here depends on the work that
a worker does.
"""
