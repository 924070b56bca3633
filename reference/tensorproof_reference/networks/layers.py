"""Layers by the names of their operations, for describing models: ``conv2d(3, 32, kernel=(3, 3))``.

Initial weights are uniform within 1/√(fan in) and biases within 0.1, so that no two are alike and no bias is missed. They are
where checks start, not what frameworks draw by default.
"""

import math
from typing import Any

from tensorproof_reference.model import Layer, Weight

Pair = tuple[int, int]


def _weight(*shape: int, fan_in: int) -> Weight:
    bound = 1 / math.sqrt(fan_in)
    return Weight(shape, -bound, bound)


def _bias(*shape: int) -> Weight:
    return Weight(shape, -0.1, 0.1)


def dense(inputs: int, units: int) -> Layer:
    """``dense`` from ``inputs`` features to ``units``, with bias."""
    return Layer(operation="dense", parameters={"weight": _weight(inputs, units, fan_in=inputs), "bias": _bias(units)})


def conv2d(channels: int, filters: int, *, kernel: Pair, **keywords: Any) -> Layer:
    """``conv2d`` from ``channels`` to ``filters``, with bias; keywords are the operation's."""
    weight = _weight(filters, channels, *kernel, fan_in=channels * math.prod(kernel))
    return Layer(operation="conv2d", parameters={"weight": weight, "bias": _bias(filters)}, keywords=keywords)


def conv2d_transpose(channels: int, filters: int, *, kernel: Pair, **keywords: Any) -> Layer:
    """``conv2d_transpose`` from ``channels`` to ``filters``, with bias; keywords are the operation's."""
    weight = _weight(channels, filters, *kernel, fan_in=channels * math.prod(kernel))
    return Layer(operation="conv2d_transpose", parameters={"weight": weight, "bias": _bias(filters)}, keywords=keywords)


def max_pool2d(window: Pair) -> Layer:
    """``max_pool2d`` whose windows do not overlap."""
    return Layer(operation="max_pool2d", keywords={"window": window})


def flatten(order: str) -> Layer:
    """``flatten``, with channels first or last, which the weights of the next layer depend on."""
    return Layer(operation="flatten", keywords={"order": order})


def batch_norm(channels: int, **keywords: Any) -> Layer:
    """``batch_norm`` with scale, offset and running statistics; keywords are the operation's."""
    return Layer(
        operation="batch_norm",
        parameters={"scale": Weight((channels,), 0.5, 1.5), "offset": Weight((channels,), -0.2, 0.2)},
        state={"running_mean": Weight((channels,), -0.2, 0.2), "running_variance": Weight((channels,), 0.5, 1.5)},
        keywords=keywords,
    )


def embedding(rows: int, features: int) -> Layer:
    """``embedding``: ``rows`` vectors of ``features``."""
    return Layer(operation="embedding", parameters={"weight": Weight((rows, features), -0.5, 0.5)})


def dropout(rate: float) -> Layer:
    """``dropout`` at ``rate``."""
    return Layer(operation="dropout", keywords={"rate": rate})


def activation(operation: str, **keywords: Any) -> Layer:
    """An operation without weights: ``relu``, ``leaky_relu``, ``sigmoid``, ``tanh`` or ``softmax``."""
    return Layer(operation=operation, keywords=keywords)


def recurrent(operation: str, features: int, units: int, *, layers: int = 1, biases: int = 1, **keywords: Any) -> Layer:
    """``simple_rnn``, ``lstm`` or ``gru`` with zero initial states, giving the last time step.

    ``biases`` is one vector or two, since two trainable biases learn twice as fast (PyTorch, cuDNN).
    """
    gates = {"simple_rnn": (), "lstm": (4,), "gru": (3,)}[operation]

    def leaf(inputs: int) -> dict[str, Weight]:
        named = {
            "input_weights": _weight(inputs, *gates, units, fan_in=inputs),
            "recurrent_weights": _weight(units, *gates, units, fan_in=units),
        }
        return named | {name: _bias(*gates, units) for name in ("bias", "recurrent_bias")[:biases]}

    parameters = [[leaf(units if number else features)] for number in range(layers)]
    return Layer(operation=operation, parameters={"parameters": parameters}, keywords={"return_sequences": False, **keywords})
