"""Activations inside recurrent cells: by name, each with its derivative from the value that it gave, and its work."""

from collections.abc import Callable, Mapping

import numpy as np

from tensorproof_reference.operation import Work
from tensorproof_reference.trees import Array


def sigmoid(x: Array) -> Array:
    """1/(1+e^-x); where e^-x overflows, the result is 0 as it should be."""
    with np.errstate(over="ignore"):
        return 1.0 / (1.0 + np.exp(-x))


def _relu(x: Array) -> Array:
    return np.maximum(x, 0.0)


def _hard_sigmoid(x: Array) -> Array:
    # Exactly 0 and 1 at the ends, where the slope looks at the value.
    return np.where(x <= -3.0, 0.0, np.where(x >= 3.0, 1.0, (x + 3.0) / 6.0))


def _elu(x: Array) -> Array:
    return np.where(x > 0, x, np.exp(np.minimum(x, 0.0)) - 1.0)


def _softsign(x: Array) -> Array:
    return x / (1.0 + np.abs(x))


VALUES: dict[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "relu": _relu,
    "hard_sigmoid": _hard_sigmoid,
    "elu": _elu,
    "softsign": _softsign,
}
"""The activations by name: those of the operations of that name, with their default keywords."""

PULLS: dict[str, Callable[[Array, Array], Array]] = {
    "tanh": lambda dy, y: dy * (1.0 - y * y),
    "sigmoid": lambda dy, y: dy * y * (1.0 - y),
    "relu": lambda dy, y: np.where(y <= 0, 0.0, dy),
    "hard_sigmoid": lambda dy, y: np.where((y <= 0) | (y >= 1), 0.0, dy / 6.0),
    "elu": lambda dy, y: np.where(y > 0, dy, dy * (y + 1.0)),
    "softsign": lambda dy, y: dy * np.square(1.0 - np.abs(y)),
}
"""The cotangent of what went in, from that of the value y, and y."""

WORK: Mapping[str, Work] = {
    "tanh": Work(flops=0, transcendentals=1, backward_flops=3),
    "sigmoid": Work(flops=2, transcendentals=1, backward_flops=3),
    "relu": Work(flops=1, backward_flops=1),
    "hard_sigmoid": Work(flops=4, backward_flops=1),
    "elu": Work(flops=2, transcendentals=1, backward_flops=2),
    "softsign": Work(flops=2, backward_flops=4),
}
"""The work for one number, as the operations of that name have it."""
