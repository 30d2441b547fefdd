"""Techniques: one list of all, each with a name of its own, a source and its hyperparameters."""

import typing
from collections import Counter

import pytest
from pydantic import TypeAdapter, ValidationError

from manyseeds import activations, initialisers, network, optimizers, schedules
from manyseeds.recipe import EarlyStopping
from manyseeds.technique import technique_name, techniques

UNIONS = {
    "activation": activations.Activation,
    "initialiser": initialisers.Initialiser,
    "optimizer": optimizers.Optimizer,
    "schedule": schedules.Schedule,
    "layer": network.Layer,
}


def members(annotation):
    found = set()
    for part in typing.get_args(annotation):
        found |= {part} if isinstance(part, type) else members(part)
    return {cls for cls in found if hasattr(cls, "model_fields")}


def test_the_list_is_all_that_a_suite_can_ask_for():
    asked = set().union(*(members(union) for union in UNIONS.values())) | {EarlyStopping}
    assert set(techniques()) == asked


def test_names_are_unique_within_a_kind():
    counts = Counter((cls.kind, technique_name(cls)) for cls in techniques())
    assert max(counts.values()) == 1


def test_every_technique_says_what_it_is_and_where_it_comes_from():
    for cls in techniques():
        assert cls.source.strip(), cls
        assert (cls.__doc__ or "").strip(), cls


@pytest.mark.parametrize(
    "cls", [cls for cls in techniques() if cls.kind in {*UNIONS} - {"layer"}], ids=technique_name
)
def test_a_bare_name_stands_for_the_technique_with_its_defaults(cls):
    name = technique_name(cls)
    adapter = TypeAdapter(UNIONS[cls.kind])
    assert adapter.validate_python(name) == adapter.validate_python({"name": name}) == cls()


def test_hyperparameters_are_the_numbers_and_structure_is_the_rest():
    elu = activations.Elu(alpha=0.5)
    assert elu.hyperparameters() == {"alpha": 0.5}
    assert elu.structure() == (("name", "elu"),)
    assert activations.Elu(alpha=0.7).structure() == elu.structure()
    per_step = schedules.Exponential(per="step")
    assert per_step.structure() != schedules.Exponential().structure()
    stopping = EarlyStopping(patience=3)
    assert stopping.hyperparameters() == {"patience": 3.0}
    assert ("restore_best", True) in stopping.structure()


def test_techniques_compare_and_hash_by_value_and_cannot_be_changed():
    assert optimizers.Adam() == optimizers.Adam(beta1=0.9)
    assert len({optimizers.Adam(), optimizers.Adam(beta1=0.9), optimizers.Adam(beta1=0.8)}) == 2
    with pytest.raises(ValidationError, match="frozen"):
        optimizers.Adam().beta1 = 0.5


@pytest.mark.parametrize(
    ("cls", "values"),
    [
        (optimizers.Adam, {"beta1": 1.0}),
        (optimizers.Adam, {"epsilon": 0.0}),
        (optimizers.Momentum, {"momentum": -0.1}),
        (network.Dropout, {"rate": 1.0}),
        (network.Dropout, {"rate": 0.9999999}),
        (activations.Elu, {"alpha": float("nan")}),
        (activations.Elu, {"alpha": "0.5"}),
        (activations.Relu, {"alpha": 0.5}),
        (EarlyStopping, {"patience": 0}),
    ],
)
def test_values_out_of_range_wrong_types_and_unknown_keys_are_refused(cls, values):
    with pytest.raises(ValidationError):
        cls(**values)
