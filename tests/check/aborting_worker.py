"""A worker that prints its argument and aborts, as XLA does."""

import os

from manyseeds.processes.serving import worker_arguments

if __name__ == "__main__":
    os.write(2, worker_arguments()[0].encode())
    os.abort()
