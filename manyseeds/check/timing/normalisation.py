"""Normalises timings by the yardstick, whose parts have weights fitted to the data.

A subject made of matrix products slows down as products do, one that allocates as fresh pages do.
So its seconds are divided by a weighted geometric mean of the parts' seconds, fitted by least
squares on logarithms: control variates (Lavenberg and Welch 1981), with weights that are not
negative and sum to 1, so that a machine twice as slow in all respects is no change.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from manyseeds.check.timing.ratios import medians

Floats = NDArray[np.float64]

_BINDING = 1e4
"""How much more the sum of the weights counts than the data (Lawson and Hanson 1974, ch. 22)."""


def weights_of(own: Floats, parts: Floats, preparations: int) -> Floats:
    """Return the weight of each part of the yardstick, [parts], fitted to a subject's variation.

    Parameters
    ----------
    own
        Seconds of the subject, [processes, rounds].
    parts
        Seconds of the yardstick's parts beside it, [processes, rounds, parts].
    preparations
        How many preparations share the rounds of a process: their medians are fitted, without the
        noise of single rounds.
    """
    target = _centred(own[..., None], preparations)[:, 0]
    predictors = _centred(parts, preparations)
    scale = _BINDING * max(float(np.abs(predictors).max()), float(np.abs(target).max()), 1e-12)
    system = np.vstack([predictors, np.full(predictors.shape[1], scale)])
    solution, _ = nnls(system, np.append(target, scale))
    weights: Floats = solution / solution.sum()
    return weights


def normalised(own: Floats, parts: Floats, weights: Floats) -> Floats:
    """Return seconds in multiples of the yardstick, the weighted geometric mean of its parts."""
    multiples: Floats = np.exp(np.log(own) - np.log(parts) @ weights)
    return multiples


def _centred(seconds: Floats, preparations: int) -> Floats:
    """Return logarithms of medians about their mean, [processes x preparations, columns]."""
    logarithms = medians(seconds, preparations).reshape(-1, seconds.shape[-1])
    centred: Floats = logarithms - logarithms.mean(axis=0)
    return centred
