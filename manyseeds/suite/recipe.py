"""A recipe: everything that defines one training, as frozen, hashable data.

A recipe is a list of phases; each trains one network on one task with one optimizer. Recipes whose
first phases are equal share the training of these phases.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from manyseeds.model import Model, digest
from manyseeds.model.limits import MOST_BATCH, MOST_EPOCHS, MOST_PHASES
from manyseeds.model.names import Name, check_distinct
from manyseeds.techniques.augmentation import Augmentation
from manyseeds.techniques.clipping import Clipping
from manyseeds.techniques.early_stopping import EarlyStopping
from manyseeds.techniques.folding import check_foldable
from manyseeds.techniques.monte_carlo import McAlphaDropout, McDropout, MonteCarlo
from manyseeds.techniques.network import Network
from manyseeds.techniques.optimizers import Optimizer, Sgd
from manyseeds.techniques.regularisation import Pruning
from manyseeds.techniques.schedules import ConstantRate, Schedule

Scaling = Literal["unit", "standardised", "raw"]


def _told_apart(classes: tuple[int, ...]) -> tuple[int, ...]:
    if len(classes) < 2:
        raise ValueError("a single class leaves nothing to tell apart: name two or more")
    if len(set(classes)) < len(classes):
        raise ValueError("a class is named twice")
    return classes


class Task(Model):
    """The data to learn from: a data set, its splits, its classes.

    Attributes
    ----------
    name
        Part of the address of the task's batch orders in the `order` stream.
    dataset
        The name of a data set of `manyseeds list datasets`.
    valid
        Number of examples, at the start of the training file, for validation.
    classes
        The classes to use, relabelled 0, 1, … in this order; None uses all, with their own labels.
        With a logistic output the second class is the positive one.
    train
        Number of training examples: the first after those for validation or, if the `split` stream
        is varied, examples that it draws. None uses all.
    scaling
        "unit": pixels / 255 · "standardised": then, for each feature, minus the mean and divided by
        the sd of the training split · "raw": as in the file.
    """

    name: Name
    dataset: str
    valid: int = Field(default=5000, ge=1)
    classes: Annotated[tuple[int, ...], AfterValidator(_told_apart)] | None = None
    train: int | None = Field(default=None, ge=1)
    scaling: Scaling = "unit"


class Phase(Model):
    """A stretch of training: one network, one task, one fresh optimizer.

    Attributes
    ----------
    name
        A name that is unique in the recipe.
    task, network
        The data, and the network that is trained on them.
    epochs, batch
        Number of epochs, and of examples in a batch.
    rate, optimizer, schedule
        The learning rate, the optimizer and the schedule of the rate.
    clipping
        The limit on the gradient; None for none.
    augmentation
        The changes of the training images, in this order.
    reuse
        Labels of the layers that start with the weights the previous phase left; the others start
        from the `init` stream. "all" continues with the previous phase's network.
    reuse_from
        Pairs of labels, of a reused layer and of the previous network's layer whose weights it
        takes, for layers whose labels differ.
    shared
        The reused layers are the previous network's own, not copies: training this phase changes
        that network too, and its scores before and after are recorded as `source_*`.
    frozen
        Labels of the layers whose weights stay.
    keep_zeros
        Kernel weights that are 0 at the start of the phase stay 0.
    pruning
        The rule by which weights become 0 at the end of the phase; None for none.
    early_stopping
        The rule by which lanes stop before `epochs`; None for none.
    diagnostics
        Record mean and sd of the layers' outputs, dead units, gradient norms and zero weights
        after every epoch.
    """

    name: Name
    task: Task
    network: Network
    epochs: int = Field(ge=0, le=MOST_EPOCHS)
    rate: float = Field(gt=0)
    batch: int = Field(default=32, ge=1, le=MOST_BATCH)
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
        _check_output(self.network)
        labels = set(self.network.labels())
        reuse = () if self.reuse == "all" else self.reuse
        for key, named in (("reuse", reuse), ("frozen", self.frozen)):
            if stray := sorted(set(named) - labels):
                raise ValueError(
                    f"{key} names {', '.join(map(repr, stray))}, but the layers with weights of "
                    f"network {self.network.name!r} are {', '.join(sorted(labels))}"
                )
        if self.frozen and set(self.frozen) >= labels:
            raise ValueError("every layer is frozen: nothing is left to train")
        if self.shared and not self.reuse:
            raise ValueError("shared is for reused layers: name them under reuse")
        if stray := sorted({ours for ours, _ in self.reuse_from} - set(self.reused())):
            raise ValueError(f"reuse_from names {stray[0]!r}, which is not reused")
        has_momentum = "momentum" in self.optimizer.hyperparameters()
        if self.schedule.moves_momentum() and not has_momentum:
            raise ValueError(
                f"the schedule {self.schedule.name!r} changes the momentum, but the optimizer "
                f"{self.optimizer.name!r} has none: use momentum or nesterov"
            )
        return self

    def reused(self) -> tuple[str, ...]:
        """Return the labels of the layers that start with weights of the previous phase."""
        if self.reuse == "all":
            return self.network.labels()
        return self.reuse

    def sources(self) -> dict[str, str]:
        """Return the label in the previous network of every reused layer, by its own label."""
        return {label: label for label in self.reused()} | dict(self.reuse_from)


class Recipe(Model):
    """Everything that defines one training.

    Attributes
    ----------
    name
        The recipe's name in its suite.
    phases
        The phases, in order; the network of the last one is scored.
    monte_carlo
        Also score the network by Monte Carlo dropout; None to do without.
    fold
        Score the network with its batch normalisation folded into its dense layers.
    expect_divergence
        A row that diverged counts as delivered.
    """

    name: Name
    phases: Annotated[tuple[Phase, ...], Field(min_length=1, max_length=MOST_PHASES)]
    monte_carlo: MonteCarlo | None = None
    fold: bool = False
    expect_divergence: bool = False

    @model_validator(mode="after")
    def _check(self) -> Recipe:
        check_distinct("phases", [phase.name for phase in self.phases])
        if self.phases[0].reused():
            raise ValueError("the first phase has nothing to reuse")
        for before, phase in pairwise(self.phases):
            check_reuse(before, phase, (1, 1))  # any inputs: data sets are not known here
        if self.fold:
            check_foldable(self.phases[-1].network)
        if self.monte_carlo:
            _check_dropout(self.monte_carlo, self.phases[-1].network)
        shared = next((n for n, phase in enumerate(self.phases) if phase.shared), None)
        if shared and self.phases[shared].network.name == self.phases[shared - 1].network.name:
            raise ValueError(
                f"phase {self.phases[shared].name!r} continues with the previous phase's network: "
                "shared is for another network that has some of its layers"
            )
        return self

    def prefix(self, phases: int) -> str:
        """Return the fingerprint of the first `phases` phases, which recipes can share."""
        return digest([_trained(phase) for phase in self.phases[:phases]])

    def fingerprint(self) -> str:
        """Return the SHA-256 of all phases; neither their names nor the recipe's are part of it."""
        return self.prefix(len(self.phases))


def _check_output(network: Network) -> None:
    """Check that the output layer has as many units as its activation can mean."""
    units, activation = network.output.units, network.output.activation.name
    if activation == "softmax" and units == 1:
        raise ValueError(
            f"network {network.name!r} has 1 softmax output, which is always 1: give the output "
            "one unit per class, or one logistic unit for two classes"
        )
    if activation != "softmax" and units != 1:
        raise ValueError(
            f"network {network.name!r} has {units} {activation} outputs: expected 1 unit"
        )


def check_reuse(before: Phase, phase: Phase, features: tuple[int, int]) -> None:
    """Refuse a phase whose previous phase does not have the reused layers in the same shapes.

    Parameters
    ----------
    before, phase
        The two phases.
    features
        The number of input features of either.

    Raises
    ------
    ValueError
        There is no layer of the name and shape.
    """
    theirs, ours = before.network.shapes(features[0]), phase.network.shapes(features[1])
    sources = phase.sources()
    for name, shape in ours.items():
        label, variable = name.split("/")
        source = sources.get(label)
        if source is not None and theirs.get(f"{source}/{variable}") != shape:
            raise ValueError(
                f"phase {phase.name!r} reuses {source!r} of phase {before.name!r}, whose network "
                f"{before.network.name!r} has no layer of this name and shape"
            )


def _check_dropout(sampling: McDropout, network: Network) -> None:
    """Check that the network has the kind of dropout that it is to be sampled with."""
    kind = "alpha_dropout" if isinstance(sampling, McAlphaDropout) else "dropout"
    if kind not in {layer.name for layer in network.layers}:
        raise ValueError(f"{sampling.name} needs a layer {kind!r} in network {network.name!r}")


def _trained(phase: Phase) -> dict[str, Any]:
    """Return everything in a phase that its training depends on: all but its name."""
    return phase.model_dump(mode="json", exclude={"name"})
