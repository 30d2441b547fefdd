"""The largest sizes that a suite may ask for, checked before any memory is taken.

They are far beyond what one machine trains. A suite that needs more was meant otherwise: a size
of 10**9 is a slip, and would take all memory before anything else is said.
"""

from __future__ import annotations

MOST_BYTES = 1_000_000
"""Bytes of a suite file."""
MOST_NESTED = 30
"""Tables and lists within each other in a suite file."""
MOST_VALUES = 200_000
"""Values in a suite file."""

MOST_SEEDS = 100_000
"""Seeds of a suite, and lanes of a cohort."""
MOST_ROWS = 1_000_000
"""Trainings that a plan promises."""
MOST_EPOCHS = 100_000
"""Epochs of a phase."""
MOST_BATCH = 1_000_000
"""Examples in a batch."""
MOST_RECIPES = 1_000
"""Recipes of a suite, and as many claims."""
MOST_PHASES = 100
"""Phases of a recipe."""
MOST_TRAINED = 10_000
"""Phases of all recipes of a suite in all their cases."""
MOST_LAYERS = 10_000
"""Layers of a network."""
MOST_UNITS = 100_000
"""Units of a layer."""
MOST_SAMPLES = 100_000
"""Samples of Monte Carlo dropout."""
