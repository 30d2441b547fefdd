"""manyseeds: how much of a deep-learning claim is luck, in PyTorch, TensorFlow and JAX."""
