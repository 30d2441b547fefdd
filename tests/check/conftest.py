"""Fixtures of the tests of the numerics layer: a few recipes, followed on the NumPy backend."""

from dataclasses import replace

import pytest

from manyseeds.check.baseline import Baseline
from manyseeds.check.numerics.measurement import measure

FOLLOWED = ("elu_nadam", "batch_norm_after_nesterov", "selu_dropout_sgd", "tanh_early_stopping")


@pytest.fixture(scope="session")
def measured():
    """Follow the recipes once."""
    return measure(["numpy"], FOLLOWED)


@pytest.fixture
def baseline(measured, tmp_path):
    """Return a baseline of what was measured."""
    accepted = Baseline(tmp_path / "baseline")
    accepted.accept(measured.entries, "the first")
    return accepted


@pytest.fixture
def altered(measured):
    """Return a function that returns what was measured, with changes to arrays of a recipe."""

    def alter(subject="elu_nadam", context=None, **changes):
        def changed(entry):
            if entry.subject != subject:
                return entry
            arrays = dict(entry.arrays)
            for name, change in changes.items():
                arrays[name] = change(arrays[name].copy())
            return replace(entry, arrays=arrays, context={**entry.context, **(context or {})})

        return replace(measured, entries=tuple(map(changed, measured.entries)))

    return alter


@pytest.fixture
def as_backend(measured):
    """Return a function that attributes measurements to several made-up backends."""

    def give(**by_backend):
        entries = tuple(
            replace(entry, row=replace(entry.row, backend=backend))
            for backend, own in by_backend.items()
            for entry in own.entries
        )
        return replace(measured, entries=entries, backends=tuple(by_backend))

    return give
