"""The workloads that are timed: steps of several techniques, a single lane, predictions, compiling.

The network is the chapter's 784-300-100-10 on random images, so that no step depends on a data set.
Each call takes milliseconds, so that the machine is the same during it as in the measurements of
the yardstick before and after.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from manyseeds.backend.protocols import Backend, Cohort
from manyseeds.backend.values import EpochPlan, Split, Splits
from manyseeds.check.timing import yardstick
from manyseeds.execution.state import State
from manyseeds.execution.timetable import Timetable, first_weights
from manyseeds.model import digest
from manyseeds.randomness.lanes import Lanes, seeds_of
from manyseeds.randomness.streams import Stream
from manyseeds.suite.dense_stack import dense_stack
from manyseeds.suite.recipe import Phase, Task
from manyseeds.techniques.network import Network

FEATURES, CLASSES, BATCH = 784, 10, 32
EPOCH, VALIDATION = 5 * BATCH, 160
"""Numbers of examples."""

Kind = Literal["step", "epoch", "prediction"]
Call = Callable[[], object]


@dataclass(frozen=True)
class Workload:
    """One workload to time.

    Attributes
    ----------
    kind
        "step", one step of a cohort · "epoch", five steps and the validation after them ·
        "prediction", a prediction of test images.
    lanes
        Lanes of the cohort.
    rows
        Test images.
    hidden, network, phase
        The hidden layers, and additional settings of the network and its phase.
    """

    kind: Kind = "step"
    lanes: int = 2
    rows: int = 1
    hidden: tuple[Any, ...] = (300, 100)
    network: dict[str, Any] = field(default_factory=dict)
    phase: dict[str, Any] = field(default_factory=dict)

    @property
    def question(self) -> str:
        """A hash of everything that is timed: timings with different hashes are not comparable."""
        parts = [self.kind, self.lanes, self.rows, EPOCH, VALIDATION, yardstick.PARTS]
        return digest([*parts, self.training().model_dump(mode="json")])[:16]

    def training(self) -> Phase:
        """Return the phase that is trained."""
        table = {"activation": "relu", "initialiser": "he_normal"} | self.network
        output = {"name": "dense", "units": CLASSES, "activation": "softmax"}
        layers = (*dense_stack(list(self.hidden), table), output)
        network = Network.model_validate({"name": "timed", "layers": layers})
        changes = {"rate": 1e-3, "batch": BATCH} | self.phase
        return Phase(name="timed", task=_TASK, network=network, epochs=1, **changes)


_TASK = Task(name="timed", dataset="fashion-mnist-12k", valid=VALIDATION)
_STREAMS: tuple[Stream, ...] = ("init", "order", "dropout", "augment")
_DROPOUT: dict[str, Any] = {"name": "dropout", "rate": 0.2}
_ALPHA_DROPOUT: dict[str, Any] = {"name": "alpha_dropout", "rate": 0.1}
_SELU: dict[str, Any] = {"activation": "selu", "initialiser": "lecun_normal"}

WORKLOADS: dict[str, Workload] = {
    "sgd step": Workload(),
    "momentum step": Workload(phase={"optimizer": "momentum"}),
    "adam step": Workload(phase={"optimizer": "adam"}),
    "nadam step": Workload(phase={"optimizer": "nadam"}),
    "batch_norm step": Workload(network={"before": ["batch_norm"], "bias": False}),
    "dropout step": Workload(network={"after": [_DROPOUT]}),
    "alpha_dropout step": Workload(network=_SELU | {"after": [_ALPHA_DROPOUT]}),
    "deep elu step": Workload(hidden=(100, [50, 12]), network={"activation": "elu"}),
    "l2 max_norm step": Workload(network={"penalty": "l2", "max_norm": {"radius": 1.0}}),
    "augmentation step": Workload(phase={"augmentation": ("shift", "rotate", "contrast")}),
    "solo epoch": Workload("epoch", lanes=1),
    "prediction of 1 image": Workload("prediction", lanes=1),
    "prediction of 200 images": Workload("prediction", rows=200),
}
"""Workloads by subject."""

COMPILE = "compile"
MEMORY = "peak memory"
"""Two more subjects: the CPU seconds of a first call, which compiles; the bytes of a process that
has prepared and measured all others."""

COMPILED = Workload(
    lanes=1,
    hidden=(64, 40),
    network={"before": ["batch_norm"], "after": [_DROPOUT]},
    phase={"optimizer": "adam"},
)
"""The workload that is compiled, up to its number of units."""


def prepared(workload: Workload, backend: Backend) -> Call:
    """Prepare a workload and return the call that is timed.

    The call waits for the device: everything in the contract is NumPy.
    """
    phase = workload.training()
    data, seeds = _images(workload.rows), seeds_of(range(workload.lanes), _STREAMS)
    state = State.start(workload.lanes)
    cohort = backend.cohort(phase.network, data, workload.lanes)
    cohort.begin(phase, first_weights(phase, state, seeds, FEATURES))
    return _call(workload, cohort, _plan(workload, phase, state, seeds, data.train))


def compiled_anew(backend: Backend) -> Call:
    """Return a call that compiles, for a network of a random width.

    A process that was killed may have left its program among those that are kept. A random width
    makes it unlikely that another process finds it there.
    """
    width = 64 + secrets.randbelow(64)
    return prepared(replace(COMPILED, hidden=(width, 40)), backend)


def _call(workload: Workload, cohort: Cohort, plan: EpochPlan) -> Call:
    if workload.kind == "prediction":
        return lambda: cohort.score(("accuracy",))
    if workload.kind == "epoch":
        return lambda: (cohort.train(plan), cohort.evaluate("valid", ("loss", "accuracy")))
    return lambda: cohort.train(plan)


def _plan(workload: Workload, phase: Phase, state: State, seeds: Lanes, train: Split) -> EpochPlan:
    rows = EPOCH if workload.kind == "epoch" else BATCH
    first = Split(train.inputs[:rows], train.labels[:rows])
    return Timetable.of(phase, state, seeds, first).plan(0, np.empty((0, len(seeds))))


def _images(test: int) -> Splits:
    generator = np.random.default_rng(0)

    def split(rows: int) -> Split:
        inputs: NDArray[np.float32] = generator.random((rows, FEATURES), np.float32)
        return Split(inputs, generator.integers(0, CLASSES, rows))

    return Splits(split(EPOCH), split(VALIDATION), split(test), key=f"timed {test}")
