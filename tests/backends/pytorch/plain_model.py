"""The dense toy network and its training as users of PyTorch write them."""

import pytest

torch = pytest.importorskip("torch")

from tests.backends.pytorch.dense_toy import BATCH, FEATURES, some_data  # noqa: E402


def sequential(weights, hidden, lane=0):
    """Return the network with the weights of a lane."""
    model = torch.nn.Sequential(
        torch.nn.Linear(FEATURES, 7),
        hidden(),
        torch.nn.Linear(7, 5),
        torch.nn.Tanh(),
        torch.nn.Linear(5, weights["output/kernel"].shape[2]),
    ).double()
    with torch.no_grad():
        for label, layer in zip(("hidden1", "hidden2", "output"), model[::2], strict=True):
            layer.weight.copy_(torch.tensor(weights[f"{label}/kernel"][lane].T))
            layer.bias.copy_(torch.tensor(weights[f"{label}/bias"][lane]))
    return model


def plain_weights(model):
    """Return the model's weights as the contract names and shapes them, in one lane."""
    weights = {}
    for label, layer in zip(("hidden1", "hidden2", "output"), model[::2], strict=True):
        weights[f"{label}/kernel"] = layer.weight.detach().numpy().T[None]
        weights[f"{label}/bias"] = layer.bias.detach().numpy()[None]
    return weights


def plain_epoch(model, optimizer, order, loss=None, data=None):
    """Train on the rows of `order` and return the loss of every step."""
    data = data or some_data()
    loss = loss or torch.nn.CrossEntropyLoss()
    inputs, labels = torch.tensor(data.train.inputs), torch.tensor(data.train.labels)
    losses = []
    for rows in torch.tensor(order, dtype=torch.int64).split(BATCH):
        optimizer.zero_grad()
        value = loss(model(inputs[rows]), labels[rows])
        value.backward()
        optimizer.step()
        losses.append(value.item())
    return losses
