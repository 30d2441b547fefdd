"""Early stopping before NaN: what Keras's own callbacks leave to their user."""

import keras
import numpy as np
import pytest


class _Diverge(keras.callbacks.Callback):
    """Makes the weights NaN after the third epoch, and keeps those of each epoch before."""

    def __init__(self):
        super().__init__()
        self.after = []

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 3:
            self.model.set_weights([np.full_like(w, np.nan) for w in self.model.get_weights()])

    def on_epoch_end(self, epoch, logs=None):
        self.after.append(self.model.get_weights())


@pytest.mark.parametrize("terminate", [False, True])
@pytest.mark.parametrize("restore", [False, True])
def test_keras_ends_with_the_best_weights_although_the_loss_became_nan(terminate, restore):
    keras.utils.set_random_seed(0)
    inputs = np.random.default_rng(0).standard_normal((32, 3)).astype("float32")
    targets = inputs.sum(axis=1, keepdims=True)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    diverge = _Diverge()
    stopping = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=restore)
    callbacks = [diverge, stopping] + [keras.callbacks.TerminateOnNaN()] * terminate
    history = model.fit(
        inputs, targets, epochs=9, validation_data=(inputs, targets), callbacks=callbacks, verbose=0
    )
    assert np.isnan(history.history["val_loss"][-1])
    assert int(np.nanargmin(history.history["val_loss"])) == 2
    for found, best in zip(model.get_weights(), diverge.after[2], strict=True):
        assert np.array_equal(found, best) == restore
        assert np.isnan(found).any() != restore
