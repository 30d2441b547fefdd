"""The short form of a network: the layers that `hidden = [...]` stands for."""

import pytest

from manyseeds.suite.dense_stack import ShortFormError, dense_stack
from manyseeds.techniques.network import Network

OUTPUT = {"name": "dense", "units": 10, "activation": "softmax"}


def network(units, **table):
    layers = dense_stack(units, table)
    return Network(name="net", layers=(*layers, OUTPUT), **table)


@pytest.mark.parametrize(
    ("hidden", "table", "key"),
    [
        (8, {}, "hidden"),
        ([[8, 0]], {}, "hidden"),
        ([[8, -3]], {}, "hidden"),
        ([[8, True]], {}, "hidden"),
        ([True], {}, "hidden"),
        ([0], {}, "hidden"),
        ([8.0], {}, "hidden"),
        (["8"], {}, "hidden"),
        ([[8, 2, 2]], {}, "hidden"),
        ([[[8, 2], 2]], {}, "hidden"),
        ([[8, 10_001]], {}, "hidden"),
        *(([8, 8, 8], {"skip": skip}, "skip") for skip in (0, -1, 3, True, 1.0, "2", [1])),
        ([8], {"skip": 1}, "skip"),
        ([], {"skip": 1}, "skip"),
        *(([8], {key: "relu"}, key) for key in ("first", "before", "after", "last")),
        *(([8], {key: 5}, key) for key in ("first", "before", "after", "last")),
    ],
)
def test_a_value_that_a_key_cannot_have_is_refused_by_its_key(hidden, table, key):
    with pytest.raises(ShortFormError) as refused:
        dense_stack(hidden, dict(table))
    assert refused.value.key == key


def test_an_activation_that_is_none_is_left_to_the_layers_to_refuse():
    assert dense_stack([8], {"activation": False})[0]["activation"] is False


def test_fixup_may_be_written_as_a_table():
    bare, table = ({"skip": 2, "initialiser": i} for i in ("fixup", {"name": "fixup"}))
    assert network([8, 8, 8], **bare) == network([8, 8, 8], **table)


def labels(found):
    return [layer.label for layer in found.layers]


def test_shared_keys_apply_to_every_hidden_layer():
    found = network(
        [8, 4],
        activation="elu",
        initialiser="he_normal",
        bias=False,
        penalty={"name": "l2", "l2": 0.1},
        max_norm={"radius": 2.0},
        drop_connect={"rate": 0.25},
    )
    assert labels(found) == ["hidden1", "hidden2", "output"]
    for layer, units in zip(found.dense(), (8, 4), strict=False):
        assert (layer.units, layer.activation.name, layer.bias) == (units, "elu", False)
        assert layer.initialiser.name == "he_normal"
        assert (layer.penalty.l2, layer.max_norm.radius, layer.drop_connect.rate) == (
            0.1,
            2.0,
            0.25,
        )
    assert (found.output.bias, found.output.penalty) == (True, None)


def test_a_width_may_be_repeated():
    assert [d.units for d in network([300, [100, 3], 50]).dense()] == [300, 100, 100, 100, 50, 10]


def test_keys_of_other_meaning_stay_in_the_table():
    table = {"activation": "relu", "dance": 1}
    dense_stack([3], table)
    assert table == {"dance": 1}


def test_additional_layers_stand_at_their_places():
    found = network(
        [8, 4],
        activation="relu",
        first=["batch_norm"],
        before=["batch_norm"],
        after=[{"name": "dropout", "rate": 0.1}],
        last=[{"name": "dropout", "rate": 0.5}],
    )
    assert labels(found) == [
        *("batch_norm1", "hidden1", "batch_norm2", "activation1", "dropout1"),
        *("hidden2", "batch_norm3", "activation2", "dropout2", "dropout3", "output"),
    ]
    assert {layer.activation.name for layer in found.dense()[:-1]} == {"linear"}
    assert {found.layers[n].function.name for n in (3, 7)} == {"relu"}
    assert found.layers[-2].rate == 0.5


def test_the_chapters_batch_norm_network_in_the_short_form():
    found = network([300, 100], activation="relu", first=["batch_norm"], after=["batch_norm"])
    assert labels(found) == [
        *("batch_norm1", "hidden1", "batch_norm2", "hidden2", "batch_norm3", "output")
    ]


def test_skip_connections_go_around_the_stated_number_of_layers_above_the_stem():
    found = network([[4, 6]], activation="relu", skip=2)
    assert labels(found) == [
        *("stem", "hidden2", "hidden3", "skip1", "hidden4", "hidden5", "skip2", "hidden6", "output")
    ]
    assert [layer.of for layer in found.layers if layer.name == "skip"] == ["stem", "skip1"]
    found.check_skips(9)


def test_with_layers_after_the_activation_the_stem_is_the_last_of_them():
    found = network([[4, 3]], activation="relu", after=["batch_norm"], skip=1)
    assert labels(found) == [
        *("hidden1", "stem", "hidden2", "batch_norm2", "skip1", "hidden3", "batch_norm3", "skip2"),
        "output",
    ]
    assert found.layers[1].name == "batch_norm"
    assert found.layers[4].of == "stem"


@pytest.mark.parametrize(("depth", "skip", "branches"), [(5, 2, 2), (6, 2, 2), (7, 3, 2)])
def test_fixup_initialises_the_branches_by_its_rules(depth, skip, branches):
    """Zhang, Dauphin and Ma 2019: zero in the last layer, the others scaled, and a multiplier."""
    found = network([[4, depth]], activation="relu", initialiser="fixup", skip=skip)
    inside = found.dense()[1 : 1 + branches * skip]
    for number, layer in enumerate(inside):
        initialiser = layer.initialiser
        assert initialiser.name == "fixup"
        assert (initialiser.branches, initialiser.layers) == (branches, skip)
        assert initialiser.last == (number % skip == skip - 1)
    for below, layer in zip(found.layers, found.layers[1:], strict=False):
        assert (layer.name == "skip") == (below.name == "scale")
    assert len([layer for layer in found.layers if layer.name == "scale"]) == branches
    stem = found.dense()[0].initialiser
    assert (stem.name, stem.branches, stem.last) == ("fixup", 1, False)  # he_normal as it is
