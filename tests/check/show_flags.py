"""Prints XLA's flags, for a test."""

import os

print(os.environ["XLA_FLAGS"])
