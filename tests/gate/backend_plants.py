"""Changes that are planted in the backends."""

from tests.gate.plant import TORCH, Plant, in_jax, in_pytorch, in_tensorflow

IN_PYTORCH = (
    in_pytorch(
        "Adam: β1 off by 1 %",
        "optimizers_adaptive",
        "            beta1=technique.beta1,\n            beta2=technique.beta2,\n"
        "            step=self.steps,",
        "            beta1=technique.beta1 * 0.99,\n            beta2=technique.beta2,\n"
        "            step=self.steps,",
        "adam",
    ),
    in_pytorch(
        "Nadam: β2 off by 1 ‰",
        "optimizers_adaptive",
        "            beta1=beta1,\n            beta2=technique.beta2,",
        "            beta1=beta1,\n            beta2=technique.beta2 * 0.999,",
        "nadam",
        "nadam_keras3",
    ),
    in_pytorch(
        "AdaGrad: ε × 10",
        "optimizers_adaptive",
        "(self.technique.accumulator + self.technique.epsilon,)",
        "(self.technique.accumulator + 10 * self.technique.epsilon,)",
        "adagrad",
    ),
    in_pytorch(
        "RMSProp: ρ off by 1 %",
        "optimizers_adaptive",
        "max(self.technique.rho, _LEAST_RHO)",
        "max(self.technique.rho * 0.99, _LEAST_RHO)",
        "rmsprop",
    ),
    in_pytorch(
        "Nesterov without look-ahead",
        "optimizers_sgd",
        "        torch._foreach_addcmul_(theta, m, momentum)\n"
        "        torch._foreach_addcmul_(theta, g, rate, value=-1.0)\n",
        "        torch._foreach_add_(theta, m)\n",
        "nesterov",
    ),
    in_pytorch(
        "batch normalisation: momentum off by 1 %",
        "layers_batch_norm",
        "average.lerp_(statistic, 1 - self.momentum)",
        "average.lerp_(statistic, 1 - 0.99 * self.momentum)",
        "batch_norm",
    ),
    in_pytorch(
        "batch normalisation: unbiased variance in the moving average",
        "layers_batch_norm",
        "                for average, statistic in zip(averages, statistics, strict=True):",
        "                rows = inputs.shape[1]\n"
        "                statistics[1] = statistics[1] * (rows / (rows - 1))\n"
        "                for average, statistic in zip(averages, statistics, strict=True):",
        "batch_norm",
    ),
    in_pytorch(
        "dropout without rescaling",
        "layers",
        "mask.mul_(keep_scale(self.rate))",
        "mask.mul_(1.0)",
        "dropout",
    ),
    in_pytorch(
        "softplus: linear from 15 on instead of 50",
        "activations",
        "_SOFTPLUS_THRESHOLD = 50.0",
        "_SOFTPLUS_THRESHOLD = 15.0",
        "softplus",
    ),
    in_pytorch(
        "relu: derivative 1 at 0",
        "activations",
        '"relu": torch.relu,',
        '"relu": lambda z: torch.where(z >= 0, z, torch.zeros_like(z)),',
        "relu",
    ),
    in_pytorch(
        "clipping: each variable instead of the whole gradient",
        "clipping",
        "        torch._foreach_mul_(gradients, [factor] * len(gradients))",
        "        del factor\n"
        "        for gradient in gradients:\n"
        "            gradient.mul_(_shrink(_norm(gradient), self.limit))",
        "global_clip_norm",
    ),
    in_pytorch(
        "max-norm of rows instead of columns",
        "clipping",
        "torch.linalg.vector_norm(kernel, dim=2, keepdim=True)",
        "torch.linalg.vector_norm(kernel, dim=1, keepdim=True)",
        "max_norm",
    ),
    in_pytorch(
        "penalty included twice",
        "penalties",
        "                self.value[tile.lanes].add_(penalty.add(kernel, gradient))",
        "                penalty.add(kernel, gradient)\n"
        "                self.value[tile.lanes].add_(penalty.add(kernel, gradient))",
        "l1",
        "l2",
        "l1_l2",
    ),
    in_pytorch(
        "Monte Carlo dropout off when sampling",
        "scoring",
        "ForwardPass(dropout=True, noise=noise, step=step)",
        "ForwardPass(dropout=False, noise=noise, step=step)",
        "mc_dropout",
        "mc_alpha_dropout",
    ),
    Plant(
        "transfer: task A's weights tied to B's instead of cloned",
        "pytorch",
        f"{TORCH}/training.py",
        (
            (
                "        self._network = self._network.configured(phase.network, phase.frozen)\n",
                "        self._tied = weights\n"
                "        self._network = self._network.configured(phase.network, phase.frozen)\n",
            ),
            (
                "        return _arrays(self._network.variables())\n",
                "        weights = _arrays(self._network.variables())\n"
                "        for name, values in weights.items():\n"
                "            self._tied[name][...] = values\n"
                "        return weights\n",
            ),
        ),
    ),
)

IN_JAX = (
    in_jax(
        "Adam: ε × 10",
        "optimizers",
        'eps=hyperparameters["epsilon"],',
        'eps=10 * hyperparameters["epsilon"],',
        "adam",
    ),
    in_jax(
        "Nadam: 0.96^t instead of 0.96^(0.004 t)",
        "optimizers_adaptive",
        "0.96 ** (decay * step)",
        "0.96 ** (decay / decay * step)",
        "nadam",
    ),
    in_jax(
        "momentum: the velocity without the rate",
        "optimizers",
        "optax.scale(rate), optax.trace(decay=momentum, nesterov=nesterov), optax.scale(-1.0)",
        "optax.trace(decay=momentum, nesterov=nesterov), optax.scale(-rate)",
        "momentum",
        "nesterov",
    ),
    in_jax(
        "label smoothing of 0.01",
        "losses",
        "optax.softmax_cross_entropy(logits, classes)",
        "optax.softmax_cross_entropy(logits, 0.99 * classes + 0.01 / logits.shape[-1])",
    ),
    in_jax(
        "ELU: α off by 1 %",
        "activations",
        'jax.nn.elu(inputs, hyperparameters["alpha"])',
        'jax.nn.elu(inputs, 1.01 * hyperparameters["alpha"])',
        "elu",
    ),
    in_jax(
        "SELU: scale rounded to float32",
        "activations",
        '"selu": jax.nn.selu,',
        '"selu": lambda z: jax.nn.selu(z) * (1.05070102214813232 / 1.0507009873554805),',
        "selu",
    ),
    in_jax(
        "alpha dropout: b off by 1 %",
        "noise",
        "a * values + b, a * SELU_FLOOR + b)",
        "a * values + 1.01 * b, a * SELU_FLOOR + 1.01 * b)",
        "alpha_dropout",
    ),
    in_jax(
        "l2 of biases, too",
        "penalties",
        'terms.append(jnp.sum(factors["l2"] * sums(kernel * kernel)))',
        'bias = weights[layer.label].get("bias", 0.0 * kernel)\n'
        "            squares = jnp.sum(kernel * kernel) + jnp.sum(bias * bias)\n"
        '            terms.append(factors["l2"] * squares)',
        "l2",
        "l1_l2",
    ),
)

IN_TENSORFLOW = (
    in_tensorflow(
        "AdaGrad: ε outside the root",
        "optimizers",
        "        s = slots[0] + tf.square(g)\n"
        '        return theta - step.rate * g / tf.sqrt(s + step.hyperparameters["epsilon"])',
        "        s = slots[0] + tf.square(g)\n"
        '        return theta - step.rate * g / (tf.sqrt(s) + step.hyperparameters["epsilon"])',
        "adagrad",
    ),
    in_tensorflow(
        "FTRL: power −0.45 instead of −0.5",
        "optimizers",
        "- z) / (root * inverse + twice_l2)",
        "- z) / (tf.pow(root, 0.9) * inverse + twice_l2)",
        "ftrl",
    ),
    in_tensorflow(
        "Adam without the correction of the momentum",
        "optimizers",
        "    moved, root = _moments(step), _root(step)\n"
        '    rate = step.rate / _correction(step, "beta1")\n',
        "    moved, root = _moments(step), _root(step)\n    rate = step.rate\n",
        "adam",
    ),
    in_tensorflow(
        "batch normalisation: ε × 10",
        "layers",
        'self.gamma.value, hyperparameters["epsilon"]',
        'self.gamma.value, 10 * hyperparameters["epsilon"]',
        "batch_norm",
    ),
    in_tensorflow(
        "drop connect without rescaling",
        "layers",
        'hyperparameters["drop_threshold"], hyperparameters["drop_scale"]',
        'hyperparameters["drop_threshold"], 1.0',
        "drop_connect",
    ),
    in_tensorflow(
        "leaky ReLU: derivative 1 at 0",
        "activations",
        "tf.where(inputs > 0, inputs, alpha * inputs)",
        "tf.where(inputs >= 0, inputs, alpha * inputs)",
        "leaky_relu",
        "prelu",
        "rrelu",
    ),
    in_tensorflow(
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
