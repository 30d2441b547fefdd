"""The regression gate: what has changed since the baseline.

Three layers, cheapest first: numerics (`numerics`), accuracy (`accuracy`) and time (`timing`). Each
makes *entries* of what it sees now, compares them with those of a baseline (`store`) and returns
*findings* (`findings`), which are what a person, a CI system or a program is shown (`report`).
"""
