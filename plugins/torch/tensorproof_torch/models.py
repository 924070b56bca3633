"""Models of ``torch.nn`` modules, with the weights given in each call."""

import functools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from tensorproof.backend import Implementation, Native, Unsupported
from tensorproof.contract.models import NO_CONVENTIONS, Conventions
from tensorproof_reference.model import Layer, Model
from tensorproof_torch.recurrent import named_parameters
from tensorproof_torch.table import operations

NAMES = {"scale": "weight", "offset": "bias", "running_mean": "running_mean", "running_variance": "running_var"}
"""The names that ``torch.nn.BatchNorm2d`` has for what the reference names otherwise."""


class ChannelsLast(nn.Module):  # type: ignore[misc]
    """Flattening in the order of channels last, which the weights of the next layer go by."""

    def forward(self, x: Native) -> Native:
        """(N, C, H, W) to (N, H·W·C)."""
        return x.movedim(1, -1).flatten(1)


class LastStep(nn.Module):  # type: ignore[misc]
    """A recurrent layer's output at the last time step."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Native) -> Native:
        """(N, T, F) to (N, H)."""
        y, _ = self.layer(x)
        return y[:, -1]


def _padding(keywords: Mapping[str, Any]) -> tuple[int, int]:
    padding = keywords.get("padding", "valid")
    if padding == "valid":
        return (0, 0)
    (top, bottom), (left, right) = padding
    if (top, left) != (bottom, right):
        raise Unsupported("the layers of torch.nn pad both sides alike")
    return (top, left)


def _convolution(kind: Callable[..., nn.Module], layer: Layer, channels: int, filters: int) -> nn.Module:
    weight = layer.parameters["weight"]
    return kind(channels, filters, weight.shape[2:], layer.keywords.get("stride", (1, 1)), _padding(layer.keywords))


def _recurrent(kind: Callable[..., nn.Module], layer: Layer, **options: Any) -> nn.Module:
    directions = layer.parameters["parameters"]
    first = directions[0][0]
    features, units = first["input_weights"].shape[0], first["recurrent_weights"].shape[0]
    return LastStep(kind(features, units, len(directions), batch_first=True, bidirectional=len(directions[0]) == 2, **options))


MODULES: Mapping[str, Callable[[Layer], nn.Module]] = {
    "dense": lambda layer: nn.Linear(*layer.parameters["weight"].shape),
    "conv2d": lambda layer: _convolution(nn.Conv2d, layer, *layer.parameters["weight"].shape[1::-1]),
    "conv2d_transpose": lambda layer: _convolution(nn.ConvTranspose2d, layer, *layer.parameters["weight"].shape[:2]),
    "max_pool2d": lambda layer: nn.MaxPool2d(layer.keywords["window"]),
    "flatten": lambda layer: ChannelsLast() if layer.keywords["order"] == "channels_last" else nn.Flatten(),
    "batch_norm": lambda layer: nn.BatchNorm2d(layer.parameters["scale"].shape[0], momentum=0.1),
    "embedding": lambda layer: nn.Embedding(*layer.parameters["weight"].shape),
    "dropout": lambda layer: nn.Dropout(layer.keywords["rate"]),
    "simple_rnn": lambda layer: _recurrent(nn.RNN, layer, nonlinearity=layer.keywords.get("activation", "tanh")),
    "lstm": lambda layer: _recurrent(nn.LSTM, layer),
    "gru": lambda layer: _recurrent(nn.GRU, layer),
    "relu": lambda layer: nn.ReLU(),
    "leaky_relu": lambda layer: nn.LeakyReLU(layer.keywords["negative_slope"]),
    "sigmoid": lambda layer: nn.Sigmoid(),
    "tanh": lambda layer: nn.Tanh(),
    "softmax": lambda layer: nn.Softmax(-1),
}


@functools.cache
def network(model: Model, training: bool) -> nn.Sequential:
    """The model's modules in order, by the names of its layers, without memory for weights.

    Raises:
        Unsupported: there is no module for one of the layers.
    """
    for name, layer in model.layers.items():
        if layer.operation not in MODULES:
            raise Unsupported(f"layer {name}: torch.nn has no {layer.operation}")
    with torch.device("meta"):
        modules = OrderedDict((name, MODULES[layer.operation](layer)) for name, layer in model.layers.items())
    return nn.Sequential(modules).train(training)


def _named(model: Model, weights: Mapping[str, Mapping[str, Any]]) -> dict[str, Native]:
    """The weights by the names that the modules have for them."""
    found: dict[str, Native] = {}
    for name, by_argument in weights.items():
        if "parameters" in by_argument:
            found |= {f"{name}.layer.{key}": value for key, value in named_parameters(by_argument["parameters"]).items()}
        else:
            found |= {f"{name}.{NAMES.get(key, key)}": value for key, value in by_argument.items()}
    return found


def layered(model: Model) -> Implementation:
    """The model as ``torch.nn.Sequential``, called through ``torch.func.functional_call``."""
    networks = {training: network(model, training) for training in (False, True)}
    loss_function = operations.implementations[model.loss].function

    def function(
        x: Native,
        target: Native,
        parameters: Any,
        state: Any = None,
        *,
        training: bool = False,
        conventions: Conventions = NO_CONVENTIONS,
    ) -> tuple[Native, Native, Any]:
        # Running statistics are updated in place.
        after = {name: {key: value.clone() for key, value in of_layer.items()} for name, of_layer in (state or {}).items()}
        counters = {f"{name}.num_batches_tracked": torch.zeros((), dtype=torch.int64, device=x.device) for name in after}
        if any(layer.operation == "dropout" for layer in model.layers.values()):
            torch.manual_seed(0)
        y = torch.func.functional_call(
            networks[training], {**_named(model, parameters), **_named(model, after), **counters}, (x,)
        )
        keywords = {**conventions.get(model.loss, {}), **model.loss_keywords}
        return y, loss_function(y, target, **keywords), after or None

    return Implementation(function, "native")
