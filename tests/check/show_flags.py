"""Prints what XLA is told, for a test."""

import os

print(os.environ["XLA_FLAGS"])
