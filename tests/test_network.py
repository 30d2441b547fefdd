"""Networks: labels, shapes, and what is refused."""

import pytest
from pydantic import ValidationError

from manyseeds.network import Network

OUTPUT = {"name": "dense", "units": 10, "activation": "softmax"}


def dense(units=5, **fields):
    return {"name": "dense", "units": units, **fields}


def dropout(rate=0.5, **fields):
    return {"name": "dropout", "rate": rate, **fields}


def network(*layers):
    return Network(name="net", layers=layers)


def test_layers_without_a_label_are_numbered_and_the_last_is_the_output():
    found = network(dropout(), dense(), dropout(), dense(label="mine"), dense(), OUTPUT)
    labels = [layer.label for layer in found.layers]
    assert labels == ["dropout1", "hidden1", "dropout2", "mine", "hidden3", "output"]
    assert found.hidden_labels() == ("hidden1", "mine", "hidden3")
    assert [layer.label for layer in found.dropouts()] == ["dropout1", "dropout2"]
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


def test_widths_are_what_leaves_each_layer():
    widths = network(dropout(), dense(4), dropout(), OUTPUT).widths(7)
    assert widths == {"dropout1": 7, "hidden1": 4, "dropout2": 4, "output": 10}


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
        ((dense(label="a"), dense(label="a"), OUTPUT), "two layers share a label: a, a"),
        ((), "at least 1 item"),
        (({"name": "dance", "units": 3}, OUTPUT), "dance"),
        ((dense(0), OUTPUT), "greater than or equal to 1"),
        ((dense(2.5), OUTPUT), "valid integer"),
    ],
)
def test_networks_that_cannot_be_are_refused(layers, complaint):
    with pytest.raises(ValidationError, match=complaint):
        network(*layers)
