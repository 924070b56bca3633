"""Mistakes in functions of one number, in softmax, and in what is made of them: overflow, approximations, kinks."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tensorproof.conformance.diagnosis.mistake import Mistake, Situation

UNSHIFTED = "exponentials without shift overflow"

Formula = Callable[..., Any]


def _softmax(x: Any, axis: int) -> Any:
    exponentials = np.exp(x)
    return exponentials / np.sum(exponentials, axis=axis, keepdims=True)


def _shifted(x: Any, axis: int) -> Any:
    return _softmax(x - np.max(x, axis=axis, keepdims=True), axis)


def _sigmoid(x: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-x))


IN_DTYPE: Mapping[str, Mapping[str, Formula]] = {
    "softmax": {
        UNSHIFTED: lambda x, axis=-1: _softmax(x, axis),
        "exponentials shifted by the largest number of the whole array": lambda x, axis=-1: _softmax(x - np.max(x), axis),
    },
    "log_softmax": {
        UNSHIFTED: lambda x, axis=-1: x - np.log(np.sum(np.exp(x), axis=axis, keepdims=True)),
        "logarithm of softmax": lambda x, axis=-1: np.log(_shifted(x, axis)),
    },
    "sigmoid": {UNSHIFTED: lambda x: np.exp(x) / (1 + np.exp(x))},
    "silu": {UNSHIFTED: lambda x: x * (np.exp(x) / (1 + np.exp(x)))},
    "softplus": {
        UNSHIFTED: lambda x: np.log(1 + np.exp(x)),
        "log(1 + e) for log1p(e)": lambda x: np.maximum(x, 0) + np.log(1 + np.exp(-np.abs(x))),
    },
    "tanh": {
        UNSHIFTED: lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)),
        "exponentials of twice the input overflow": lambda x: (np.exp(2 * x) - 1) / (np.exp(2 * x) + 1),
    },
    "relu": {"input times its mask": lambda x: x * (x > 0)},
    "leaky_relu": {"sum of two masked branches": lambda x, negative_slope=0.2: x * (x > 0) + negative_slope * x * (x <= 0)},
}
"""Formulas that are right in exact arithmetic, by operation; they are computed in the dtype (16 bits in float32)."""

FORMULAS: Mapping[str, Mapping[str, Formula]] = {
    "relu": {
        "absolute value": lambda x: np.abs(x),
    },
    "leaky_relu": {
        "the larger of both branches": lambda x, negative_slope=0.2: np.maximum(x, negative_slope * x),
        "slope 0.01": lambda x, negative_slope=0.2: np.where(x > 0, x, 0.01 * x),
        "slope 0, as relu": lambda x, negative_slope=0.2: np.where(x > 0, x, 0.0 * x),
    },
    "softplus": {
        f"identity above {limit}": lambda x, limit=limit: np.where(x > limit, x, np.logaddexp(x, 0.0)) for limit in (10, 20, 30)
    },
    "gelu": {
        "approximation x·sigmoid(1.702x)": lambda x, approximation="none": x * _sigmoid(1.702 * x),
        "silu in place of gelu": lambda x, approximation="none": x * _sigmoid(x),
    },
    "silu": {
        "piecewise linear sigmoid": lambda x: x * np.minimum(np.maximum(x / 6.0 + 0.5, 0.0), 1.0),
        "sigmoid without the product": _sigmoid,
    },
    "sigmoid": {
        "piecewise linear sigmoid": lambda x: np.minimum(np.maximum(x / 6.0 + 0.5, 0.0), 1.0),
        "piecewise linear sigmoid of slope 0.2": lambda x: np.minimum(np.maximum(0.2 * x + 0.5, 0.0), 1.0),
    },
    "tanh": {
        "1 - 2/(e²ˣ + 1), which cancels near 0": lambda x: 1.0 - 2.0 / (np.exp(2.0 * np.minimum(x, 20.0)) + 1.0),
        "limited to ±1 linearly": lambda x: np.minimum(np.maximum(x, -1.0), 1.0),
    },
}
"""Wrong formulas by operation."""

ROUGH = ("1 - 2/(e²ˣ + 1), which cancels near 0",)

GRADIENTS: Mapping[str, Mapping[str, Formula]] = {
    "softmax": {
        "softmax gradient without the sum over cotangents": lambda dy, x, axis=-1: {"x": _shifted(x, axis) * dy},
        "softmax gradient with the diagonal only": lambda dy, x, axis=-1: {
            "x": _shifted(x, axis) * (1.0 - _shifted(x, axis)) * dy
        },
        "softmax gradient with the mean of the cotangents": lambda dy, x, axis=-1: {
            "x": _shifted(x, axis) * (dy - np.mean(dy, axis=axis, keepdims=True))
        },
        "softmax gradient along the last axis": lambda dy, x, axis=-1: {
            "x": _shifted(x, axis) * (dy - np.sum(dy * _shifted(x, axis), axis=-1, keepdims=True))
        },
    },
    "log_softmax": {
        "log_softmax gradient without the sum over cotangents": lambda dy, x, axis=-1: {"x": dy - _shifted(x, axis) * dy},
        "log_softmax gradient with the output not exponentiated": lambda dy, x, axis=-1: {
            "x": dy - np.log(_shifted(x, axis)) * np.sum(dy, axis=axis, keepdims=True)
        },
    },
    "silu": {
        "product rule forgotten: sigmoid alone": lambda dy, x: {"x": dy * _sigmoid(x)},
        "product rule forgotten: derivative of the sigmoid alone": lambda dy, x: {"x": dy * x * _sigmoid(x) * (1 - _sigmoid(x))},
    },
    "sigmoid": {"y in place of y(1 - y)": lambda dy, x: {"x": dy * _sigmoid(x)}},
    "tanh": {
        "1 - y in place of 1 - y²": lambda dy, x: {"x": dy * (1.0 - np.tanh(x))},
        "1 - x² in place of 1 - y²": lambda dy, x: {"x": dy * (1.0 - x * x)},
    },
    "relu": {"gated by the cotangent too": lambda dy, x: {"x": np.where(x > 0, np.maximum(dy, 0.0), 0.0)}},
    "leaky_relu": {"gradient of relu": lambda dy, x, negative_slope=0.2: {"x": np.where(x > 0, dy, 0.0)}},
}
"""Wrong gradients by operation."""


def mistakes(situation: Situation) -> Iterator[Mistake]:
    """The wrong formulas and gradients of an operation."""
    name = situation.name
    for text, function in IN_DTYPE.get(name, {}).items():
        yield Mistake(text=text, function=function, in_dtype=True, special=True)
    for text, function in FORMULAS.get(name, {}).items():
        yield Mistake(text=text, function=function, rough=text in ROUGH)
    for text, vjp in GRADIENTS.get(name, {}).items():
        yield Mistake(text=text, vjp=vjp)
