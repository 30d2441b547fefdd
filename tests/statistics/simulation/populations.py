"""Populations of seeds whose mean and spread are known."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Population:
    """A population of values of seeds.

    Attributes
    ----------
    name
        The name in tables.
    mean, sd
        The true mean and standard deviation.
    draw
        Draws values, given a generator and a shape.
    bounded
        Whether the bounds on coverage from 30 seeds on are promised; for the others the table only
        reports the coverage.
    """

    name: str
    mean: float
    sd: float
    draw: Callable
    bounded: bool = True

    def improvements(self, rng, shape, effect=0.0):
        """Draw improvements of a mean, in standard deviations."""
        return (self.draw(rng, shape) - self.mean) / self.sd + effect

    def mirrored(self):
        """Return the population of the opposites."""
        return Population(
            f"{self.name}, mirrored", -self.mean, self.sd,
            lambda rng, shape: -self.draw(rng, shape), self.bounded,
        )  # fmt: skip


def _log_normal(sigma):
    mean = math.exp(sigma**2 / 2)
    return mean, mean * math.sqrt(math.expm1(sigma**2)), lambda rng, n: rng.lognormal(0, sigma, n)


def _binomial(images, better=0.97, worse=0.96):
    """Return differences of two accuracies over so many test images."""
    sd = math.sqrt((better * (1 - better) + worse * (1 - worse)) / images)

    def draw(rng, shape):
        return (rng.binomial(images, better, shape) - rng.binomial(images, worse, shape)) / images

    return better - worse, sd, draw


def _diverging(share=0.05, loss=0.4, sd=0.01):
    """Return differences of which a few are of a lane that diverged and counts as guessing."""
    mean = -share * loss

    def draw(rng, shape):
        fine = rng.normal(0, sd, shape)
        return np.where(rng.random(shape) < share, -loss, fine)

    spread = math.sqrt(share * loss**2 + (1 - share) * sd**2 - mean**2)
    return mean, spread, draw


NORMAL = Population("normal", 0.0, 1.0, lambda rng, shape: rng.normal(size=shape))
EXPONENTIAL = Population("exponential", 1.0, 1.0, lambda rng, shape: rng.exponential(size=shape))
LOG_NORMAL = Population("log-normal, σ = 0.5", *_log_normal(0.5))
HEAVY = Population("log-normal, σ = 1", *_log_normal(1.0), bounded=False)
FEW_IMAGES = Population("accuracies over 200 images", *_binomial(200))
MANY_IMAGES = Population("accuracies over 2,000 images", *_binomial(2000))
DIVERGING = Population("one lane in 20 diverges", *_diverging(), bounded=False)

POPULATIONS = (
    NORMAL, LOG_NORMAL, EXPONENTIAL, FEW_IMAGES, MANY_IMAGES, HEAVY, DIVERGING,
)  # fmt: skip
SEEDS = (5, 10, 30, 100)
