"""The layers of PyTorch draw their weights from the distributions that the plugin says."""

import numpy as np
import pytest
import torch

from tensorproof.conformance.randomness import layer_findings
from tensorproof_reference.errorbars.rules import precision_of
from tensorproof_torch.initializers import LAYER_INITIALIZERS

LAYERS = {
    "dense": (lambda: torch.nn.Linear(250, 400), {"weight": "dense"}),
    "dense_bias": (lambda: torch.nn.Linear(3, 20_000), {"bias": "dense_bias"}),
    "conv2d": (lambda: torch.nn.Conv2d(40, 64, (5, 8)), {"weight": "conv2d"}),
    "conv2d_bias": (lambda: torch.nn.Conv2d(1, 20_000, (1, 3)), {"bias": "conv2d_bias"}),
    "simple_rnn": (lambda: torch.nn.RNN(50, 300), {"weight_ih_l0": "simple_rnn", "weight_hh_l0": "simple_rnn"}),
    "lstm": (lambda: torch.nn.LSTM(50, 300), {"weight_ih_l0": "lstm", "weight_hh_l0": "lstm", "bias_ih_l0": "lstm"}),
    "gru": (lambda: torch.nn.GRU(50, 300), {"weight_ih_l0": "gru", "weight_hh_l0": "gru", "bias_hh_l0": "gru"}),
    "embedding": (lambda: torch.nn.Embedding(1000, 64), {"weight": "embedding"}),
}
FAN_IN = {"dense_bias": 3, "conv2d_bias": 3}


def test_every_layer_is_tested():
    assert set(LAYERS) == set(LAYER_INITIALIZERS)


@pytest.mark.parametrize("name", LAYERS)
def test_weights_are_drawn_as_the_plugin_says(name):
    make, parameters = LAYERS[name]
    drawn = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        drawn.append({key: value.detach().numpy().astype(np.float64) for key, value in make().named_parameters()})
    for parameter, layer in parameters.items():
        first, second = (weights[parameter] for weights in drawn)
        sizes = {"hidden": 300, "fan_in": FAN_IN.get(layer, 0)}
        for good, text in layer_findings(first, second, LAYER_INITIALIZERS[layer], precision_of("float32"), **sizes):
            assert good, f"{parameter}: {text}"
