"""The layers of Flax draw their weights from the distributions that the plugin says."""

import numpy as np
import pytest

from tensorproof.conformance.randomness import layer_findings
from tensorproof_jax.framework import jax, jnp, linen
from tensorproof_jax.initializers import LAYER_INITIALIZERS
from tensorproof_reference.errorbars.rules import precision_of

STATE = np.zeros((1, 300), np.float32)
ROW = np.zeros((1, 250), np.float32)
LAYERS = {
    "dense": (linen.Dense(400), (ROW,), ("kernel",)),
    "conv2d": (linen.Conv(64, (5, 8)), (np.zeros((1, 9, 9, 40), np.float32),), ("kernel",)),
    "simple_rnn": (linen.SimpleCell(300), (STATE, ROW), ("i", "kernel")),
    "simple_rnn_recurrent": (linen.SimpleCell(300), (STATE, ROW), ("h", "kernel")),
    "lstm": (linen.LSTMCell(300), ((STATE, STATE), ROW), ("if", "kernel")),
    "lstm_recurrent": (linen.LSTMCell(300), ((STATE, STATE), ROW), ("hg", "kernel")),
    "gru": (linen.GRUCell(300), (STATE, ROW), ("ir", "kernel")),
    "gru_recurrent": (linen.GRUCell(300), (STATE, ROW), ("hn", "kernel")),
    "embedding": (linen.Embed(1000, 64), (jnp.zeros(1, jnp.int32),), ("embedding",)),
}


def test_every_layer_is_tested():
    assert set(LAYERS) == set(LAYER_INITIALIZERS)


@pytest.mark.parametrize("name", LAYERS)
def test_weights_are_drawn_as_the_plugin_says(name):
    layer, arguments, path = LAYERS[name]
    drawn = []
    for seed in (1, 2):
        weight = layer.init(jax.random.key(seed), *arguments)["params"]
        for key in path:
            weight = weight[key]
        # Flax has inputs and outputs last, the specification outputs and inputs first.
        drawn.append(np.moveaxis(np.asarray(weight, np.float64), (-1, -2), (0, 1)))
    for good, text in layer_findings(*drawn, LAYER_INITIALIZERS[name], precision_of("float32"), features=64):
        assert good, text
