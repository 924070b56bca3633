"""The layers of Keras draw their weights from the distributions that the plugin says."""

import numpy as np
import pytest

from tensorproof.conformance.randomness import layer_findings
from tensorproof_reference.errorbars.rules import precision_of
from tensorproof_tensorflow.framework import keras
from tensorproof_tensorflow.initializers import LAYER_INITIALIZERS

LAYERS = {
    "dense": (lambda: keras.layers.Dense(400), (None, 250), "kernel"),
    "conv2d": (lambda: keras.layers.Conv2D(64, (5, 8)), (None, 9, 9, 40), "kernel"),
    "simple_rnn": (lambda: keras.layers.SimpleRNN(300), (None, 3, 250), "kernel"),
    "simple_rnn_recurrent": (lambda: keras.layers.SimpleRNN(300), (None, 3, 2), "recurrent_kernel"),
    "lstm": (lambda: keras.layers.LSTM(300), (None, 3, 50), "kernel"),
    "lstm_recurrent": (lambda: keras.layers.LSTM(100), (None, 3, 2), "recurrent_kernel"),
    "gru": (lambda: keras.layers.GRU(300), (None, 3, 50), "kernel"),
    "gru_recurrent": (lambda: keras.layers.GRU(100), (None, 3, 2), "recurrent_kernel"),
    "embedding": (lambda: keras.layers.Embedding(1000, 64), (None, 3), "embeddings"),
}


def test_every_layer_is_tested():
    assert set(LAYERS) == set(LAYER_INITIALIZERS)


@pytest.mark.parametrize("name", LAYERS)
def test_weights_are_drawn_as_the_plugin_says(name):
    make, shape, path = LAYERS[name]
    drawn = []
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        layer = make()
        layer.build(shape)
        (weight,) = [variable for variable in layer.weights if variable.name == path]
        # Keras has inputs and outputs last, the specification outputs and inputs first.
        drawn.append(np.moveaxis(np.asarray(weight, np.float64), (-1, -2), (0, 1)))
    for good, text in layer_findings(*drawn, LAYER_INITIALIZERS[name], precision_of("float32")):
        assert good, text
