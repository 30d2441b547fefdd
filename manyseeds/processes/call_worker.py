"""The worker that calls a function, for `manyseeds.processes.calls`."""

from __future__ import annotations

import base64
import importlib
import pickle
from collections.abc import Callable
from typing import Any

from manyseeds.processes.framing import Message
from manyseeds.processes.serving import Send, serve, worker_arguments
from manyseeds.processes.surroundings import aside


def packed(value: Any) -> str:
    """Return a value as text."""
    return base64.b64encode(pickle.dumps(value)).decode("ascii")


def unpacked(text: str) -> Any:
    """Return the value that a text stands for."""
    return pickle.loads(base64.b64decode(text))


def main() -> None:
    """Import the function that the argument names, and serve calls of it."""
    (name,) = worker_arguments()
    function = _imported(name)

    def answer(request: Message, send: Send) -> None:
        result = function(*unpacked(request["arguments"]))
        send({"number": request["number"], "result": packed(result)})

    serve(answer)


def _imported(name: str) -> Callable[..., Any]:
    """Import a function, and nothing that a library finds in the working folder."""
    module, _, function = name.partition(":")
    with aside():
        imported: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return imported


if __name__ == "__main__":
    main()
