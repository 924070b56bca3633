"""Kernels with a fault, which the miscompilations of ``planted_rewrites`` call instead of operations."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from small_operations import KNOWN

from tensorproof_reference.operation import Operation
from tensorproof_reference.rounding import round_to

Array = Any


def kernel(function: Callable[..., Any], vjp: Callable[..., Any] | None = None) -> Operation:
    """What a rewrite may call that is no operation."""
    return Operation(function=function, vjp=vjp, samples=lambda stream: iter(()), family="elementwise")


def _single(array: Array) -> Array:
    return np.asarray(array, np.float32)


def _mean_by(x: Array, *, axis: Any = None, keepdims: bool = False, count: int) -> Array:
    return _single(np.sum(x, axis=axis, keepdims=keepdims) / count)


def _softmax_unshifted(x: Array, *, axis: int = -1) -> Array:
    e = np.exp(x)
    return e / e.sum(axis=axis, keepdims=True)


def _log_of_softmax(x: Array, *, axis: int = -1) -> Array:
    return np.log(KNOWN["softmax"].function(x, axis=axis))


def _constant_zero(x: Array) -> Array:
    return np.zeros_like(x)


def _same(x: Array) -> Array:
    return np.array(x)


def _in_place(name: str) -> Callable[..., Any]:
    def function(x: Array) -> Array:
        x[...] = KNOWN[name].function(x)
        return x

    return function


def _by_columns(a: Array, b: Array) -> Array:
    return a + np.expand_dims(b, -1)


def _sum_vjp(dy: Array, x: Array, *, axis: Any = None, keepdims: bool = False) -> Any:
    """That of the mean."""
    return KNOWN["reduce_mean"].vjp(dy, x, axis=axis, keepdims=keepdims)  # type: ignore[misc]


def _add_in_bfloat16(a: Array, b: Array) -> Array:
    return _single(round_to(round_to(a, "bfloat16") + round_to(b, "bfloat16"), "bfloat16"))


def _where_vjp(dy: Array, condition: Array, a: Array, b: Array) -> Any:
    """That with the branches swapped."""
    return KNOWN["where"].vjp(dy, ~condition, a, b)  # type: ignore[misc]


def _one_pass(x: Array, *, axis: Any = None, keepdims: bool = False) -> Array:
    mean = np.mean(x, axis=axis, keepdims=keepdims)
    return np.mean(x * x, axis=axis, keepdims=keepdims) - mean * mean


def _exclusive(x: Array, *, axis: int) -> Array:
    return np.cumsum(x, axis=axis) - x


def _sum_without_tail(x: Array, *, axis: Any = None, keepdims: bool = False) -> Array:
    return np.sum(x[..., : x.shape[-1] - x.shape[-1] % 8], axis=axis, keepdims=keepdims)


def _by_rough_reciprocal(a: Array, b: Array) -> Array:
    return _single(a * round_to(1.0 / b, "bfloat16"))


def _prefix_of(name: str) -> Callable[..., Any]:
    """An operation with the vector-Jacobian product that is its own: a kernel needs one to be differentiated."""
    vjp = KNOWN[name].vjp
    assert vjp is not None
    return vjp


KERNELS: Mapping[str, Operation] = {
    "mean_by": kernel(
        _mean_by,
        lambda dy, x, *, axis=None, keepdims=False, count: _prefix_of("reduce_mean")(dy, x, axis=axis, keepdims=keepdims),
    ),
    "softmax_unshifted": kernel(_softmax_unshifted, _prefix_of("softmax")),
    "log_of_softmax": kernel(_log_of_softmax, _prefix_of("log_softmax")),
    "constant_zero": kernel(_constant_zero, lambda dy, x: {"x": np.zeros_like(dy)}),
    "same": kernel(_same, lambda dy, x: {"x": dy}),
    **{f"{name}_in_place": kernel(_in_place(name), _prefix_of(name)) for name in ("relu", "exp", "tanh", "sigmoid", "cos")},
    "add_by_columns": kernel(_by_columns, lambda dy, a, b: {"a": dy, "b": np.sum(dy, axis=-1)}),
    "sum_with_gradient_of_mean": kernel(KNOWN["reduce_sum"].function, _sum_vjp),
    "add_in_bfloat16": kernel(_add_in_bfloat16, _prefix_of("add")),
    "where_with_swapped_gradient": kernel(KNOWN["where"].function, _where_vjp),
    "variance_in_one_pass": kernel(_one_pass, _prefix_of("variance")),
    "sum_without_tail": kernel(_sum_without_tail, _prefix_of("reduce_sum")),
    "exclusive_sum": kernel(_exclusive, _prefix_of("cumulative_sum")),
    "divide_by_rough_reciprocal": kernel(_by_rough_reciprocal, _prefix_of("divide")),
}
