"""`python -m manyseeds` is the command `manyseeds`."""

import os
import sys

# Python puts the working folder first: a `queue.py` there would hide the standard library's. Both
# modules above are loaded before anything is looked for.
if sys.path and sys.path[0] == os.getcwd():
    del sys.path[0]

from manyseeds.cli.main import main

main()
