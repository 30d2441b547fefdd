"""Worker processes and the machine they run on: how to start, talk to and end a worker.

`worker_process` is the parent's end, `serving` the worker's. Knows nothing of what workers do.
"""
