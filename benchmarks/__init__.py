"""Benchmarks: speed and memory against peers that are measured in the same run.

A measurement is a number for one machine, never a claim about techniques: those are in `suites/`.
"""
