"""What the tests of the numerics layer share: what the NumPy backend does with a few recipes."""

from dataclasses import replace

import pytest

from manyseeds.check.numerics.layer import measure
from manyseeds.check.store import Baseline

FOLLOWED = ("elu_nadam", "batch_norm_after_nesterov", "selu_dropout_sgd", "tanh_early_stopping")


@pytest.fixture(scope="session")
def measured():
    """Follow the recipes once."""
    return measure(["numpy"], FOLLOWED)


@pytest.fixture
def baseline(measured, tmp_path):
    """Accept what was measured."""
    found = Baseline(tmp_path / "baseline")
    found.accept(measured.entries, "the first")
    return found


@pytest.fixture
def altered(measured):
    """Measure, as it were, with some of a recipe's arrays changed."""

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
    """Give what was measured to several backends, each with changes of its own."""

    def give(**by_backend):
        entries = tuple(
            replace(entry, backend=backend)
            for backend, own in by_backend.items()
            for entry in own.entries
        )
        return replace(measured, entries=entries, backends=tuple(by_backend))

    return give
