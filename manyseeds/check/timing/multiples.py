"""Takes the machine out of seconds: how much each part of the yardstick counts, fitted to data.

A subject that is all products of matrices slows down as products do, one that allocates as fresh
pages do. So its seconds are divided by a weighted geometric mean of the parts' seconds, which is
what least squares on logarithms finds: control variates (Lavenberg and Welch 1981), with weights
that are not negative and sum to 1, so that a machine twice as slow in all respects is no change.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from manyseeds.check.timing.ratios import medians

Floats = NDArray[np.float64]

_BINDING = 1e4
"""How much more than data the sum of the weights counts (Lawson and Hanson 1974, chapter 22)."""


def weights_of(own: Floats, parts: Floats, preparations: int) -> Floats:
    """Return how much each part counts, [parts], from what varied while a subject was measured.

    Parameters
    ----------
    own
        Seconds of the subject, [processes, rounds].
    parts
        Seconds of the yardstick's parts beside it, [processes, rounds, parts].
    preparations
        How many share the rounds of a process: their medians are fitted, without the noise of
        single rounds.
    """
    wanted = _centred(own[..., None], preparations)[:, 0]
    given = _centred(parts, preparations)
    scale = _BINDING * max(float(np.abs(given).max()), float(np.abs(wanted).max()), 1e-12)
    system = np.vstack([given, np.full(given.shape[1], scale)])
    found, _ = nnls(system, np.append(wanted, scale))
    weights: Floats = found / found.sum()
    return weights


def in_multiples(own: Floats, parts: Floats, weights: Floats) -> Floats:
    """Return seconds in multiples of the yardstick, whose parts count as they are weighted."""
    multiples: Floats = np.exp(np.log(own) - np.log(parts) @ weights)
    return multiples


def _centred(seconds: Floats, preparations: int) -> Floats:
    """Return logarithms of medians about their mean, [processes x preparations, columns]."""
    found = medians(seconds, preparations).reshape(-1, seconds.shape[-1])
    centred: Floats = found - found.mean(axis=0)
    return centred
