"""The loop over an epoch's steps: some lanes in lockstep, one tensor for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manyseeds.backend.values import (
    Activity,
    Batch,
    EpochPlan,
    EpochTrace,
    Floats,
    Metric,
    Sampling,
)
from manyseeds.suite.recipe import Phase
from manyseeds.techniques.augmentation import Changes
from manyseeds.techniques.clipping import GlobalClipNorm
from manyseeds.techniques.network import Network, Weights
from manyseeds_pytorch.activity import joined_activity, moments
from manyseeds_pytorch.adaptive import optimizer
from manyseeds_pytorch.augmentation import DeviceChanges, augmented, on_device
from manyseeds_pytorch.clipping import clipping, constraints
from manyseeds_pytorch.device import DeviceSplits, Placement
from manyseeds_pytorch.network import canonical, stack
from manyseeds_pytorch.noise import network_noise
from manyseeds_pytorch.optimizers import LaneOptimizer, Pace, Piece
from manyseeds_pytorch.outputs import Logits
from manyseeds_pytorch.penalties import Penalties
from manyseeds_pytorch.run import Run
from manyseeds_pytorch.sampling import score_samples
from manyseeds_pytorch.scoring import Tally, pieces, score

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class _Training:
    """What a shard trains between two calls of `begin`, and how."""

    learning: Mapping[str, Tensor]
    penalties: Penalties
    optimizer: LaneOptimizer


class Shard:
    """Some of a cohort's lanes, trained in lockstep: one tensor for all of them.

    Parameters
    ----------
    wanted, data, lanes, where
        As for the cohort.
    """

    def __init__(self, wanted: Network, data: DeviceSplits, lanes: int, where: Placement) -> None:
        self._data, self._where = data, where
        self._stack = stack(wanted, data["train"][0].shape[1], lanes, where)
        self._begun: _Training | None = None

    def begin(self, phase: Phase, weights: Weights) -> None:
        """Start a phase: these weights, this phase's frozen layers, a fresh optimizer."""
        self._stack = self._stack.configured(phase.network, phase.frozen)
        variables = self._stack.variables()
        for name, variable in variables.items():
            given = torch.as_tensor(np.ascontiguousarray(weights[name]))
            canonical(name, variable.requires_grad_(False)).copy_(given)
        learning = {n: variables[n].requires_grad_() for n in phase.network.trained(phase.frozen)}
        penalties = Penalties(phase.network, variables, learning)
        kernels = [place for place, name in enumerate(learning) if name.endswith("/kernel")]
        wants_all = isinstance(phase.clipping, GlobalClipNorm)
        chosen = optimizer(
            phase.optimizer,
            list(learning.values()),
            before=[*penalties.hooks(), *clipping(phase.clipping)],
            after=constraints(phase.network, learning, phase.keep_zeros),
            early=[] if wants_all else kernels,
        )
        self._begun = _Training(learning, penalties, chosen)

    def train(self, epoch: EpochPlan) -> EpochTrace:
        """Take the plan's steps in all lanes."""
        training = self._training()
        optimizer, penalties = training.optimizer, training.penalties
        order, changes = self._rows(epoch.order), self._changes(epoch.changes)
        rate = self._each_step(epoch.rate)
        momentum = None if epoch.momentum is None else self._each_step(epoch.momentum)
        noise = network_noise(epoch.noise, self._where)
        run = Run(
            training=True,
            dropping=True,
            moving=True,
            keep=optimizer.absorbs,
            rooms=optimizer.leaving,
            noise=noise,
        )
        names = list(training.learning)
        self._collect({names[place]: room for place, room in optimizer.rooms.items()})
        losses, added = [], []
        for step in range(epoch.step_count):
            part = slice(step * epoch.batch, (step + 1) * epoch.batch)
            batch = self._batch(order[:, part], changes and changes.of(part))
            pace = Pace(
                rate[step], None if momentum is None else momentum[step], epoch.rate[:, step]
            )
            penalties.begin()
            start = optimizer.begin(pace)
            losses.append(self._backward(*batch, replace(run, step=epoch.step + step), start))
            optimizer.step()
            if penalties.value is not None:
                added.append(penalties.value.clone())
        return EpochTrace(
            loss=_floats(torch.stack(losses, dim=1)),
            penalty=_floats(torch.stack(added, dim=1)) if added else None,
        )

    def gradient(self, batch: Batch) -> Arrays:
        """Return the gradient of the training loss on a batch, of what is trained."""
        training = self._training()
        rooms = {name: torch.empty_like(value) for name, value in training.learning.items()}
        self._collect(rooms)
        start = torch.ones(self._stack.lanes, device=self._where.device, dtype=self._where.dtype)
        examples = self._batch(self._rows(batch.rows), self._changes(batch.changes))
        noise = network_noise(batch.noise, self._where)
        run = Run(training=True, dropping=True, noise=noise, step=batch.step)
        self._backward(*examples, run, start)
        values = [value.detach() for value in training.learning.values()]
        piece = Piece(slice(None), range(len(values)), [values, list(rooms.values())])
        for hook in training.penalties.hooks():
            hook(piece)
        return self._arrays(rooms)

    @torch.inference_mode()
    def activity(self, batch: Batch, *, training: bool) -> dict[str, Activity]:
        """Return what leaves each layer on rows of the training split, some lanes at a time."""
        found = []
        rows = batch.rows.shape[1]
        for lanes, _ in pieces(self._stack, rows, rows, self._where):
            changes = batch.changes[lanes] if training and batch.changes else None
            inputs, _ = self._batch(self._rows(batch.rows[lanes]), self._changes(changes))
            noise = network_noise({n: key[lanes] for n, key in batch.noise.items()}, self._where)
            run = Run(training=training, dropping=training, noise=noise, step=batch.step)
            found.append(moments(self._stack.part(lanes), inputs, run))
        return joined_activity(found)

    def score(
        self,
        split: str,
        metrics: tuple[Metric, ...],
        probabilities: bool,
        sampling: Sampling | None = None,
    ) -> Arrays:
        """Return the metrics [lanes] and, where asked for, the probabilities [lanes, n, units]."""
        examples = self._data[split]
        shape = (self._stack.lanes, len(examples[0]), self._stack.network.output.units)
        tally = Tally(metrics, probabilities, shape, self._where)
        if sampling is None:
            score(self._stack, *examples, tally, self._where)
        else:
            score_samples(self._stack, *examples, tally, sampling, self._where)
        return tally.arrays()

    def weights(self) -> Arrays:
        """Return the weights; a bias is a view of what is trained."""
        return self._arrays(self._stack.variables())

    def _training(self) -> _Training:
        if self._begun is None:
            raise RuntimeError("train before begin: the cohort has no weights yet")
        return self._begun

    def _collect(self, rooms: Mapping[str, Tensor]) -> None:
        """Set where the backward pass leaves what it finds for every variable that learns."""
        for name, variable in self._stack.variables().items():
            variable.grad = rooms.get(name)

    def _batch(self, rows: Tensor, changes: DeviceChanges | None) -> tuple[Tensor, Tensor]:
        """Return the inputs [lanes, batch, features] and the labels of rows [lanes, batch]."""
        inputs, labels = self._data["train"]
        flat = rows.flatten()
        batch = inputs.index_select(0, flat).view(*rows.shape, -1)
        wanted = labels.index_select(0, flat).view(*rows.shape, *labels.shape[1:])
        return batch if changes is None else augmented(batch, changes), wanted

    def _backward(self, inputs: Tensor, labels: Tensor, run: Run, start: Tensor) -> Tensor:
        """Collect `start` times the gradient of a batch's loss, and return the loss, [lanes]."""
        logits = Logits(self._stack.network.loss, self._stack.logits(inputs, run))
        loss = logits.losses(labels).mean(1)
        loss.backward(start)  # One for each lane: what one lane's loss is never meets another's.
        return loss.detach()

    def _rows(self, rows: NDArray[np.int32]) -> Tensor:
        return torch.from_numpy(rows.astype(np.int64)).to(self._where.device)

    def _changes(self, changes: Changes | None) -> DeviceChanges | None:
        return None if changes is None else on_device(changes, self._where)

    def _each_step(self, values: Floats) -> Tensor:
        """Return values [lanes, steps] as [steps, lanes, 1, 1] on the device."""
        columns = torch.from_numpy(np.ascontiguousarray(values.T))
        return columns.to(self._where.device, self._where.dtype)[:, :, None, None]

    def _arrays(self, tensors: Mapping[str, Tensor]) -> Arrays:
        """Return variables by name as arrays in the harness's shapes."""
        return {
            name: canonical(name, value).detach().cpu().contiguous().numpy()
            for name, value in tensors.items()
        }


def _floats(values: Tensor) -> Floats:
    return values.double().cpu().numpy()
