"""What the intervals and verdicts of `manyseeds.statistics` do over many samples of known origin.

`python -m tests.statistics.simulation --markdown reports/simulation.md` writes the table;
tests/statistics/test_simulation.py holds its bounds.
"""
