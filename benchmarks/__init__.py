"""Benchmarks: speed and memory against peers that are measured in the same run.

What is measured is a number on a machine, never a claim about techniques: those are in `suites/`.
"""
