"""Changes that are planted, one at a time, in a copy of the source, and that the gate must catch.

Every edit replaces a text that occurs exactly once in its file; a plant that no longer fits the
source raises an error.
"""

from tests.gate.backend_plants import IN_JAX, IN_PYTORCH, IN_TENSORFLOW
from tests.gate.plant import JAX, TF, TORCH, Plant, in_the_harness

_IN_THE_HARNESS = (
    in_the_harness(
        "initialiser: normal not truncated",
        "techniques/initialisers",
        "truncated_normal(generator, shape) * (sd / TRUNCATED_SD)",
        "generator.standard_normal(shape) * sd",
        *("glorot_normal", "he_normal", "lecun_normal", "fixup"),
    ),
    in_the_harness(
        "initialiser: sd of the truncated normal not corrected",
        "techniques/initialisers",
        "truncated_normal(generator, shape) * (sd / TRUNCATED_SD)",
        "truncated_normal(generator, shape) * sd",
        *("glorot_normal", "he_normal", "lecun_normal", "fixup"),
    ),
    in_the_harness(
        "schedules a step ahead",
        "techniques/schedules",
        "np.arange(self.epoch * self.steps, (self.epoch + 1) * self.steps, dtype=float)",
        "np.arange(self.epoch * self.steps, (self.epoch + 1) * self.steps, dtype=float) + 1",
        *("power", "exponential", "exponential_decay", "one_cycle", "warmup", "range_test"),
    ),
    in_the_harness(
        "piecewise: an epoch late",
        "techniques/schedules",
        "clock.epoch >= boundary",
        "clock.epoch > boundary",
        "piecewise",
    ),
    in_the_harness(
        "last partial batch dropped",
        "execution/timetable",
        "return -(-len(self.rows[0]) // self.phase.batch)",
        "return len(self.rows[0]) // self.phase.batch",
    ),
    in_the_harness(
        "same order every epoch",
        "execution/timetable",
        'self.lanes.of("order"), self.first_epoch + epoch\n',
        'self.lanes.of("order"), self.first_epoch\n',
    ),
    in_the_harness(
        "noise: wrong stream key",
        "techniques/network_streams",
        "key(seed, layer.stream, network.name, label, *path)",
        'key(seed, "init", network.name, label, *path)',
        *("dropout", "alpha_dropout", "gaussian_noise", "drop_connect", "rrelu"),
    ),
    in_the_harness(
        "early stopping: patience off by one",
        "execution/best_weights",
        "self.waited >= self.rule.patience",
        "self.waited > self.rule.patience",
        "early_stopping",
    ),
    in_the_harness(
        "early stopping: restore_best ignored",
        "execution/best_weights",
        "return self.rule is not None and self.rule.restore_best",
        "return False",
        "early_stopping",
    ),
)

_TRAIN = "    def train(self, epoch: EpochPlan) -> EpochTrace:\n"
_SLOWER = """\
    def train(self, epoch: EpochPlan) -> EpochTrace:
        import time

        begun = time.process_time()
        found = self._train(epoch)
        until = 1.15 * time.process_time() - 0.15 * begun
        while time.process_time() < until:
            pass
        return found

    def _train(self, epoch: EpochPlan) -> EpochTrace:
"""
_WAITING = """\
    def train(self, epoch: EpochPlan) -> EpochTrace:
        import time

        begun = time.perf_counter()
        found = self._train(epoch)
        time.sleep(0.5 * (time.perf_counter() - begun))
        return found

    def _train(self, epoch: EpochPlan) -> EpochTrace:
"""


def _slower(name: str, backend: str, file: str, new: str) -> Plant:
    return Plant(name, backend, file, ((_TRAIN, new),), layer="time")


_OF_TIME = (
    _slower("a step 15 % slower (PyTorch)", "pytorch", f"{TORCH}/cohort.py", _SLOWER),
    _slower("a step 15 % slower (JAX)", "jax", f"{JAX}/cohort.py", _SLOWER),
    _slower("a step 15 % slower (TensorFlow)", "tensorflow", f"{TF}/cohort.py", _SLOWER),
    _slower("a step that waits for half its time", "pytorch", f"{TORCH}/cohort.py", _WAITING),
)

PLANTS = (*IN_PYTORCH, *_IN_THE_HARNESS, *IN_JAX, *IN_TENSORFLOW, *_OF_TIME)
