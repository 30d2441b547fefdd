"""A worker that prints its first argument and aborts or exits, as XLA does, by release."""

import os

from manyseeds.processes.serving import worker_arguments

if __name__ == "__main__":
    said, how = worker_arguments()
    os.write(2, said.encode())
    if how == "abort":
        os.abort()
    os._exit(1)
