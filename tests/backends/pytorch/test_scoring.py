"""PyTorch's scores: losses, accuracies, probabilities, Monte Carlo dropout."""

import numpy as np
import pytest

from manyseeds.errors import RequestError

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from manyseeds_pytorch.device import OpenDevice  # noqa: E402
from tests.backends.pytorch.dense_toy import (  # noqa: E402
    a_network,
    a_phase,
    a_plan,
    first_weights,
    some_data,
    trained,
)
from tests.backends.pytorch.plain_model import sequential  # noqa: E402


@pytest.mark.parametrize(("output", "units"), [("softmax", 3), ("logistic", 1)])
def test_accuracy_and_probabilities_are_those_of_the_outputs(double, output, units):
    network, data = a_network(output, units), some_data(output, units)
    _, cohort = trained(double, network, a_plan(network, 2), data=data)
    scores = cohort.score(("accuracy",), probabilities=True)
    for lane in range(2):
        model = sequential(cohort.weights(), torch.nn.SELU, lane)
        logits = model(torch.tensor(data.test.inputs)).detach().numpy()
        if output == "softmax":
            chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
            right = logits.argmax(1) == data.test.labels
        else:
            chances = 1 / (1 + np.exp(-logits))
            right = (chances[:, 0] > 0.5) == data.test.labels
        np.testing.assert_allclose(scores.probabilities[lane], chances, rtol=1e-12)
        assert scores.metrics["accuracy"][lane] == right.mean()


def test_ties_go_to_the_first_class_and_one_half_to_class_0(double):
    for output, units in (("softmax", 3), ("logistic", 1)):
        network, data = a_network(output, units), some_data(output, units)
        zeros = {name: 0 * value for name, value in first_weights(network, 1).items()}
        cohort = double.cohort(network, data, 1)
        cohort.begin(a_phase(network), zeros)
        accuracy = cohort.evaluate("valid", ("accuracy",)).metrics["accuracy"][0]
        assert accuracy == (data.valid.labels == 0).mean()


def test_linear_output_has_no_accuracy(double):
    network = a_network("linear", 1)
    cohort = double.cohort(network, some_data("linear", 1), 1)
    cohort.begin(a_phase(network), first_weights(network, 1))
    with pytest.raises(RequestError, match="linear output"):
        cohort.evaluate("valid", ("loss", "accuracy"))


def test_blocks_of_any_size_give_the_same_scores(double, monkeypatch):
    network = a_network()
    _, cohort = trained(double, network, a_plan(network, 3))
    whole = cohort.evaluate("valid", ("loss", "accuracy"), probabilities=True)
    for bound in (1, 40, 7 * 19 * 2):
        monkeypatch.setattr(OpenDevice, "activation_elements", bound)
        blocks = cohort.evaluate("valid", ("loss", "accuracy"), probabilities=True)
        np.testing.assert_array_equal(blocks.metrics["accuracy"], whole.metrics["accuracy"])
        np.testing.assert_allclose(blocks.metrics["loss"], whole.metrics["loss"], rtol=1e-13)
        np.testing.assert_allclose(blocks.probabilities, whole.probabilities, rtol=1e-12)
