"""The ledger: the plan of a run and its results, on disk.

Belongs here: plans, records, curves, diagnostics and provenance, their columns, and how they are
written, read and packed. Not here: training, which is in `execution`, and everything computed from
results.
"""
