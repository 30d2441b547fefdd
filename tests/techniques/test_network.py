"""Networks: labels, shapes, and the networks that are refused."""

import math

import pytest
from pydantic import ValidationError

from manyseeds.errors import RequestError
from manyseeds.techniques.network import Network

OUTPUT = {"name": "dense", "units": 10, "activation": "softmax"}


def dense(units=5, **fields):
    return {"name": "dense", "units": units, **fields}


def dropout(rate=0.5, **fields):
    return {"name": "dropout", "rate": rate, **fields}


def skip(of, **fields):
    return {"name": "skip", "of": of, **fields}


def network(*layers):
    return Network(name="net", layers=layers)


def test_layers_without_a_label_are_numbered_and_the_last_is_the_output():
    found = network(dropout(), dense(), dropout(), dense(label="mine"), dense(), OUTPUT)
    labels = [layer.label for layer in found.layers]
    assert labels == ["dropout1", "hidden1", "dropout2", "mine", "hidden3", "output"]
    assert found.hidden_labels() == ("hidden1", "mine", "hidden3")
    assert found.output.units == 10


def test_a_network_written_out_and_read_back_is_the_same():
    first = network(dropout(), dense(), OUTPUT)
    assert Network.model_validate(first.model_dump()) == first
    assert Network.model_validate_json(first.model_dump_json()) == first
    assert Network(name="net", layers=first.layers) == first


def test_shapes_follow_the_layers():
    shapes = network(dense(4), dropout(), dense(3, bias=False), OUTPUT).shapes(7)
    assert list(shapes.items()) == [
        ("hidden1/kernel", (7, 4)),
        ("hidden1/bias", (4,)),
        ("hidden2/kernel", (4, 3)),
        ("output/kernel", (3, 10)),
        ("output/bias", (10,)),
    ]


def test_widths_are_the_units_that_leave_each_layer():
    widths = network(dropout(), dense(4), dropout(), OUTPUT).widths(7)
    assert widths == {"dropout1": 7, "hidden1": 4, "dropout2": 4, "output": 10}


MIXED = network(
    "batch_norm",
    dense(4, bias=False, drop_connect={"rate": 0.5}),
    "batch_norm",
    {"name": "activation", "function": "prelu"},
    {"name": "gaussian_noise"},
    dense(4, activation="rrelu"),
    "scale",
    skip("activation1"),
    {"name": "alpha_dropout", "rate": 0.1},
    OUTPUT,
)


def test_every_layer_has_its_variables_with_or_without_a_gradient():
    moving = ("moving_mean", "moving_variance")
    assert MIXED.shapes(3) == {
        **{f"batch_norm1/{name}": (3,) for name in ("gamma", "beta", *moving)},
        "hidden1/kernel": (3, 4),
        **{f"batch_norm2/{name}": (4,) for name in ("gamma", "beta", *moving)},
        "activation1/slope": (4,),
        "hidden2/kernel": (4, 4),
        "hidden2/bias": (4,),
        "scale1/multiplier": (1,),
        "output/kernel": (4, 10),
        "output/bias": (10,),
    }
    assert set(MIXED.shapes(3)) - set(MIXED.trained()) == {
        f"batch_norm{n}/{name}" for n in (1, 2) for name in moving
    }
    assert not [name for name in MIXED.trained(("hidden2", "scale1")) if name[:5] == "scale"]
    first = {name: variable.first for name, variable in MIXED.variables(3).items()}
    assert {name for name, value in first.items() if value == 1} == {
        *("batch_norm1/gamma", "batch_norm1/moving_variance"),
        *("batch_norm2/gamma", "batch_norm2/moving_variance", "scale1/multiplier"),
    }
    assert {name for name, value in first.items() if value is None} == {
        *("hidden1/kernel", "hidden2/kernel", "output/kernel")
    }


def test_noise_is_counted_by_its_elements():
    assert MIXED.noises(5, 3) == {
        "hidden1/kernel": 3 * 4,  # of the kernel, once for the whole batch
        "noise1": 5 * 4,
        "hidden2": 5 * 4,
        "alpha_dropout1": 5 * 4,
    }
    assert network(dense(), OUTPUT).noises(5, 3) == {}


def test_a_skip_connection_needs_equal_widths():
    network(dense(4), skip("input"), OUTPUT).check_skips(4)
    with pytest.raises(RequestError, match="adds the 3 units of 'input' to 4 units"):
        network(dense(4), skip("input"), OUTPUT).check_skips(3)


@pytest.mark.parametrize(("before", "parameters"), [(False, 271_346), (True, 270_946)])
def test_batch_normalisation_has_as_many_parameters_as_the_chapter_says(before, parameters):
    hidden = []
    for units in (300, 100):
        if before:
            hidden += [dense(units, bias=False), "batch_norm"]
            hidden.append({"name": "activation", "function": "relu"})
        else:
            hidden += [dense(units, activation="relu"), "batch_norm"]
    found = network("batch_norm", *hidden, OUTPUT)
    sizes = {name: math.prod(shape) for name, shape in found.shapes(784).items()}
    assert sum(sizes.values()) == parameters
    assert sum(sizes.values()) - sum(sizes[name] for name in found.trained()) == 2_368


@pytest.mark.parametrize(
    ("activation", "loss"),
    [
        ("softmax", "sparse_cross_entropy"),
        ("logistic", "binary_cross_entropy"),
        ("linear", "mean_squared_error"),
    ],
)
def test_the_loss_goes_with_the_output(activation, loss):
    assert network(dense(1, activation=activation)).loss == loss


@pytest.mark.parametrize(
    ("layers", "complaint"),
    [
        ((dense(5, activation="relu"),), "last layer must be dense"),
        ((dense(), dropout()), "last layer must be dense"),
        ((dense(5, activation="softmax"), OUTPUT), "softmax is for the output layer only"),
        ((dense(label="a"), dense(label="a"), OUTPUT), "two layers are called 'a'"),
        ((dense(label="a/b"), OUTPUT), "letters from a to z.*for instance 'a_b'"),
        ((dense(label="input"), OUTPUT), "labelled 'input'"),
        ((skip("hidden1"), dense(), OUTPUT), "'hidden1', which is not a layer below it"),
        ((skip("skip1"), OUTPUT), "'skip1', which is not a layer below it"),
        ((dense(), {"name": "activation", "function": "softmax"}, OUTPUT), "for the output layer"),
        ((), "at least 1 item"),
        (({"name": "dance", "units": 3}, OUTPUT), "dance"),
        ((dense(0), OUTPUT), "greater than or equal to 1"),
        ((dense(2.5), OUTPUT), "valid integer"),
    ],
)
def test_invalid_networks_are_refused(layers, complaint):
    with pytest.raises(ValidationError, match=complaint):
        network(*layers)
