"""Faults in reductions, in tables: operation, class, what is wrong, formula."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from faulty import Faults, Row, reference, right_vjp
from small_backend import working_dtype

FAULTS = Faults()


def over(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of axis and kept axes as NumPy has it."""

    def reduced(x: Any, *, axis: Any = None, keepdims: bool = False, **others: Any) -> Any:
        return function(x, axis=axis, keepdims=keepdims)

    return reduced


def with_axes(name: str, change: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """The right function of other axes: ``change`` makes them of the array and the axes."""

    def reduced(x: Any, *, axis: Any = None, **keywords: Any) -> Any:
        return reference(name, x, axis=change(x, axis), **keywords)

    return reduced


def first_axis_only(x: Any, axis: Any) -> Any:
    """The first of several axes."""
    return axis[0] if isinstance(axis, tuple) and axis else axis


def all_for_none(x: Any, axis: Any) -> Any:
    """All axes for an empty tuple."""
    return None if axis == () else axis


def counted_from_the_first(x: Any, axis: Any) -> Any:
    """The absolute value of a negative axis."""
    return abs(axis) % x.ndim if isinstance(axis, int) and axis < -1 else axis


def tail_left_out(name: str) -> Callable[..., Any]:
    """The right function of all but what is beyond a multiple of 4 along the last axis, if that is longer than 8."""

    def reduced(x: Any, *, axis: Any = None, **keywords: Any) -> Any:
        cut = x[..., : x.shape[-1] - x.shape[-1] % 4] if axis == -1 and x.shape[-1] > 8 else x
        return reference(name, cut, axis=axis, **keywords)

    return reduced


def in_16_bits(x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """The sum of 16-bit numbers, each partial sum of which is rounded to float16."""
    if working_dtype() != "float16" or axis != -1 or not x.shape[-1]:
        return np.sum(x, axis=axis, keepdims=keepdims)
    total = np.cumsum(x.astype(np.float16), axis=-1, dtype=np.float16)[..., -1].astype(np.float32)
    return total[..., None] if keepdims else total


def one_pass(x: Any, *, axis: Any = None, keepdims: bool = False, correction: int = 0) -> Any:
    """The mean of squares less the square of the mean."""
    n = x.size // max(np.sum(x, axis=axis).size, 1)
    mean = np.mean(x, axis=axis, keepdims=keepdims)
    return (np.mean(np.square(x), axis=axis, keepdims=keepdims) - np.square(mean)) * (n / max(n - correction, 0))


def always_unbiased(name: str) -> Callable[..., Any]:
    """The right function with a correction of one by default."""

    def reduced(x: Any, *, correction: int = 0, **keywords: Any) -> Any:
        return reference(name, x, correction=correction or 1, **keywords)

    return reduced


def ignoring_nan(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The largest, or smallest, of what is a number."""

    def reduced(x: Any, *, axis: Any = None, keepdims: bool = False, **others: Any) -> Any:
        right = reference(name, x, axis=axis, keepdims=keepdims, **others)
        return function.reduce(x, axis=axis, keepdims=keepdims) if x.size and right.size else right

    return reduced


def unsafe_logsumexp(x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


def minus_infinity_is_nan(x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest number is subtracted, infinite or not."""
    if not x.size:
        return reference("logsumexp", x, axis=axis, keepdims=keepdims)
    largest = np.max(x, axis=axis, keepdims=True)
    y = np.log(np.sum(np.exp(x - largest), axis=axis, keepdims=True)) + largest
    return y.reshape(np.shape(np.sum(x, axis=axis, keepdims=keepdims)))


def minus_infinity_less_itself(x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """-∞ is subtracted from -∞, where all are such; +∞ is seen to."""
    if not x.size:
        return reference("logsumexp", x, axis=axis, keepdims=keepdims)
    right = reference("logsumexp", x, axis=axis, keepdims=keepdims)
    return np.where(np.isneginf(right), np.nan, right).astype(x.dtype)


def lowest_number_for_infinity(x: Any, **keywords: Any) -> Any:
    """The search for the largest starts from the lowest finite number."""
    return np.maximum(reference("reduce_max", x, **keywords), np.finfo(x.dtype).min)


def last_of_ties(name: str) -> Callable[..., Any]:
    """The last of equal numbers along one axis."""

    def reduced(x: Any, *, axis: Any = None, **keywords: Any) -> Any:
        if axis is None:
            return x.size - 1 - reference(name, x.reshape(-1)[::-1], axis=None, **keywords)
        return x.shape[axis] - 1 - reference(name, np.flip(x, axis), axis=axis, **keywords)

    return reduced


def restarts_at(block: int) -> Callable[..., Any]:
    """Running sums of blocks, without what came before."""

    def summed(x: Any, *, axis: int = -1) -> Any:
        moved = np.moveaxis(x, axis, -1)
        parts = [np.cumsum(moved[..., start : start + block], axis=-1) for start in range(0, max(moved.shape[-1], 1), block)]
        return np.moveaxis(np.concatenate(parts, axis=-1), -1, axis)

    return summed


def without_the_first(x: Any, *, axis: int = -1) -> Any:
    """Running sums that leave out the number itself."""
    return np.cumsum(x, axis=axis) - x


def product_of_magnitudes(x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """The product by logarithms, without the sign."""
    return np.exp(np.sum(np.log(np.abs(x)), axis=axis, keepdims=keepdims))


def kept_always(function: Callable[..., Any]) -> Callable[..., Any]:
    """Several axes are kept whether or not they should be."""

    def reduced(x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
        return function(x, axis=axis, keepdims=keepdims or (isinstance(axis, tuple) and len(axis) > 1))

    return reduced


VALUES: Sequence[Row] = (
    ("reduce_sum", "axis", "first_of_several_axes_only", with_axes("reduce_sum", first_axis_only)),
    ("reduce_sum", "width", "rest_of_the_vector_left_out", tail_left_out("reduce_sum")),
    ("reduce_sum", "float16", "accumulated_in_16_bits", in_16_bits),
    ("reduce_mean", "axis", "all_axes_for_none", with_axes("reduce_mean", all_for_none)),
    ("reduce_mean", "nan", "mean_of_what_is_a_number", over(np.nanmean)),
    ("reduce_prod", "axis", "magnitude_of_a_negative_axis", with_axes("reduce_prod", counted_from_the_first)),
    ("reduce_prod", "plain", "by_logarithms_of_magnitudes", product_of_magnitudes),
    ("reduce_max", "nan", "nan_left_out", ignoring_nan(np.fmax, "reduce_max")),
    ("reduce_max", "plain", "never_below_zero", lambda x, **keywords: np.maximum(reference("reduce_max", x, **keywords), 0.0)),
    ("reduce_max", "infinity", "starts_from_the_lowest_finite_number", lowest_number_for_infinity),
    ("reduce_min", "nan", "nan_left_out", ignoring_nan(np.fmin, "reduce_min")),
    ("reduce_min", "width", "rest_of_the_vector_left_out", tail_left_out("reduce_min")),
    ("variance", "cancellation", "in_one_pass", one_pass),
    ("variance", "plain", "always_unbiased", always_unbiased("variance")),
    ("standard_deviation", "plain", "always_unbiased", always_unbiased("standard_deviation")),
    ("standard_deviation", "optional", "correction_ignored", over(np.std)),
    ("norm", "plain", "sum_of_magnitudes", lambda x, **keywords: np.sum(np.abs(x), **keywords)),
    ("norm", "axis", "first_of_several_axes_only", with_axes("norm", first_axis_only)),
    ("logsumexp", "magnitude", "largest_not_subtracted", unsafe_logsumexp),
    ("logsumexp", "infinity", "nan_where_all_are_minus_infinity", minus_infinity_is_nan),
    ("logsumexp", "infinity", "nan_for_nothing_but_minus_infinity", minus_infinity_less_itself),
    ("any", "axis", "first_of_several_axes_only", with_axes("any", first_axis_only)),
    ("any", "long", "rest_of_the_vector_left_out", tail_left_out("any")),
    ("all", "empty", "nothing_is_false", lambda x, **keywords: np.all(x, **keywords) & (x.size > 0)),
    ("all", "axis", "kept_where_there_are_several", kept_always(np.all)),
    ("argmax", "ties", "last_of_ties", last_of_ties("argmax")),
    ("argmax", "axis", "magnitude_of_a_negative_axis", with_axes("argmax", counted_from_the_first)),
    ("argmin", "ties", "last_of_ties", last_of_ties("argmin")),
    ("argmin", "infinity", "infinity_left_out", lambda x, **k: reference("argmin", np.where(np.isinf(x), 3e38, x), **k)),
    ("cumulative_sum", "width", "begins_anew_in_each_block", restarts_at(8)),
    ("cumulative_sum", "plain", "without_the_number_itself", without_the_first),
)
"""Functions whose values are wrong."""


def scaled(name: str, factor: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """The right gradient times a factor, made of the array and the axes."""
    return lambda dy, x, *, axis=None, **k: {"x": factor(x, axis) * right_vjp(name, dy, x, axis=axis, **k)["x"]}


def gradient_of(name: str) -> Callable[..., Any]:
    """The vector-Jacobian product of another operation."""
    return lambda dy, x, *, axis=None, keepdims=False, **others: right_vjp(name, dy, x, axis=axis, keepdims=keepdims)


def share_of_all(x: Any, axis: Any) -> Any:
    """How many of all numbers there are in one mean."""
    return 1.0 / max(np.sum(x, axis=axis).size, 1)


def quotient_with_the_factor(dy: Any, x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """The product divided by the factor, which is NaN where that is 0."""
    y = np.prod(x, axis=axis, keepdims=True)
    return {"x": dy.reshape(y.shape) * y / x}


def of_squares(dy: Any, x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """The gradient of half the squared length."""
    return {"x": x * right_vjp("reduce_sum", dy, x, axis=axis, keepdims=keepdims)["x"]}


def to_each_of_ties(function: Callable[..., Any]) -> Callable[..., Any]:
    """All of the gradient to each of the largest."""

    def vjp(dy: Any, x: Any, *, axis: Any = None, **others: Any) -> Any:
        if not x.size:
            return {"x": np.zeros_like(x)}
        best = function(x, axis=axis, keepdims=True)
        return {"x": np.where(x == best, dy.reshape(best.shape), 0.0).astype(x.dtype)}

    return vjp


def uncorrected(dy: Any, x: Any, *, correction: int = 0, **keywords: Any) -> Any:
    """The gradient of the variance that is divided by the count."""
    return right_vjp("variance", dy, x, **keywords)


def backwards_along_the_last_axis(dy: Any, x: Any, *, axis: int = -1) -> Any:
    """Sums from the end along the last axis, and from the start along others."""
    return right_vjp("cumulative_sum", dy, x, axis=axis) if axis in (-1, x.ndim - 1) else {"x": np.cumsum(dy, axis=axis)}


GRADIENTS: Sequence[Row] = (
    ("reduce_sum", "plain", "gradient_of_the_mean", gradient_of("reduce_mean")),
    ("reduce_mean", "plain", "divided_by_the_number_of_all", scaled("reduce_mean", share_of_all)),
    ("reduce_prod", "zero", "quotient_with_the_factor", quotient_with_the_factor),
    ("reduce_max", "ties", "to_each_of_ties", to_each_of_ties(np.max)),
    ("reduce_min", "plain", "gradient_of_the_maximum", gradient_of("reduce_max")),
    ("variance", "plain", "factor_two_forgotten", scaled("variance", lambda x, axis: 0.5)),
    ("variance", "optional", "correction_left_out_of_the_gradient", uncorrected),
    ("standard_deviation", "plain", "gradient_of_the_variance", gradient_of("variance")),
    ("norm", "plain", "gradient_of_the_sum_of_squares", of_squares),
    ("logsumexp", "plain", "shared_equally", gradient_of("reduce_mean")),
    ("cumulative_sum", "plain", "summed_from_the_start", lambda dy, x, *, axis=-1: {"x": np.cumsum(dy, axis=axis)}),
    ("cumulative_sum", "width", "summed_from_the_start_but_for_the_last_axis", backwards_along_the_last_axis),
)
"""Vector-Jacobian products that are wrong."""

FAULTS.rows(VALUES, GRADIENTS)
