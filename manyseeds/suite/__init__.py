"""Suites: recipes, seeds and claims as frozen data, and the reading of suite files.

Belongs here: the models of a suite's parts, the reading of TOML, and messages about mistakes in it.
Not here: the techniques that recipes name, which are in `techniques`, and the judging of claims,
which is in `statistics`.
"""
