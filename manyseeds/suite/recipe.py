"""A recipe: everything that defines one training, as frozen, hashable data.

A recipe is a list of phases, each a stretch of training of one network on one task with one
optimizer. Recipes whose first phases are equal share the training of those phases.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from manyseeds.model import Model, digest
from manyseeds.techniques.augmentation import Augmentation
from manyseeds.techniques.clipping import Clipping
from manyseeds.techniques.early_stopping import EarlyStopping
from manyseeds.techniques.monte_carlo import McAlphaDropout, McDropout, MonteCarlo
from manyseeds.techniques.network import Network
from manyseeds.techniques.optimizers import Optimizer, Sgd
from manyseeds.techniques.regularisation import Pruning
from manyseeds.techniques.schedules import ConstantRate, Schedule

Scaling = Literal["unit", "standardised", "raw"]


class Task(Model):
    """What is learned from: a data set, its splits, its classes.

    Attributes
    ----------
    name
        Keys the task's batch order in the `order` stream.
    dataset
        A name of `manyseeds list datasets`.
    valid
        The first so many images of the training file are for validation.
    classes
        The classes kept, relabelled 0, 1, … in the order given; None keeps all as they are.
        With a logistic output the second class is the positive one.
    train
        Train on the first so many of the remaining images (or, where the `split` stream is
        varied, on so many drawn by it); None: on all.
    scaling
        "unit": pixels / 255 · "standardised": then by the training set's mean and sd per
        feature · "raw": as in the file.
    """

    name: str
    dataset: str
    valid: int = Field(default=5000, ge=1)
    classes: tuple[int, ...] | None = None
    train: int | None = Field(default=None, ge=1)
    scaling: Scaling = "unit"


class Phase(Model):
    """A stretch of training: one network, one task, one fresh optimizer.

    Attributes
    ----------
    name
        Unique in the recipe.
    clipping
        What becomes of the gradient before the optimizer sees it.
    augmentation
        What is done to the training images, in this order.
    reuse
        The layers, by label, that start with the weights the previous phase left; the others
        start from the `init` stream. "all" goes on with the previous phase's network.
    reuse_from
        Which of the previous network's layers a reused layer takes its weights from, where that
        has another label: pairs of our label and theirs.
    shared
        The reused layers are the previous network's own, not clones: training this phase
        changes that network too. What it has become is scored under `source_*`.
    frozen
        The layers, by label, whose weights stay.
    keep_zeros
        Kernel weights that are 0 as the phase starts stay so.
    pruning
        Which weights become 0 as the phase ends.
    diagnostics
        Record mean and sd of the layers' outputs, dead units, gradient norms and zero weights
        after every epoch.
    """

    name: str
    task: Task
    network: Network
    epochs: int = Field(ge=0)
    rate: float = Field(gt=0)
    batch: int = Field(default=32, ge=1)
    optimizer: Optimizer = Sgd()
    schedule: Schedule = ConstantRate()
    clipping: Clipping | None = None
    augmentation: tuple[Augmentation, ...] = ()
    reuse: tuple[str, ...] | Literal["all"] = ()
    reuse_from: tuple[tuple[str, str], ...] = ()
    shared: bool = False
    frozen: tuple[str, ...] = ()
    keep_zeros: bool = False
    pruning: Pruning | None = None
    early_stopping: EarlyStopping | None = None
    diagnostics: bool = False

    @model_validator(mode="after")
    def _check(self) -> Phase:
        labels = set(self.network.labels())
        reuse = () if self.reuse == "all" else self.reuse
        for key, named in (("reuse", reuse), ("frozen", self.frozen)):
            if stray := sorted(set(named) - labels):
                raise ValueError(
                    f"{key} names {', '.join(map(repr, stray))}, no layer with weights of network "
                    f"{self.network.name!r}; it has {', '.join(sorted(labels))}"
                )
        if self.frozen and set(self.frozen) >= labels:
            raise ValueError("every layer is frozen: nothing is left to train")
        if self.shared and not self.reuse:
            raise ValueError("shared is for reused layers: say under reuse which they are")
        if stray := sorted({ours for ours, _ in self.reuse_from} - set(self.reused())):
            raise ValueError(f"reuse_from names {stray[0]!r}, which is not reused")
        moved = "momentum" in self.optimizer.hyperparameters()
        if self.schedule.moves_momentum() and not moved:
            raise ValueError(
                f"the schedule {self.schedule.name!r} moves a momentum, and the optimizer "
                f"{self.optimizer.name!r} has none: use momentum or nesterov"
            )
        return self

    def reused(self) -> tuple[str, ...]:
        """Return the labels of the layers that start with the previous phase's weights."""
        if self.reuse == "all":
            return self.network.labels()
        return self.reuse

    def sources(self) -> dict[str, str]:
        """Return the previous network's label of every reused layer."""
        return {label: label for label in self.reused()} | dict(self.reuse_from)


class Recipe(Model):
    """Everything that defines one training.

    Attributes
    ----------
    name
        What the suite calls it.
    phases
        In order; the last one's network is the one that is scored.
    monte_carlo
        Score the last network with dropout on, too.
    fold
        Score the last network with its batch normalisation folded into its dense layers.
    expect_divergence
        A diverged row counts as delivered.
    """

    name: str
    phases: Annotated[tuple[Phase, ...], Field(min_length=1)]
    monte_carlo: MonteCarlo | None = None
    fold: bool = False
    expect_divergence: bool = False

    @model_validator(mode="after")
    def _check(self) -> Recipe:
        names = [phase.name for phase in self.phases]
        if len(set(names)) < len(names):
            raise ValueError(f"two phases share a name: {', '.join(names)}")
        if self.phases[0].reused():
            raise ValueError("the first phase has nothing to reuse")
        for before, phase in pairwise(self.phases):
            _check_reuse(before, phase)
        if self.monte_carlo:
            _check_dropout(self.monte_carlo, self.phases[-1].network)
        shared = next((n for n, phase in enumerate(self.phases) if phase.shared), None)
        if shared and self.phases[shared].network.name == self.phases[shared - 1].network.name:
            raise ValueError(
                f"phase {self.phases[shared].name!r} goes on with the network of the phase before: "
                "shared is for a network that has layers of another"
            )
        return self

    def prefix(self, phases: int) -> str:
        """Return the fingerprint of the first `phases` phases, the part that can be shared."""
        return digest([_trained(phase) for phase in self.phases[:phases]])

    def fingerprint(self) -> str:
        """Return the SHA-256 of what is trained; the recipe's own name is no part of it."""
        return self.prefix(len(self.phases))


def _check_reuse(before: Phase, phase: Phase) -> None:
    """Refuse reused layers that the phase before does not have in the same shape."""
    features = 1  # of the same data set or not: the shapes above the input say nothing of it
    theirs, ours = before.network.shapes(features), phase.network.shapes(features)
    sources = phase.sources()
    for name, shape in ours.items():
        label, variable = name.split("/")
        source = sources.get(label)
        if source is not None and theirs.get(f"{source}/{variable}") != shape:
            raise ValueError(
                f"phase {phase.name!r} reuses {source!r} of phase {before.name!r}, whose network "
                f"{before.network.name!r} has no layer of this name and shape"
            )


def _check_dropout(wanted: McDropout, network: Network) -> None:
    """Refuse to sample from a network that drops nothing, or in another way."""
    kind = "alpha_dropout" if isinstance(wanted, McAlphaDropout) else "dropout"
    if kind not in {layer.name for layer in network.layers}:
        raise ValueError(f"{wanted.name} needs a layer {kind!r} in network {network.name!r}")


def _trained(phase: Phase) -> dict[str, Any]:
    return phase.model_dump(mode="json", exclude={"name"})
