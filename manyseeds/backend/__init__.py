"""The contract between the harness and a backend.

Belongs here: the values and protocols that both sides share, how backends are discovered and
opened, and helpers that several backends use. Not here: anything that names a framework, and the
harness's use of a backend, which is in `execution`.
"""
