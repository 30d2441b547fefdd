"""Changes that are planted, one at a time, in a copy of the source, and that the gate must catch.

Every edit replaces a text that occurs exactly once in its file; a plant that no longer fits the
source raises an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TORCH, TF, JAX = (
    "backends/manyseeds_pytorch",
    "backends/manyseeds_tensorflow",
    "backends/manyseeds_jax",
)
HARNESS = "manyseeds"


@dataclass(frozen=True)
class Plant:
    """A change of the source.

    Attributes
    ----------
    name
        The change in words.
    backend
        The backend that is checked; a change of the harness shows on any.
    file
        The changed file, relative to the root.
    edits
        Texts and their replacements.
    concerns
        Techniques whose recipes it could affect; () for all.
    layer
        The layer that must catch it.
    """

    name: str
    backend: str
    file: str
    edits: tuple[tuple[str, str], ...]
    concerns: tuple[str, ...] = ()
    layer: Literal["numerics", "time"] = "numerics"


def _pytorch(name: str, file: str, old: str, new: str, *concerns: str) -> Plant:
    return Plant(name, "pytorch", f"{TORCH}/{file}.py", ((old, new),), concerns)


def _tensorflow(name: str, file: str, old: str, new: str, *concerns: str) -> Plant:
    return Plant(name, "tensorflow", f"{TF}/{file}.py", ((old, new),), concerns)


def _jax(name: str, file: str, old: str, new: str, *concerns: str) -> Plant:
    return Plant(name, "jax", f"{JAX}/{file}.py", ((old, new),), concerns)


def _harness(name: str, file: str, old: str, new: str, *concerns: str) -> Plant:
    return Plant(name, "pytorch", f"{HARNESS}/{file}.py", ((old, new),), concerns)


_IN_PYTORCH = (
    _pytorch(
        "Adam: β1 off by 1 %",
        "adaptive",
        "            beta1=wanted.beta1,\n            beta2=wanted.beta2,\n"
        "            step=self.steps,",
        "            beta1=wanted.beta1 * 0.99,\n            beta2=wanted.beta2,\n"
        "            step=self.steps,",
        "adam",
    ),
    _pytorch(
        "Nadam: β2 off by 1 ‰",
        "adaptive",
        "            beta1=beta1,\n            beta2=wanted.beta2,",
        "            beta1=beta1,\n            beta2=wanted.beta2 * 0.999,",
        "nadam",
        "nadam_keras3",
    ),
    _pytorch(
        "AdaGrad: ε × 10",
        "adaptive",
        "(self.wanted.accumulator + self.wanted.epsilon,)",
        "(self.wanted.accumulator + 10 * self.wanted.epsilon,)",
        "adagrad",
    ),
    _pytorch(
        "RMSProp: ρ off by 1 %",
        "adaptive",
        "max(self.wanted.rho, _LEAST_RHO)",
        "max(self.wanted.rho * 0.99, _LEAST_RHO)",
        "rmsprop",
    ),
    _pytorch(
        "Nesterov without look-ahead",
        "optimizers",
        "        torch._foreach_addcmul_(theta, m, momentum)\n"
        "        torch._foreach_addcmul_(theta, g, rate, value=-1.0)\n",
        "        torch._foreach_add_(theta, m)\n",
        "nesterov",
    ),
    _pytorch(
        "batch normalisation: momentum off by 1 %",
        "batch_norm",
        "average.lerp_(found, 1 - self.momentum)",
        "average.lerp_(found, 1 - 0.99 * self.momentum)",
        "batch_norm",
    ),
    _pytorch(
        "batch normalisation: unbiased variance in the moving average",
        "batch_norm",
        "                for average, found in zip(moving, statistics, strict=True):",
        "                rows = inputs.shape[1]\n"
        "                statistics[1] = statistics[1] * (rows / (rows - 1))\n"
        "                for average, found in zip(moving, statistics, strict=True):",
        "batch_norm",
    ),
    _pytorch(
        "dropout without rescaling",
        "layers",
        "torch.empty_like(inputs)).mul_(keep_scale(self.rate))",
        "torch.empty_like(inputs)).mul_(1.0)",
        "dropout",
    ),
    _pytorch(
        "softplus: linear from 15 on instead of 50",
        "activations",
        "_NO_SHORTCUT = 50.0",
        "_NO_SHORTCUT = 15.0",
        "softplus",
    ),
    _pytorch(
        "relu: derivative 1 at 0",
        "activations",
        '"relu": torch.relu,',
        '"relu": lambda z: torch.where(z >= 0, z, torch.zeros_like(z)),',
        "relu",
    ),
    _pytorch(
        "clipping: each variable instead of the whole gradient",
        "clipping",
        "        torch._foreach_mul_(gradients, [factor] * len(gradients))",
        "        del factor\n"
        "        for gradient in gradients:\n"
        "            gradient.mul_(_shrink(_norm(gradient), self.limit))",
        "global_clip_norm",
    ),
    _pytorch(
        "max-norm of rows instead of columns",
        "clipping",
        "torch.linalg.vector_norm(kernel, dim=2, keepdim=True)",
        "torch.linalg.vector_norm(kernel, dim=1, keepdim=True)",
        "max_norm",
    ),
    _pytorch(
        "penalty included twice",
        "penalties",
        "                self.value[piece.lanes].add_(penalty.add(kernel, gradient))",
        "                penalty.add(kernel, gradient)\n"
        "                self.value[piece.lanes].add_(penalty.add(kernel, gradient))",
        "l1",
        "l2",
        "l1_l2",
    ),
    _pytorch(
        "Monte Carlo dropout off when sampling",
        "sampling",
        "Run(dropping=True, noise=noise, step=step)",
        "Run(dropping=False, noise=noise, step=step)",
        "mc_dropout",
        "mc_alpha_dropout",
    ),
    Plant(
        "transfer: task A's weights tied to B's instead of cloned",
        "pytorch",
        f"{TORCH}/training.py",
        (
            (
                "        self._stack = self._stack.configured(phase.network, phase.frozen)\n",
                "        self._tied = weights\n"
                "        self._stack = self._stack.configured(phase.network, phase.frozen)\n",
            ),
            (
                "        return self._arrays(self._stack.variables())\n",
                "        found = self._arrays(self._stack.variables())\n"
                "        for name, values in found.items():\n"
                "            self._tied[name][...] = values\n"
                "        return found\n",
            ),
        ),
    ),
)

_IN_THE_HARNESS = (
    _harness(
        "initialiser: normal not truncated",
        "techniques/initialisers",
        "truncated_normal(generator, shape) * (sd / TRUNCATED_SD)",
        "generator.standard_normal(shape) * sd",
        *("glorot_normal", "he_normal", "lecun_normal", "fixup"),
    ),
    _harness(
        "initialiser: sd of the truncated normal not corrected",
        "techniques/initialisers",
        "truncated_normal(generator, shape) * (sd / TRUNCATED_SD)",
        "truncated_normal(generator, shape) * sd",
        *("glorot_normal", "he_normal", "lecun_normal", "fixup"),
    ),
    _harness(
        "schedules a step ahead",
        "techniques/schedules",
        "np.arange(self.epoch * self.steps, (self.epoch + 1) * self.steps, dtype=float)",
        "np.arange(self.epoch * self.steps, (self.epoch + 1) * self.steps, dtype=float) + 1",
        *("power", "exponential", "exponential_decay", "one_cycle", "warmup", "range_test"),
    ),
    _harness(
        "piecewise: an epoch late",
        "techniques/schedules",
        "clock.epoch >= boundary",
        "clock.epoch > boundary",
        "piecewise",
    ),
    _harness(
        "last partial batch dropped",
        "execution/timetable",
        "return -(-len(self.rows[0]) // self.phase.batch)",
        "return len(self.rows[0]) // self.phase.batch",
    ),
    _harness(
        "same order every epoch",
        "execution/timetable",
        'self.lanes.of("order"), self.first_epoch + epoch\n',
        'self.lanes.of("order"), self.first_epoch\n',
    ),
    _harness(
        "noise: wrong stream key",
        "techniques/network_streams",
        "key(seed, layer.stream, network.name, label, *path)",
        'key(seed, "init", network.name, label, *path)',
        *("dropout", "alpha_dropout", "gaussian_noise", "drop_connect", "rrelu"),
    ),
    _harness(
        "early stopping: patience off by one",
        "execution/best_weights",
        "self.waited >= self.rule.patience",
        "self.waited > self.rule.patience",
        "early_stopping",
    ),
    _harness(
        "early stopping: restore_best ignored",
        "execution/best_weights",
        "return self.rule is not None and self.rule.restore_best",
        "return False",
        "early_stopping",
    ),
)

_IN_JAX = (
    _jax(
        "Adam: ε × 10",
        "optimizers",
        'eps=hyperparameters["epsilon"],',
        'eps=10 * hyperparameters["epsilon"],',
        "adam",
    ),
    _jax(
        "Nadam: 0.96^t instead of 0.96^(0.004 t)",
        "optimizers",
        "0.96 ** (decay * step)",
        "0.96 ** (decay / decay * step)",
        "nadam",
    ),
    _jax(
        "momentum: the velocity without the rate",
        "optimizers",
        "                optax.scale(rate),\n"
        '                optax.trace(decay=momentum, nesterov=kind == "nesterov"),\n'
        "                optax.scale(-1.0),",
        '                optax.trace(decay=momentum, nesterov=kind == "nesterov"),\n'
        "                optax.scale(-rate),",
        "momentum",
        "nesterov",
    ),
    _jax(
        "label smoothing of 0.01",
        "network",
        "optax.softmax_cross_entropy(logits, classes)",
        "optax.softmax_cross_entropy(logits, 0.99 * classes + 0.01 / logits.shape[-1])",
    ),
    _jax(
        "ELU: α off by 1 %",
        "activations",
        'jax.nn.elu(inputs, hyperparameters["alpha"])',
        'jax.nn.elu(inputs, 1.01 * hyperparameters["alpha"])',
        "elu",
    ),
    _jax(
        "SELU: scale rounded to float32",
        "activations",
        '"selu": jax.nn.selu,',
        '"selu": lambda z: jax.nn.selu(z) * (1.05070102214813232 / 1.0507009873554805),',
        "selu",
    ),
    _jax(
        "alpha dropout: b off by 1 %",
        "noise",
        "a * values + b, a * SELU_FLOOR + b)",
        "a * values + 1.01 * b, a * SELU_FLOOR + 1.01 * b)",
        "alpha_dropout",
    ),
    _jax(
        "l2 of biases, too",
        "network",
        'parts.append(jnp.sum(own["l2"] * sums(kernel * kernel)))',
        'bias = weights[layer.label].get("bias", 0.0 * kernel)\n'
        '            parts.append(own["l2"] * (jnp.sum(kernel * kernel) + jnp.sum(bias * bias)))',
        "l2",
        "l1_l2",
    ),
)

_IN_TENSORFLOW = (
    _tensorflow(
        "AdaGrad: ε outside the root",
        "optimizers",
        "        s = kept[0] + tf.square(g)\n"
        '        return theta - now.rate * g / tf.sqrt(s + now.hyperparameters["epsilon"]), (s,)',
        "        s = kept[0] + tf.square(g)\n"
        '        return theta - now.rate * g / (tf.sqrt(s) + now.hyperparameters["epsilon"]), (s,)',
        "adagrad",
    ),
    _tensorflow(
        "FTRL: power −0.45 instead of −0.5",
        "optimizers",
        "- z) / (root * inverse + twice_l2)",
        "- z) / (tf.pow(root, 0.9) * inverse + twice_l2)",
        "ftrl",
    ),
    _tensorflow(
        "Adam without the correction of the momentum",
        "optimizers",
        "    moved, root = _moments(now), _root(now)\n"
        '    rate = now.rate / _correction(now, "beta1")\n',
        "    moved, root = _moments(now), _root(now)\n    rate = now.rate\n",
        "adam",
    ),
    _tensorflow(
        "batch normalisation: ε × 10",
        "layers",
        'self.gamma.value, hyperparameters["epsilon"]',
        'self.gamma.value, 10 * hyperparameters["epsilon"]',
        "batch_norm",
    ),
    _tensorflow(
        "drop connect without rescaling",
        "layers",
        'hyperparameters["drop_threshold"], hyperparameters["drop_scale"]',
        'hyperparameters["drop_threshold"], 1.0',
        "drop_connect",
    ),
    _tensorflow(
        "leaky ReLU: derivative 1 at 0",
        "activations",
        "tf.where(inputs > 0, inputs, alpha * inputs)",
        "tf.where(inputs >= 0, inputs, alpha * inputs)",
        "leaky_relu",
        "prelu",
        "rrelu",
    ),
    _tensorflow(
        "noise: the words of the key exchanged",
        "noise",
        "(key[:, :1], key[:, 1:])",
        "(key[:, 1:], key[:, :1])",
        "dropout",
        "alpha_dropout",
        "gaussian_noise",
        "drop_connect",
        "rrelu",
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

PLANTS = (*_IN_PYTORCH, *_IN_THE_HARNESS, *_IN_JAX, *_IN_TENSORFLOW, *_OF_TIME)
