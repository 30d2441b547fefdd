"""Techniques: the list of them all, with unique names, sources and hyperparameters."""

import typing
from collections import Counter

import pytest
from pydantic import TypeAdapter, ValidationError

from manyseeds.suite import recipe
from manyseeds.techniques import (
    activations,
    augmentation,
    clipping,
    initialisers,
    layers,
    optimizers,
    regularisation,
    schedules,
)
from manyseeds.techniques.early_stopping import EarlyStopping
from manyseeds.techniques.registry import technique_name, techniques

UNIONS = {
    "activation": activations.Activation,
    "initialiser": initialisers.Initialiser,
    "optimizer": optimizers.Optimizer,
    "schedule": schedules.Schedule,
    "layer": layers.Layer,
    "clipping": clipping.Clipping,
    "pruning": regularisation.Pruning,
    "augmentation": augmentation.Augmentation,
    "penalty": regularisation.Penalty,
    "Monte Carlo": recipe.MonteCarlo,
}
ALONE = {EarlyStopping, regularisation.MaxNorm, regularisation.DropConnect}


def members(annotation):
    classes = set()
    for part in typing.get_args(annotation):
        classes |= {part} if isinstance(part, type) else members(part)
    return {cls for cls in classes if hasattr(cls, "model_fields")}


def test_the_list_holds_all_that_a_suite_can_name():
    nameable = ALONE.union(*(members(union) for union in UNIONS.values()))
    assert set(techniques()) == nameable


def test_names_are_unique_within_a_kind():
    counts = Counter((cls.kind, technique_name(cls)) for cls in techniques())
    assert max(counts.values()) == 1


def test_every_technique_has_a_definition_and_a_source():
    for cls in techniques():
        assert cls.source.strip(), cls
        assert (cls.__doc__ or "").strip(), cls


@pytest.mark.parametrize(
    ("union", "cls"),
    [
        pytest.param(union, cls, id=technique_name(cls))
        for union in UNIONS.values()
        for cls in sorted(members(union), key=technique_name)
        if not any(field.is_required() for field in cls.model_fields.values())
    ],
)
def test_a_bare_name_stands_for_the_technique_with_its_defaults(union, cls):
    name = technique_name(cls)
    adapter = TypeAdapter(union)
    assert adapter.validate_python(name) == adapter.validate_python({"name": name}) == cls()


def test_hyperparameters_are_the_numbers_and_structure_is_the_rest():
    elu = activations.Elu(alpha=0.5)
    assert elu.hyperparameters() == {"alpha": 0.5}
    assert elu.structure() == (("name", "elu"),)
    assert activations.Elu(alpha=0.7).structure() == elu.structure()
    per_step = schedules.Exponential(per="step")
    assert per_step.structure() != schedules.Exponential().structure()
    stopping = EarlyStopping(patience=3)
    assert stopping.hyperparameters() == {}  # whole numbers are structure
    assert {("patience", 3), ("restore_best", True)} <= set(stopping.structure())
    dense = layers.Dense(units=3, penalty=regularisation.L1(l1=0.5))
    assert dense.structure() == layers.Dense(units=3, penalty={"name": "l1"}).structure()
    assert dense.structure() != layers.Dense(units=3, penalty={"name": "l2"}).structure()
    drawn = layers.Dense(units=3, initialiser=initialisers.HeNormal())
    assert drawn.structure() == layers.Dense(units=3).structure()  # programs draw no kernels


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
        (layers.Dropout, {"rate": 1.0}),
        (layers.Dropout, {"rate": 0.9999999}),
        (layers.GaussianNoise, {"sd": -0.1}),
        (layers.BatchNorm, {"momentum": 1.1}),
        (layers.BatchNorm, {"epsilon": 0.0}),
        (layers.Skip, {}),
        (activations.Elu, {"alpha": float("nan")}),
        (activations.RRelu, {"lower": 0.4, "upper": 0.3}),
        (clipping.ClipValue, {"limit": 0.0}),
        (clipping.ClipNorm, {"limit": -1.0}),
        (clipping.GlobalClipNorm, {"limit": float("inf")}),
        (regularisation.L1, {"l1": -0.1}),
        (regularisation.L2, {"l1": 0.1}),
        (regularisation.L1L2, {"l2": -1e-9}),
        (regularisation.MaxNorm, {"radius": 0.0}),
        (regularisation.DropConnect, {"rate": 1.0}),
        (regularisation.Threshold, {}),
        (regularisation.Threshold, {"least": 0.0}),
        (regularisation.MagnitudePruning, {"share": 1.0}),
        (initialisers.StandardNormal, {"sd": 0.0}),
        (initialisers.Fixup, {"branches": 0}),
        (initialisers.Fixup, {"layers": 1}),
        (optimizers.Ftrl, {"accumulator": 0.0}),
        (schedules.OneCycle, {"start": 1.0}),
        (schedules.OneCycle, {"momentum": 1.0}),
        (schedules.Performance, {"factor": 1.0}),
        (schedules.WarmUp, {"k": 0}),
        (schedules.RangeTest, {"highest": 0.0}),
        (augmentation.Rotate, {"degrees": 181.0}),
        (augmentation.HorizontalFlip, {"probability": 1.5}),
        (augmentation.Crop, {"share": 1.0}),
        (recipe.McDropout, {"samples": 0}),
        (activations.Elu, {"alpha": "0.5"}),
        (activations.Relu, {"alpha": 0.5}),
        (EarlyStopping, {"patience": 0}),
    ],
)
def test_values_out_of_range_wrong_types_and_unknown_keys_are_refused(cls, values):
    with pytest.raises(ValidationError):
        cls(**values)
