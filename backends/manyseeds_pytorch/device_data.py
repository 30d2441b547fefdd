"""A task's data as tensors on the device."""

from __future__ import annotations

import torch
from torch import Tensor

from manyseeds.backend.values import Split, Splits
from manyseeds.errors import RequestError
from manyseeds.techniques.network import Network
from manyseeds_pytorch.device import OpenDevice

DeviceSplits = dict[str, tuple[Tensor, Tensor]]
"""Inputs [n, features] and labels [n, ...] of every split, by its name."""


def device_splits(network: Network, data: Splits, device: OpenDevice) -> DeviceSplits:
    """Return a task's splits as tensors, with labels of the type that the network's loss takes.

    Raises
    ------
    RequestError
        The data have another number of targets than the network has outputs.
    """
    splits = {"train": data.train, "valid": data.valid, "test": data.test}
    return {name: _tensors(split, network, device) for name, split in splits.items()}


def _tensors(split: Split, network: Network, device: OpenDevice) -> tuple[Tensor, Tensor]:
    inputs = torch.tensor(split.inputs, dtype=device.dtype, device=device.torch_device)
    labels = torch.tensor(split.labels)
    if network.loss == "sparse_cross_entropy":
        return inputs, labels.to(device.torch_device, torch.int64)
    targets = labels.view(len(labels), -1)
    if targets.shape[1] != network.output.units:
        raise RequestError(
            f"the data have {targets.shape[1]} target values per example, but network "
            f"{network.name!r} has {network.output.units} outputs"
        )
    return inputs, targets.to(device.torch_device, device.dtype)
