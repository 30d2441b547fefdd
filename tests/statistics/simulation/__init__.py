"""Simulations of the intervals and verdicts of `manyseeds.statistics`, with known truth.

`python -m tests.statistics.simulation --markdown reports/simulation.md` writes the table;
tests/statistics/test_simulation.py holds its bounds.
"""
