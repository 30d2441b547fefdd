"""`python -m manyseeds` is the command `manyseeds`."""

from manyseeds.cli.main import main

main()
