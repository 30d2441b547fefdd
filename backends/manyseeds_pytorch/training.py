"""The step loop: trains one group of lanes in lockstep, with one tensor for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
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
from manyseeds.techniques.clipping import GlobalClipNorm
from manyseeds.techniques.network import Network, Weights
from manyseeds_pytorch.activity import activity, join_activities
from manyseeds_pytorch.clipping import clipped, constrained
from manyseeds_pytorch.device import OpenDevice
from manyseeds_pytorch.device_data import DeviceSplits
from manyseeds_pytorch.lanes import Arrays
from manyseeds_pytorch.layers import ForwardPass
from manyseeds_pytorch.losses import losses
from manyseeds_pytorch.network import LaneNetwork, canonical
from manyseeds_pytorch.noise import network_noise
from manyseeds_pytorch.optimizers import lane_optimizer
from manyseeds_pytorch.optimizers_base import LaneOptimizer, ParameterTile
from manyseeds_pytorch.penalties import Penalties
from manyseeds_pytorch.scoring import sample, score
from manyseeds_pytorch.scoring_sums import ScoreSums
from manyseeds_pytorch.training_batches import DeviceBatch, DevicePlan, DeviceRows


@dataclass(frozen=True)
class Moving:
    """The state that the steps of a phase change.

    Attributes
    ----------
    trained
        The trained variables, by name.
    penalties
        Their penalties, with the value at the last step.
    optimizer
        The optimizer, with its states.
    """

    trained: Mapping[str, Tensor]
    penalties: Penalties
    optimizer: LaneOptimizer


class Trainer:
    """Trains one group of a cohort's lanes in lockstep.

    Parameters
    ----------
    network
        The network's structure.
    splits
        The task's data, on the device.
    lanes
        Number of lanes in the group.
    device
        Device and precision.
    """

    def __init__(
        self, network: Network, splits: DeviceSplits, lanes: int, device: OpenDevice
    ) -> None:
        self._splits, self._device = splits, device
        features = splits["train"][0].shape[1]
        self._network = LaneNetwork.zeros(network, features, lanes, device)
        self._moving: Moving | None = None

    def begin(self, phase: Phase, weights: Weights) -> None:
        """Start a phase with these weights, the phase's frozen layers and a fresh optimizer."""
        self._network = self._network.configured(phase.network, phase.frozen)
        variables = self._network.variables()
        for name, variable in variables.items():
            values = torch.as_tensor(np.ascontiguousarray(weights[name]))
            canonical(name, variable.requires_grad_(False)).copy_(values)
        trained = {n: variables[n].requires_grad_() for n in phase.network.trained(phase.frozen)}
        loop = self._device.loops.add_penalty
        penalties = Penalties(phase.network, variables, trained, loop)
        kernels = [index for index, name in enumerate(trained) if name.endswith("/kernel")]
        optimizer = lane_optimizer(
            phase.optimizer,
            list(trained.values()),
            before=[*penalties.hooks(), *clipped(phase.clipping)],
            after=constrained(phase.network, trained, phase.keep_zeros),
            # The norm of the whole gradient is known only after the backward pass.
            early=[] if isinstance(phase.clipping, GlobalClipNorm) else kernels,
        )
        self._moving = Moving(trained, penalties, optimizer)

    def train(self, epoch: EpochPlan) -> EpochTrace:
        """Take the plan's steps in all lanes."""
        moving = self._begun()
        optimizer, penalties = moving.optimizer, moving.penalties
        plan = DevicePlan.put(epoch, self._device)
        forward_pass = ForwardPass(
            training=True,
            dropout=True,
            update_averages=True,
            accumulate=optimizer.in_backward,
            gradient_buffers=optimizer.kernel_buffers,
            noise=network_noise(epoch.noise, self._device),
        )
        names = list(moving.trained)
        self._set_buffers({names[i]: buffer for i, buffer in optimizer.gradient_buffers.items()})
        loss_by_step, penalty_by_step = [], []
        for step in range(epoch.step_count):
            batch = DeviceBatch.take(self._splits["train"], plan.batch_rows(step))
            penalties.begin_step()
            factors = optimizer.begin_step(plan.step_rate(step))
            step_pass = replace(forward_pass, step=epoch.step + step)
            loss_by_step.append(self._backward(batch, step_pass, factors))
            optimizer.step()
            if penalties.value is not None:
                penalty_by_step.append(penalties.value.clone())
        return EpochTrace(
            loss=_floats(torch.stack(loss_by_step, dim=1)),
            penalty=_floats(torch.stack(penalty_by_step, dim=1)) if penalty_by_step else None,
        )

    def gradient(self, batch: Batch) -> Arrays:
        """Return the gradient of the training loss on a batch, by trained variable."""
        moving = self._begun()
        buffers = {name: torch.empty_like(value) for name, value in moving.trained.items()}
        self._set_buffers(buffers)
        device = self._device
        ones = torch.ones(self._network.lanes, device=device.torch_device, dtype=device.dtype)
        forward_pass = ForwardPass(
            training=True, dropout=True, noise=network_noise(batch.noise, device), step=batch.step
        )
        self._backward(self._batch(batch), forward_pass, ones)
        parameters = [value.detach() for value in moving.trained.values()]
        tile = ParameterTile(
            slice(None), range(len(parameters)), parameters, list(buffers.values())
        )
        for hook in moving.penalties.hooks():
            hook(tile)
        return _arrays(buffers)

    @torch.inference_mode()
    def activity(self, batch: Batch, *, training: bool) -> dict[str, Activity]:
        """Return each layer's activity on rows of the training split, a few lanes at a time.

        Parameters
        ----------
        batch
            The rows, in every lane.
        training
            Whether layers behave as in a training step; otherwise images are not changed.
        """
        activities = []
        rows, elements = batch.rows.shape[1], self._device.activation_elements
        for lanes, _ in self._network.blocks(rows, rows, elements):
            own = batch.lanes(lanes) if training else replace(batch.lanes(lanes), changes=None)
            noise = network_noise(own.noise, self._device)
            forward_pass = ForwardPass(
                training=training, dropout=training, noise=noise, step=own.step
            )
            inputs = self._batch(own).inputs
            activities.append(activity(self._network.select(lanes), inputs, forward_pass))
        return join_activities(activities)

    def score(
        self,
        split: str,
        metrics: tuple[Metric, ...],
        keep_probabilities: bool,
        sampling: Sampling | None = None,
    ) -> Arrays:
        """Return the metrics [lanes] and, if requested, the probabilities [lanes, n, units].

        Parameters
        ----------
        split
            Name of the split.
        metrics
            Names of the metrics.
        keep_probabilities
            Whether to return the probabilities.
        sampling
            Score the mean predictions of these samples with dropout on; None to predict plainly.
        """
        inputs, labels = self._splits[split]
        network, device = self._network, self._device
        shape = (network.lanes, len(inputs), network.definition.output.units)
        sums = ScoreSums(network.definition.loss, metrics, keep_probabilities, shape, device)
        if sampling is None:
            score(network, inputs, labels, sums, device)
        else:
            sample(network, inputs, labels, sums, sampling, device)
        return sums.scores()

    def weights(self) -> Arrays:
        """Return the weights; some are views of the variables that training changes."""
        return _arrays(self._network.variables())

    def _begun(self) -> Moving:
        if self._moving is None:
            raise RuntimeError("call begin() first: the cohort has no weights yet")
        return self._moving

    def _set_buffers(self, buffers: Mapping[str, Tensor]) -> None:
        """Set the buffers in which the backward pass stores the gradients of trained variables."""
        for name, variable in self._network.variables().items():
            variable.grad = buffers.get(name)

    def _batch(self, batch: Batch) -> DeviceBatch:
        rows = DeviceRows.put(batch.rows, batch.changes, self._device)
        return DeviceBatch.take(self._splits["train"], rows)

    def _backward(self, batch: DeviceBatch, forward_pass: ForwardPass, factors: Tensor) -> Tensor:
        """Store `factors` [lanes] times the gradient of a batch's loss; return the loss [lanes]."""
        logits = self._network.logits(batch.inputs, forward_pass)
        loss = losses(self._network.definition.loss, logits, batch.labels).mean(1)
        loss.backward(factors)  # A factor per lane keeps the lanes' losses apart.
        return loss.detach()


def _arrays(tensors: Mapping[str, Tensor]) -> Arrays:
    """Return variables by name as arrays in the shapes of the contract."""
    return {
        name: canonical(name, value).detach().cpu().contiguous().numpy()
        for name, value in tensors.items()
    }


def _floats(values: Tensor) -> Floats:
    return values.double().cpu().numpy()
