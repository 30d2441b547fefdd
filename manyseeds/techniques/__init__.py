"""The techniques of the chapter, each defined once for all backends.

Belongs here: the equation, hyperparameters and source of every technique, the network they make up,
the NumPy computations before a step (weights, rates, image changes), and the registry. Not here:
their computation in a backend, and their spelling in a suite file, which is in `suite`.
"""
