"""What the time layer times: steps of several techniques, a lane alone, predictions, compiling.

The network is the chapter's 784-300-100-10 on images that are drawn, not loaded: no step takes
longer or shorter for what is on them. Each call is of milliseconds, so that the machine is the same
during it as in the measurements of the yardstick before and after.
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
"""Examples."""

Kind = Literal["step", "epoch", "prediction"]
Call = Callable[[], object]


@dataclass(frozen=True)
class Workload:
    """Something to time.

    Attributes
    ----------
    kind
        "step": of a cohort · "epoch": five steps and the validation after them · "prediction": of
        test images.
    lanes
        In the cohort.
    rows
        Test images.
    hidden, network, phase
        What the network and its phase have beside the plain ones.
    """

    kind: Kind = "step"
    lanes: int = 2
    rows: int = 1
    hidden: tuple[Any, ...] = (300, 100)
    network: dict[str, Any] = field(default_factory=dict)
    phase: dict[str, Any] = field(default_factory=dict)

    @property
    def question(self) -> str:
        """What is timed, as a hash: another hash is another question."""
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
"""By subject."""

COMPILE = "compile"
MEMORY = "peak memory"
"""Subjects beside them: the CPU seconds of a first call; the bytes of the process that has all the
others ready and measures them."""

COMPILED = Workload(
    lanes=1,
    hidden=(64, 40),
    network={"before": ["batch_norm"], "after": [_DROPOUT]},
    phase={"optimizer": "adam"},
)
"""What is compiled, but for a few units."""


def prepared(workload: Workload, backend: Backend) -> Call:
    """Make a workload ready and return the call that is timed.

    It waits for the device: everything in the contract is NumPy.
    """
    phase = workload.training()
    data, seeds = _images(workload.rows), seeds_of(range(workload.lanes), _STREAMS)
    state = State.start(workload.lanes)
    cohort = backend.cohort(phase.network, data, workload.lanes)
    cohort.begin(phase, first_weights(phase, state, seeds, FEATURES))
    return _call(workload, cohort, _plan(workload, phase, state, seeds, data.train))


def compiled_anew(backend: Backend) -> Call:
    """Return a call that compiles: of a network whose width nobody has had before.

    A process that is killed may leave its program with those that are kept. Drawn widths make it
    unlikely that another one finds it there.
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
