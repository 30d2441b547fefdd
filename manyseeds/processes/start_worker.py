"""Runs a module as a worker. It is a script, because it is what makes manyseeds importable.

    python -P -s start_worker.py PATH MODULE REQUESTS ANSWERS ARGUMENTS...

PATH is the import path as JSON; REQUESTS and ANSWERS are the numbers of inherited pipe ends.
"""

from __future__ import annotations

import json
import os
import runpy
import sys


def main() -> None:
    """Set the import path, keep the pipes from grandchildren, and run the module."""
    path, module, requests, answers = sys.argv[1:5]
    for pipe in (requests, answers):
        os.set_inheritable(int(pipe), False)
    entries: list[str] = json.loads(path)
    sys.path[:] = [*entries, *(entry for entry in sys.path if entry not in entries)]
    sys.argv[:] = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
