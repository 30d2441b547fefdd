"""A worker that answers as the one that times backends, at once; or refuses, or dies."""

import os

from manyseeds.errors import RequestError
from manyseeds.processes.serving import serve, worker_arguments

READING = [[2e-3, 4e-3], [3e-3, 6e-3], [2e-3, 4e-3]]


def answer(request, send):
    match worker_arguments():
        case ["die"]:
            os.write(2, b"out of luck")
            os._exit(3)
        case ["refuse"]:
            raise RequestError("no such device")
    failed = {}
    readings = {name: [READING] * request["rounds"] for name in request["subjects"][:-3]}
    environment = {"device": "cpu", "device_name": "d", "versions": {"x": "1"}, "threads": 1}
    match worker_arguments():
        case ["fail", subject]:
            failed[subject] = "TypeError: no"
            del readings[subject]
    send({"environment": environment, "readings": readings, "memory": 5, "failed": failed})


if __name__ == "__main__":
    serve(answer)
