"""Folding: an independent forward pass predicts the same with and without the normalisation."""

import numpy as np
import pytest
from scipy.special import expit, softmax

from manyseeds.errors import RequestError
from manyseeds.techniques.folding import folded
from manyseeds.techniques.layers import BatchNorm
from manyseeds.techniques.network import Network
from manyseeds.techniques.network_streams import initial_weights

FEATURES, LANES = 6, 3
FUNCTIONS = {
    "linear": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "softplus": lambda z: np.log1p(np.exp(z)),
    "logistic": expit,
    "softmax": lambda z: softmax(z, axis=-1),
}


def predicted(network, weights, inputs):
    """Return the outputs of a network, [lanes, n, units]: Eq. 11-3 and 10-2, written out."""
    seen = {"input": np.broadcast_to(inputs, (LANES, *inputs.shape))}
    x = seen["input"]
    for layer in network.layers:
        own = {
            name.split("/")[1]: values[:, None] if values.ndim == 2 else values
            for name, values in weights.items()
            if name.split("/")[0] == layer.label
        }
        match layer.name:
            case "dense":
                z = x @ own["kernel"] + own.get("bias", 0)
                x = FUNCTIONS[layer.activation.name](z)
            case "activation":
                x = FUNCTIONS[layer.function.name](x)
            case "batch_norm":
                x = (x - own["moving_mean"]) / np.sqrt(own["moving_variance"] + layer.epsilon)
                x = own["gamma"] * x + own["beta"]
            case "skip":
                x = x + seen[layer.of]
        seen[layer.label] = x
    return x


def network_with_weights(*layers):
    """Return a network and random weights, moving averages included."""
    network = Network(name="net", layers=layers)
    generator = np.random.default_rng(0)
    weights = {
        name: generator.uniform(0.3, 2.0, values.shape)
        if name.endswith("moving_variance")
        else generator.standard_normal(values.shape)
        for name, values in initial_weights(network, FEATURES, range(LANES)).items()
    }
    return network, weights


def dense(units=5, **fields):
    return {"name": "dense", "units": units, **fields}


NORM = {"name": "batch_norm", "epsilon": 0.01}
RELU = {"name": "activation", "function": "relu"}
DROPOUT = {"name": "dropout", "rate": 0.5}
OUTPUT = dense(4, activation="softmax")

STACKS = {
    "before the activation": (dense(bias=False), NORM, RELU, OUTPUT),
    "before the activation, with a bias": (dense(), NORM, RELU, OUTPUT),
    "after the activation": (dense(activation="tanh"), NORM, OUTPUT),
    "after the activation, above no bias": (
        *(dense(activation="relu"), NORM, dense(4, activation="softplus", bias=False), OUTPUT),
    ),
    "first": (NORM, dense(activation="relu"), OUTPUT),
    "everywhere": (NORM, dense(bias=False), NORM, RELU, dense(activation="tanh"), NORM, OUTPUT),
    "twice in a row": (dense(), NORM, NORM, RELU, OUTPUT),
    "across dropout": (dense(activation="tanh"), NORM, DROPOUT, OUTPUT),
    "behind a skip": (dense(6), {"name": "skip", "of": "input"}, NORM, OUTPUT),
    "a logistic output": (dense(activation="relu"), NORM, dense(1, activation="logistic")),
}


@pytest.mark.parametrize("name", STACKS)
def test_a_folded_network_predicts_the_same_without_the_layer(name):
    network, weights = network_with_weights(*STACKS[name])
    inputs = np.random.default_rng(1).standard_normal((50, FEATURES))
    whole, values = folded(network, weights)
    assert not [layer for layer in whole.layers if isinstance(layer, BatchNorm)]
    assert {n: v.shape[1:] for n, v in values.items()} == whole.shapes(FEATURES)
    before, after = predicted(network, weights, inputs), predicted(whole, values, inputs)
    np.testing.assert_allclose(after, before, rtol=1e-12, atol=1e-12)


def test_folding_backward_is_the_chapters_equation():
    network, weights = network_with_weights(*STACKS["before the activation, with a bias"])
    gamma, beta, mean, variance = (
        weights[f"batch_norm1/{name}"]
        for name in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    _, values = folded(network, weights)
    sigma = np.sqrt(variance + 0.01)
    kernel = (gamma / sigma)[:, None] * weights["hidden1/kernel"]
    bias = gamma * (weights["hidden1/bias"] - mean) / sigma + beta
    np.testing.assert_allclose(values["hidden1/kernel"], kernel, rtol=1e-12)
    np.testing.assert_allclose(values["hidden1/bias"], bias, rtol=1e-11, atol=1e-12)
    np.testing.assert_array_equal(values["output/kernel"], weights["output/kernel"])


def test_folding_changes_neither_the_network_nor_its_weights():
    network, weights = network_with_weights(*STACKS["everywhere"])
    before = network.model_copy(), {name: values.copy() for name, values in weights.items()}
    folded(network, weights)
    assert network == before[0]
    for name, values in weights.items():
        np.testing.assert_array_equal(values, before[1][name])


def test_a_network_without_batch_normalisation_stays_as_it_is():
    network, weights = network_with_weights(dense(activation="relu"), OUTPUT)
    whole, values = folded(network, weights)
    assert whole == network
    assert all(values[name] is weights[name] for name in weights)


@pytest.mark.parametrize(
    "stack",
    [
        (dense(activation="relu"), NORM, RELU, OUTPUT),  # nothing linear on either side
        (dense(activation="relu"), NORM, NORM, OUTPUT),
        (dense(activation="relu"), NORM, {"name": "skip", "of": "hidden1"}, OUTPUT),
        (dense(), NORM, {"name": "skip", "of": "hidden1"}, OUTPUT),  # hidden1 is read twice
        (dense(activation="relu"), NORM, dense(5), {"name": "skip", "of": "batch_norm1"}, OUTPUT),
    ],
    ids=[
        "between activations",
        "two above an activation",
        "below a skip connection",
        "above a layer that a skip connection reads",
        "read by a skip connection",
    ],
)
def test_a_batch_norm_without_a_neighbour_to_fold_into_is_refused(stack):
    with pytest.raises(RequestError, match="layer 'batch_norm1' cannot be folded"):
        folded(*network_with_weights(*stack))


@pytest.mark.parametrize("activation", ["rrelu", "prelu", "selu"])
def test_nothing_folds_backward_through_an_activation(activation):
    network, weights = network_with_weights(dense(activation=activation), NORM, OUTPUT)
    _, values = folded(network, weights)
    np.testing.assert_array_equal(values["hidden1/kernel"], weights["hidden1/kernel"])
    assert (values["output/kernel"] != weights["output/kernel"]).all()
