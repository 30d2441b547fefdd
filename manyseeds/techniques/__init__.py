"""The techniques of the chapter, each defined once for all backends.

Belongs here: the equation, hyperparameters and source of every technique, the network they make up,
what is computed in NumPy before a step (weights, rates, image changes), and the registry. Not here:
how a backend computes them, and how a suite file spells them, which is in `suite`.
"""
