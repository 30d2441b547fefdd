"""Training a cohort in PyTorch: the loop over an epoch's steps, evaluation, gradients, weights.

PyTorch runs eagerly here: nothing is compiled, so every account of compilation is zero.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manyseeds.backend import (
    Batch,
    Environment,
    EpochPlan,
    EpochTrace,
    Floats,
    Metric,
    Scores,
    Settings,
    Split,
    Splits,
)
from manyseeds.errors import RequestError, unknown
from manyseeds.network import Network, Weights
from manyseeds.noise import threshold
from manyseeds.recipe import Phase
from manyseeds_pytorch import device, network
from manyseeds_pytorch.noise import Noise, layer_noise, mask
from manyseeds_pytorch.optimizers import LaneOptimizer, optimizer

_KEPT_DATA = 2
"""Tasks whose data stay on the device: transfer goes back and forth between two."""

_METRICS = ("loss", "accuracy")

DeviceSplits = dict[str, tuple[Tensor, Tensor]]


class PyTorchBackend:
    """PyTorch, opened with its settings."""

    def __init__(self, settings: Settings) -> None:
        self._placement = device.place(settings)
        self._data: OrderedDict[tuple[str, str], DeviceSplits] = OrderedDict()

    def describe(self) -> Environment:
        """Say what this backend runs on."""
        return device.describe(self._placement)

    def peak_memory(self) -> int:
        """Return the most device memory used so far, in bytes; 0 on a CPU."""
        return device.peak_memory(self._placement)

    def cohort(self, network: Network, data: Splits, lanes: int) -> PyTorchCohort:
        """Return a cohort of so many lanes; its data stay on the device for the next."""
        return PyTorchCohort(network, self._on_device(network, data), lanes, self._placement)

    def _on_device(self, network: Network, data: Splits) -> DeviceSplits:
        key = (data.key, network.loss)
        if key not in self._data:
            splits = {"train": data.train, "valid": data.valid, "test": data.test}
            self._data[key] = {
                name: _tensors(split, network, self._placement) for name, split in splits.items()
            }
        self._data.move_to_end(key)
        while len(self._data) > _KEPT_DATA:
            self._data.popitem(last=False)
        return self._data[key]


class PyTorchCohort:
    """The networks of many seeds, trained in lockstep.

    Parameters
    ----------
    wanted
        The network's structure.
    data
        Inputs [n, features] and labels [n, ...] of every split, on the device.
    lanes
        How many networks.
    where
        Device and precision.
    """

    def __init__(
        self, wanted: Network, data: DeviceSplits, lanes: int, where: device.Placement
    ) -> None:
        self._network, self._data, self._lanes, self._where = wanted, data, lanes, where
        self._features = data["train"][0].shape[1]
        self._stack = network.Stack(wanted, self._features, lanes, where)
        self._optimizer: LaneOptimizer | None = None

    def begin(self, phase: Phase, weights: Weights) -> None:
        """Start a phase: these weights, this phase's frozen layers, a fresh optimizer."""
        self._network = phase.network
        self._stack.configure(phase.network)
        for layer in phase.network.dense():
            self._stack.dense(layer.label).learns(layer.label not in phase.frozen)
        with torch.no_grad():
            for name, parameter in self._stack.variables().items():
                given = torch.as_tensor(np.asarray(weights[name]))
                parameter.copy_(given.view(parameter.shape))
        learning = [p for p in self._stack.parameters() if p.requires_grad]
        self._optimizer = optimizer(phase.optimizer, learning)

    def train(self, epoch: EpochPlan) -> EpochTrace:
        """Take the plan's steps in all lanes."""
        if self._optimizer is None:
            raise RuntimeError("train before begin: the cohort has no weights yet")
        order = self._rows(epoch.order)
        rate = self._each_step(epoch.rate)
        momentum = None if epoch.momentum is None else self._each_step(epoch.momentum)
        noise = layer_noise(epoch.noise, self._where)
        losses = []
        for step in range(epoch.steps):
            rows = order[:, step * epoch.batch : (step + 1) * epoch.batch]
            losses.append(self._backward(rows, noise, epoch.step + step))
            self._optimizer.schedule(rate[step], None if momentum is None else momentum[step])
            self._optimizer.step()
        return EpochTrace(loss=_floats(torch.stack(losses, dim=1)))

    def evaluate(
        self,
        split: Literal["train", "valid"],
        metrics: tuple[Metric, ...],
        *,
        probabilities: bool = False,
    ) -> Scores:
        """Score the lanes on a split, nothing dropped, in pieces of bounded memory."""
        return self._score(split, metrics, probabilities)

    def score(self, metrics: tuple[Metric, ...], *, probabilities: bool = False) -> Scores:
        """Score the lanes on the test split."""
        return self._score("test", metrics, probabilities)

    def gradient(self, batch: Batch) -> Weights:
        """Return the gradient of the training loss on a batch; frozen layers have none."""
        self._backward(self._rows(batch.rows), layer_noise(batch.noise, self._where), batch.step)
        return self._arrays({n: p.grad for n, p in self._stack.variables().items()})

    def weights(self) -> Weights:
        """Return a copy of the weights, in the cohort's precision."""
        return self._arrays(self._stack.variables())

    def _backward(self, rows: Tensor, noise: Mapping[str, Noise], step: int) -> Tensor:
        """Leave the gradients of a batch in `.grad` and return its loss, [lanes]."""
        inputs, labels = self._data["train"]
        flat = rows.flatten()
        shape = (*rows.shape, -1)
        batch = inputs.index_select(0, flat).view(shape)
        wanted = labels.index_select(0, flat).view(*rows.shape, *labels.shape[1:])
        logits = self._stack(batch, self._masks(noise, step, rows.shape[1]))
        loss = network.losses(self._network.loss, logits, wanted).mean(1)
        # A gradient of one for every lane: what one lane's loss is never meets another's.
        loss.backward(torch.ones_like(loss))
        return loss.detach()

    def _masks(self, noise: Mapping[str, Noise], step: int, batch: int) -> dict[str, Tensor]:
        """Return the mask of every dropout layer of this step, [lanes, batch, units]."""
        widths = self._network.widths(self._features)
        like = self._data["train"][0]
        return {
            layer.label: mask(
                noise[layer.label],
                step,
                (self._lanes, batch, widths[layer.label]),
                threshold(layer.rate),
                like,
            )
            for layer in self._network.dropouts()
        }

    @torch.inference_mode()
    def _score(self, split: str, metrics: tuple[Metric, ...], probabilities: bool) -> Scores:
        kind = self._network.loss
        self._check(metrics, probabilities)
        inputs, labels = self._data[split]
        sums = {name: torch.zeros(self._lanes, dtype=torch.float64) for name in metrics}
        sums = {name: value.to(self._where.device) for name, value in sums.items()}
        chances: dict[int, list[Tensor]] = {}
        for lanes, rows in self._pieces(len(inputs)):
            width = lanes.stop - lanes.start
            piece = inputs[rows].expand(width, -1, -1)
            wanted = labels[rows].expand(width, *labels[rows].shape)
            logits = self._stack.predict(piece, lanes)
            if "loss" in sums:
                losses = network.losses(kind, logits, wanted)
                sums["loss"][lanes] += losses.sum(1, dtype=torch.float64)
            if "accuracy" in sums:
                sums["accuracy"][lanes] += network.correct(kind, logits, wanted).sum(1)
            if probabilities:
                part = network.probabilities(kind, logits)
                chances.setdefault(lanes.start, []).append(part.cpu())
        return Scores(
            metrics={name: _floats(value) / len(inputs) for name, value in sums.items()},
            probabilities=torch.cat([torch.cat(c, dim=1) for c in chances.values()]).numpy()
            if probabilities
            else None,
        )

    def _pieces(self, rows: int) -> Iterator[tuple[slice, slice]]:
        """Yield lanes and rows so that no activation has more than the bound's elements."""
        bound = self._where.elements
        widest = max(layer.units for layer in self._network.dense())
        length = min(rows, max(1, bound // widest))
        width = max(1, bound // (widest * length))
        for lane in range(0, self._lanes, width):
            for row in range(0, rows, length):
                yield slice(lane, min(lane + width, self._lanes)), slice(row, row + length)

    def _check(self, metrics: tuple[Metric, ...], probabilities: bool) -> None:
        for name in metrics:
            if name not in _METRICS:
                raise RequestError(unknown("metric", name, _METRICS))
        if self._network.loss == "mean_squared_error" and ("accuracy" in metrics or probabilities):
            raise RequestError(
                f"network {self._network.name!r} has a linear output, which has no accuracy and "
                "no probabilities; ask for 'loss'."
            )

    def _rows(self, rows: NDArray[np.int32]) -> Tensor:
        return torch.from_numpy(rows.astype(np.int64)).to(self._where.device)

    def _each_step(self, values: Floats) -> Tensor:
        """Return values [lanes, steps] as [steps, lanes, 1, 1] on the device."""
        columns = torch.from_numpy(np.ascontiguousarray(values.T))
        return columns.to(self._where.device, self._where.dtype)[:, :, None, None]

    def _arrays(self, tensors: Mapping[str, Tensor | None]) -> dict[str, NDArray[Any]]:
        """Return copies of tensors by name; a bias loses the axis it has for the batch."""
        return {
            name: (value.squeeze(1) if name.endswith("/bias") else value)
            .detach()
            .cpu()
            .numpy()
            .copy()
            for name, value in tensors.items()
            if value is not None
        }


def _tensors(split: Split, wanted: Network, where: device.Placement) -> tuple[Tensor, Tensor]:
    """Return a split's inputs and labels as the network's loss wants them, on the device."""
    inputs = torch.as_tensor(np.ascontiguousarray(split.inputs)).to(where.device, where.dtype)
    labels = torch.as_tensor(np.ascontiguousarray(split.labels))
    if wanted.loss == "sparse_cross_entropy":
        return inputs, labels.to(where.device, torch.int64)
    targets = labels.view(len(labels), -1)
    if targets.shape[1] != wanted.output.units:
        raise RequestError(
            f"network {wanted.name!r} has {wanted.output.units} outputs, and the data have "
            f"{targets.shape[1]} targets for each example."
        )
    return inputs, targets.to(where.device, where.dtype)


def _floats(values: Tensor) -> Floats:
    return values.double().cpu().numpy()
