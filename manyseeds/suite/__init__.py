"""Suites: recipes, seeds and claims as frozen data, and the reading of suite files.

Belongs here: what a suite can say, how TOML becomes a `Suite`, and messages about mistakes in it.
Not here: the techniques that recipes name, which are in `techniques`, and how claims are judged,
which is in `statistics`.
"""
