"""Recipes: frozen and hashable; equal first phases have equal fingerprints."""

import pytest
from pydantic import ValidationError

from manyseeds.suite.recipe import Phase, Recipe, Task
from manyseeds.techniques.early_stopping import EarlyStopping
from manyseeds.techniques.network import Network
from manyseeds.techniques.optimizers import Adam
from manyseeds.techniques.schedules import Power

TASK = Task(name="b", dataset="digits")
OUTPUT = {"name": "dense", "units": 1, "activation": "logistic"}


def network(name="b", units=(8, 8), output=1):
    hidden = [{"name": "dense", "units": n, "activation": "relu"} for n in units]
    activation = "softmax" if output > 1 else "logistic"
    return Network(
        name=name, layers=(*hidden, OUTPUT | {"units": output, "activation": activation})
    )


def phase(name="train", **fields):
    defaults = {"task": TASK, "network": network(), "epochs": 2, "rate": 0.1}
    return Phase(name=name, **defaults | fields)


def recipe(*phases, name="recipe"):
    return Recipe(name=name, phases=phases)


CYCLE = {"name": "one_cycle", "momentum": 0.85}
PRETRAIN = phase("pretrain", network=network("a"))
FROZEN = phase("frozen", reuse=("hidden1", "hidden2"), frozen=("hidden1",))
FINETUNE = phase("finetune", reuse="all")


def test_the_fingerprint_depends_on_the_training_and_not_on_names():
    one = recipe(phase("a"), name="one")
    assert one.fingerprint() == recipe(phase("b"), name="two").fingerprint()
    assert len(one.fingerprint()) == 64
    assert one.fingerprint() == one.prefix(1)


@pytest.mark.parametrize(
    "change",
    [
        {"rate": 0.2},
        {"epochs": 3},
        {"batch": 16},
        {"optimizer": Adam()},
        {"schedule": Power()},
        {"network": network("c")},
        {"network": network(units=(8, 7))},
        {"task": Task(name="b", dataset="digits", train=10)},
        {"task": Task(name="c", dataset="digits")},
        {"early_stopping": EarlyStopping(patience=2)},
        {"frozen": ("hidden1",)},
    ],
)
def test_a_change_of_the_training_changes_the_fingerprint(change):
    assert recipe(phase(**change)).fingerprint() != recipe(phase()).fingerprint()


def test_equal_first_phases_have_equal_prefixes_and_different_last_phases_do_not():
    one = recipe(PRETRAIN, FROZEN, FINETUNE)
    two = recipe(PRETRAIN, FROZEN, phase("finetune", reuse="all", rate=0.01))
    assert one.prefix(1) == two.prefix(1)
    assert one.prefix(2) == two.prefix(2)
    assert one.prefix(3) != two.prefix(3)
    assert len({one.prefix(n) for n in (1, 2, 3)}) == 3


def test_recipes_are_frozen_and_hash_by_value():
    assert len({recipe(phase()), recipe(phase()), recipe(phase(rate=0.2))}) == 2
    with pytest.raises(ValidationError, match="frozen"):
        recipe(phase()).name = "other"


def test_reuse_all_names_every_layer():
    assert FINETUNE.reused() == ("hidden1", "hidden2", "output")
    assert FROZEN.reused() == ("hidden1", "hidden2")
    assert PRETRAIN.reused() == ()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"frozen": ("hidden3",)},
            "frozen names 'hidden3', but the layers with weights of network 'b' are hidden1",
        ),
        ({"reuse": ("hiden1",)}, "reuse names 'hiden1'"),
        ({"frozen": ("hidden1", "hidden2", "output")}, "nothing is left to train"),
        ({"rate": 0.0}, "greater than 0"),
        ({"rate": float("inf")}, "finite"),
        ({"rate": "0.1"}, "valid number"),
        ({"epochs": -1}, "greater than or equal to 0"),
        ({"batch": 0}, "greater than or equal to 1"),
        ({"shared": True}, "shared"),
        ({"reuse_from": (("hidden1", "hidden2"),)}, "'hidden1', which is not reused"),
        ({"schedule": CYCLE}, "changes the momentum, but the optimizer 'sgd' has none"),
        ({"schedule": CYCLE, "optimizer": "adam"}, "use momentum or nesterov"),
        ({"schedule": {"name": "warmup", "k": 3, "then": CYCLE}}, "changes the momentum"),
    ],
)
def test_invalid_phases_are_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        phase(**fields)


@pytest.mark.parametrize(
    ("phases", "message"),
    [
        ((), "at least 1 item"),
        ((phase("a"), phase("a")), "two phases are called 'a'"),
        ((FROZEN,), "the first phase has nothing to reuse"),
        (
            (phase("a", network=network("a", units=(8,))), FROZEN),
            "reuses 'hidden2'",
        ),
        (
            (phase("a", network=network("a", units=(8, 9))), FROZEN),
            "reuses 'hidden2'",
        ),
        (
            (phase("a", network=network("a", output=2)), FINETUNE),
            "reuses 'output'",
        ),
        (
            (phase("a"), phase("b", reuse="all", shared=True)),
            "shared",
        ),
    ],
)
def test_invalid_recipes_are_refused(phases, message):
    with pytest.raises(ValidationError, match=message):
        recipe(*phases)


@pytest.mark.parametrize("activation", ["logistic", "linear"])
def test_a_logistic_or_linear_output_has_one_unit(activation):
    output = {"name": "dense", "units": 3, "activation": activation}
    with pytest.raises(ValidationError, match=f"has 3 {activation} outputs: expected 1 unit"):
        phase(network=Network(name="b", layers=(output,)))


def test_a_softmax_output_has_more_than_one_unit():
    output = {"name": "dense", "units": 1, "activation": "softmax"}
    with pytest.raises(ValidationError, match="has 1 softmax output, which is always 1"):
        phase(network=Network(name="b", layers=(output,)))


@pytest.mark.parametrize(("classes", "problem"), [((3,), "a single class"), ((1, 2, 1), "twice")])
def test_a_task_tells_different_classes_apart(classes, problem):
    with pytest.raises(ValidationError, match=problem):
        Task(name="b", dataset="digits", classes=classes)


@pytest.mark.parametrize(
    ("layers", "problem"),
    [
        ((OUTPUT,), "has no batch normalisation to fold"),
        (
            (
                {"name": "dense", "units": 3, "activation": "relu"},
                "batch_norm",
                {"name": "activation", "function": "relu"},
                OUTPUT,
            ),
            "'batch_norm1' cannot be folded",
        ),
    ],
)
def test_a_recipe_that_folds_needs_batch_normalisation_that_can_be_folded(layers, problem):
    trained = phase(network=Network(name="b", layers=layers))
    with pytest.raises(ValidationError, match=problem):
        Recipe(name="folded", phases=(trained,), fold=True)


def dropped(kind):
    return phase(network=Network(name="b", layers=({"name": kind, "rate": 0.5}, OUTPUT)))


def test_monte_carlo_dropout_needs_dropout_of_its_own_kind():
    for technique, kind, other in (
        ("mc_dropout", "dropout", "alpha_dropout"),
        ("mc_alpha_dropout", "alpha_dropout", "dropout"),
    ):
        sampled = Recipe(name="mc", phases=(dropped(kind),), monte_carlo=technique)
        assert sampled.monte_carlo.samples == 100
        with pytest.raises(ValidationError, match=f"{technique} needs a layer '{kind}'"):
            Recipe(name="mc", phases=(dropped(other),), monte_carlo=technique)


def test_options_of_scoring_do_not_change_the_fingerprint():
    normalised = ("batch_norm", {"name": "dropout", "rate": 0.5}, OUTPUT)
    plain = recipe(phase(network=Network(name="b", layers=normalised)))
    for change in ({"monte_carlo": "mc_dropout"}, {"fold": True}, {"expect_divergence": True}):
        changed = Recipe(name="other", phases=plain.phases, **change)
        assert changed.fingerprint() == plain.fingerprint()


def test_reused_layers_may_have_another_label_in_the_previous_network():
    mapped = phase("b", reuse=("hidden1", "hidden2"), reuse_from=(("hidden2", "hidden3"),))
    assert mapped.sources() == {"hidden1": "hidden1", "hidden2": "hidden3"}
    recipe(phase("a", network=network("a", units=(8, 8, 8))), mapped)
    with pytest.raises(ValidationError, match="reuses 'hidden3' of phase 'a'"):
        recipe(phase("a", network=network("a")), mapped)


@pytest.mark.parametrize(
    ("classes", "message"),
    [((0, 1, 0), "named twice"), ((1,), "name two or more"), ((), "name two or more")],
)
def test_the_classes_of_a_task_can_be_told_apart(classes, message):
    with pytest.raises(ValidationError, match=message):
        Task(name="b", dataset="digits", classes=classes)
