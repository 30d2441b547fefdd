"""The loop over an epoch's steps: some lanes in lockstep, one tensor for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manyseeds.backend import Batch, EpochPlan, Floats, Metric
from manyseeds.network import Network, Weights
from manyseeds.noise import threshold
from manyseeds.recipe import Phase
from manyseeds_pytorch import network
from manyseeds_pytorch.device import DeviceSplits, Placement
from manyseeds_pytorch.noise import Noise, layer_noise, mask
from manyseeds_pytorch.optimizers import LaneOptimizer, optimizer

PROBABILITIES = "probabilities"
"""Among the scores of a shard, beside the metrics."""

Arrays = dict[str, NDArray[Any]]


class Shard:
    """Some of a cohort's lanes, trained in lockstep: one tensor for all of them.

    Parameters
    ----------
    wanted, data, lanes, where
        As for the cohort.
    """

    def __init__(self, wanted: Network, data: DeviceSplits, lanes: int, where: Placement) -> None:
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
                given = torch.as_tensor(np.ascontiguousarray(weights[name]))
                network.canonical(name, parameter).copy_(given)
        self._optimizer = optimizer(phase.optimizer, list(self._learning().values()))

    def train(self, epoch: EpochPlan) -> Floats:
        """Take the plan's steps and return the losses, [lanes, steps]."""
        if self._optimizer is None:
            raise RuntimeError("train before begin: the cohort has no weights yet")
        order = self._rows(epoch.order)
        rate = self._each_step(epoch.rate)
        momentum = None if epoch.momentum is None else self._each_step(epoch.momentum)
        noise = layer_noise(epoch.noise, self._where)
        rooms = dict(zip(self._learning(), self._optimizer.rooms, strict=True))
        self._stack.collect(rooms, keep=self._optimizer.absorbs)
        losses = []
        for step in range(epoch.steps):
            rows = order[:, step * epoch.batch : (step + 1) * epoch.batch]
            start = self._optimizer.begin(rate[step], None if momentum is None else momentum[step])
            losses.append(self._backward(rows, noise, epoch.step + step, start))
            self._optimizer.step()
        return _floats(torch.stack(losses, dim=1))

    def gradient(self, batch: Batch) -> Arrays:
        """Return the gradient of the training loss on a batch, without frozen layers."""
        rooms = {name: torch.empty_like(p) for name, p in self._learning().items()}
        self._stack.collect(rooms, keep=False)
        start = torch.ones(self._lanes, device=self._where.device, dtype=self._where.dtype)
        noise = layer_noise(batch.noise, self._where)
        self._backward(self._rows(batch.rows), noise, batch.step, start)
        return self._arrays(rooms)

    def weights(self) -> Arrays:
        """Return the weights; a bias is a view of what is trained."""
        return self._arrays(self._stack.variables())

    def _learning(self) -> dict[str, torch.nn.Parameter]:
        return {name: p for name, p in self._stack.variables().items() if p.requires_grad}

    def _backward(
        self, rows: Tensor, noise: Mapping[str, Noise], step: int, start: Tensor
    ) -> Tensor:
        """Collect `start` times the gradient of a batch's loss, and return the loss, [lanes]."""
        inputs, labels = self._data["train"]
        flat = rows.flatten()
        shape = (*rows.shape, -1)
        batch = inputs.index_select(0, flat).view(shape)
        wanted = labels.index_select(0, flat).view(*rows.shape, *labels.shape[1:])
        logits = self._stack(batch, self._masks(noise, step, rows.shape[1]))
        loss = network.losses(self._network.loss, logits, wanted).mean(1)
        loss.backward(start)  # One for each lane: what one lane's loss is never meets another's.
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
    def score(self, split: str, metrics: tuple[Metric, ...], probabilities: bool) -> Arrays:
        """Return the metrics [lanes] and, where asked for, the probabilities [lanes, n, units]."""
        kind = self._network.loss
        inputs, labels = self._data[split]
        sums = {
            name: torch.zeros(self._lanes, dtype=torch.float64, device=self._where.device)
            for name in metrics
        }
        shape = (self._lanes, len(inputs), self._network.output.units)
        chances = torch.empty(shape if probabilities else 0, dtype=self._where.dtype)
        for lanes, rows in self._pieces(len(inputs)):
            width = lanes.stop - lanes.start
            wanted = labels[rows].expand(width, *labels[rows].shape)
            logits = self._stack.predict(inputs[rows].expand(width, -1, -1), lanes)
            if "loss" in sums:
                losses = network.losses(kind, logits, wanted)
                sums["loss"][lanes] += losses.sum(1, dtype=torch.float64)
            if "accuracy" in sums:
                sums["accuracy"][lanes] += network.correct(kind, logits, wanted).sum(1)
            if probabilities:
                chances[lanes, rows] = network.probabilities(kind, logits).cpu()
        scores: Arrays = {name: _floats(value) / len(inputs) for name, value in sums.items()}
        return scores | ({PROBABILITIES: chances.numpy()} if probabilities else {})

    def _pieces(self, rows: int) -> Iterator[tuple[slice, slice]]:
        """Yield lanes and rows so that no activation has more than the bound's elements."""
        bound = self._where.elements
        widest = max(layer.units for layer in self._network.dense())
        length = min(rows, max(1, bound // widest))
        width = max(1, bound // (widest * length))
        for lane in range(0, self._lanes, width):
            for row in range(0, rows, length):
                yield slice(lane, min(lane + width, self._lanes)), slice(row, row + length)

    def _rows(self, rows: NDArray[np.int32]) -> Tensor:
        return torch.from_numpy(rows.astype(np.int64)).to(self._where.device)

    def _each_step(self, values: Floats) -> Tensor:
        """Return values [lanes, steps] as [steps, lanes, 1, 1] on the device."""
        columns = torch.from_numpy(np.ascontiguousarray(values.T))
        return columns.to(self._where.device, self._where.dtype)[:, :, None, None]

    def _arrays(self, tensors: Mapping[str, Tensor]) -> Arrays:
        """Return variables by name as arrays in the harness's shapes."""
        return {
            name: network.canonical(name, value).detach().cpu().contiguous().numpy()
            for name, value in tensors.items()
        }


def _floats(values: Tensor) -> Floats:
    return values.double().cpu().numpy()
