"""The contract between the harness and a backend.

Belongs here: the values and protocols that both sides share, how backends are discovered and
opened, and helpers that several backends use. Not here: anything that names a framework, and what
the harness does with a backend, which is in `execution`.
"""
