"""Faults in functions of one and two numbers, choices and comparisons, in tables: operation, class, what is wrong, formula."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from faulty import Fault, Faults, Row, reference, right_vjp
from scipy import special
from small_backend import working_dtype

FAULTS = Faults()


def half(x: Any) -> Any:
    """Numbers of half the bits."""
    return x.astype(np.float16).astype(x.dtype)


def without_tail(function: Any, *operands: Any) -> Any:
    """The function of all but the last elements, those beyond a multiple of 8."""
    y = np.array(function(*operands)).reshape(-1)
    y[y.size - y.size % 8 :] = 0
    return y.reshape(np.broadcast_shapes(*(operand.shape for operand in operands)))


def first_of_each(a: Any, b: Any) -> tuple[Any, Any]:
    """Operands of which the second is read with the strides of the first: a column as a row."""
    if a.ndim == b.ndim == 2 and a.shape[1] == 1 and b.shape[0] == 1:
        return a.reshape(1, -1), b.reshape(-1, 1)
    return a, b


def summed_over_the_first_axis_only(gradient: Any, x: Any) -> Any:
    """The gradient of a broadcast operand, as if one axis alone were broadcast."""
    if gradient.shape == x.shape:
        return gradient
    missing = gradient.ndim - x.ndim
    axes = [axis for axis in range(gradient.ndim) if axis < missing or (x.shape[axis - missing] == 1 != gradient.shape[axis])]
    for axis in axes[1:]:
        gradient = np.take(gradient, [0], axis) if gradient.shape[axis] else gradient.sum(axis, keepdims=True)
    return gradient.sum(axes[0], keepdims=True).reshape(x.shape) if axes else gradient.reshape(x.shape)


VALUES: Sequence[Row] = (
    ("negative", "zero", "subtracted_from_zero", lambda x: 0.0 - x),
    ("abs", "zero", "negated_below_zero", lambda x: np.where(x < 0, -x, x)),
    ("abs", "nan", "larger_of_both_signs", lambda x: np.fmax(np.where(np.isnan(x), 0.0, x), -x)),
    ("sign", "nan", "difference_of_two_comparisons", lambda x: (x > 0).astype(x.dtype) - (x < 0).astype(x.dtype)),
    ("sign", "zero", "one_at_zero", lambda x: np.where(np.isnan(x), x, np.where(x < 0, -1.0, 1.0)).astype(x.dtype)),
    ("exp", "magnitude", "clamped_to_80", lambda x: np.exp(np.minimum(x, 80.0))),
    ("exp", "plain", "in_half_the_bits", lambda x: half(np.exp(x))),
    ("expm1", "magnitude", "exponential_less_one", lambda x: np.exp(x) - 1.0),
    ("log", "nan", "clamped_from_below", lambda x: np.log(np.fmax(x, 1e-12))),
    ("log", "plain", "to_base_two", lambda x: np.log2(x)),
    ("log1p", "magnitude", "logarithm_of_one_plus", lambda x: np.log(1.0 + x)),
    ("sqrt", "bounds", "of_the_absolute_value", lambda x: np.sqrt(np.abs(x))),
    ("sqrt", "zero", "power_of_one_half", lambda x: np.where(x == 0, 0.0, np.sqrt(x))),
    ("rsqrt", "plain", "estimate_without_a_step_of_newton", lambda x: (1.0 / np.sqrt(x)) * (1.0 + 2.0**-12 * np.sin(50.0 * x))),
    ("rsqrt", "bounds", "epsilon_under_the_root", lambda x: 1.0 / np.sqrt(x + 1e-12)),
    ("square", "magnitude", "saturates_at_the_largest_number", lambda x: np.nan_to_num(np.square(x), nan=np.nan, posinf=3e38)),
    ("reciprocal", "zero", "without_the_sign_of_zero", lambda x: 1.0 / (x + 0.0)),
    ("reciprocal", "plain", "estimate_of_twelve_bits", lambda x: 1.0 / x * (1.0 + 2.0**-12 * np.cos(9.0 * x))),
    ("sin", "magnitude", "period_of_ten_digits", lambda x: np.sin(x - np.rint(x / 6.283185307) * 6.283185307)),
    ("cos", "magnitude", "large_arguments_are_zero", lambda x: np.cos(np.where(np.abs(x) > 1e5, 0.0, x))),
    ("erf", "magnitude", "difference_from_the_complement", lambda x: 1.0 - special.erfc(x)),
    ("floor", "ties", "towards_zero", lambda x: np.trunc(x)),
    ("floor", "magnitude", "through_short_integers", lambda x: np.where(np.isfinite(x), np.floor(np.clip(x, -32768, 32767)), x)),
    ("round", "ties", "halves_away_from_zero", lambda x: np.copysign(np.floor(np.abs(x) + 0.5), x)),
    ("round", "zero", "zero_loses_its_sign", lambda x: np.rint(x) + 0.0),
    ("add", "width", "tail_of_the_vector_loop_skipped", lambda a, b: without_tail(np.add, a, b)),
    ("add", "zero", "first_operand_with_its_sign_of_zero_lost", lambda a, b: (a + 0.0) + b),
    ("subtract", "plain", "operands_exchanged", lambda a, b: b - a),
    ("subtract", "broadcast", "column_read_as_a_row", lambda a, b: np.subtract(*first_of_each(a, b))),
    ("multiply", "infinity", "zero_times_anything_is_zero", lambda a, b: np.where((a == 0) | (b == 0), 0.0 * np.sign(b), a * b)),
    ("multiply", "plain", "in_half_the_bits", lambda a, b: half(a * b)),
    ("divide", "plain", "product_with_an_estimate", lambda a, b: a * (1.0 / b * (1.0 + 2.0**-13 * np.sin(30.0 * b)))),
    ("divide", "zero", "no_division_by_zero", lambda a, b: np.where(b == 0, 0.0, a / np.where(b == 0, 1.0, b))),
    ("power", "bounds", "exponential_of_a_logarithm", lambda a, b: np.exp(b * np.log(a))),
    ("power", "nan", "nan_to_the_power_zero_is_nan", lambda a, b: np.power(a, b) + np.where(np.isnan(a), a, 0.0)),
    ("where", "nan", "sum_of_masked_operands", lambda condition, a, b: condition * a + ~condition * b),
    ("where", "broadcast", "condition_flattened", lambda condition, a, b: np.where(np.ravel(condition)[0:1], a, b)),
    ("equal", "nan", "of_the_bytes", lambda a, b: (a == b) | (np.isnan(a) & np.isnan(b))),
    ("equal", "plain", "within_a_tolerance", lambda a, b: np.abs(a - b) <= 0.25),
    ("not_equal", "nan", "less_or_greater", lambda a, b: (a < b) | (a > b)),
    ("not_equal", "infinity", "difference_is_not_zero", lambda a, b: a - b != 0),
    ("less", "nan", "not_greater_or_equal", lambda a, b: ~(a >= b)),
    ("less", "zero", "by_the_bits_of_zeros", lambda a, b: (a < b) | ((a == b) & np.signbit(a) & ~np.signbit(b))),
    ("less_equal", "nan", "not_greater", lambda a, b: ~(a > b)),
    ("less_equal", "plain", "strictly", lambda a, b: a < b),
    ("greater", "nan", "not_less_or_equal", lambda a, b: ~(a <= b)),
    ("greater", "infinity", "sign_of_the_difference", lambda a, b: np.where(np.isinf(a) & np.isinf(b), True, a - b > 0)),
    ("greater_equal", "nan", "not_less", lambda a, b: ~(a < b)),
    ("greater_equal", "plain", "strictly", lambda a, b: a > b),
    ("maximum", "nan", "number_rather_than_nan", lambda a, b, *, ties="halves": np.fmax(a, b)),
    ("minimum", "nan", "second_operand_where_either_is_nan", lambda a, b, *, ties="halves": np.where(a < b, a, b)),
)
"""Functions whose values are wrong."""


def slope(function: Callable[[Any], Any]) -> Callable[..., Any]:
    """The vector-Jacobian product of a function of one number with that derivative."""
    return lambda dy, x: {"x": dy * function(x)}


def both(function: Callable[..., tuple[Any, Any]], name: str) -> Callable[..., Any]:
    """The right vector-Jacobian product, with its gradients changed."""

    def vjp(dy: Any, a: Any, b: Any, **keywords: Any) -> Any:
        right = right_vjp(name, dy, a, b, **keywords)
        da, db = function(right["a"], right["b"], dy, a, b)
        return {"a": da, "b": db}

    return vjp


def unsummed(name: str, whole: Callable[..., tuple[Any, Any]]) -> Callable[..., Any]:
    """Gradients that are summed over one of the axes along which an operand was broadcast, whole where none was."""

    def vjp(dy: Any, a: Any, b: Any, **keywords: Any) -> Any:
        da, db = whole(dy, a, b)
        return {"a": summed_over_the_first_axis_only(da, a), "b": summed_over_the_first_axis_only(db, b)}

    return vjp


def split_of_ties(right: Any, other: Any, dy: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """All of the gradient to each of two operands that are equal."""
    if a.shape != b.shape:
        return right, other
    return np.where(a == b, dy, right), np.where(a == b, dy, other)


def masked_where(dy: Any, condition: Any, a: Any, b: Any) -> Any:
    """The gradient by products with the values, which lets NaN through."""
    right = right_vjp("where", dy, condition, a, b)
    return {"a": right["a"] + 0.0 * a, "b": right["b"] + 0.0 * b}


GRADIENTS: Sequence[Row] = (
    ("negative", "plain", "gradient_of_the_identity", slope(np.ones_like)),
    ("abs", "kink", "gradient_at_zero_is_one", slope(lambda x: np.where(x < 0, -1.0, 1.0).astype(x.dtype))),
    ("sign", "plain", "straight_through", slope(np.ones_like)),
    ("exp", "plain", "derivative_at_half_the_bits", slope(lambda x: half(np.exp(np.minimum(x, 10.0))))),
    ("expm1", "magnitude", "one_more_than_the_result", slope(lambda x: np.expm1(x) + 1.0)),
    ("log", "magnitude", "epsilon_in_the_denominator", slope(lambda x: 1.0 / (x + 1e-7))),
    ("log1p", "plain", "gradient_of_the_logarithm", slope(lambda x: 1.0 / x)),
    ("sqrt", "magnitude", "epsilon_in_the_denominator", slope(lambda x: 0.5 / (np.sqrt(x) + 1e-6))),
    ("rsqrt", "plain", "sign_lost", slope(lambda x: 0.5 / (x * np.sqrt(x)))),
    ("square", "plain", "factor_two_forgotten", slope(lambda x: x)),
    ("reciprocal", "plain", "square_forgotten", slope(lambda x: -1.0 / x)),
    ("sin", "plain", "by_the_root_of_one_less_the_square", slope(lambda x: np.sqrt(1.0 - np.square(np.sin(x))))),
    ("cos", "plain", "sign_lost", slope(np.sin)),
    ("erf", "plain", "gradient_of_the_normal_distribution", slope(lambda x: np.exp(-np.square(x) / 2.0) / np.sqrt(2.0 * np.pi))),
    ("floor", "plain", "straight_through", slope(np.ones_like)),
    ("round", "plain", "straight_through", slope(np.ones_like)),
    ("add", "broadcast", "summed_over_one_axis_only", unsummed("add", lambda dy, a, b: (dy, dy))),
    ("subtract", "plain", "both_gradients_positive", both(lambda da, db, dy, a, b: (da, -db), "subtract")),
    ("multiply", "plain", "each_with_its_own_operand", lambda dy, a, b: right_vjp("multiply", dy, b, a)),
    ("multiply", "broadcast", "summed_over_one_axis_only", unsummed("multiply", lambda dy, a, b: (dy * b, dy * a))),
    ("divide", "plain", "sign_of_the_denominators_gradient", both(lambda da, db, dy, a, b: (da, -db), "divide")),
    ("power", "plain", "exponent_not_lowered", both(lambda da, db, dy, a, b: (da * np.mean(a), db), "power")),
    ("power", "plain", "no_gradient_of_the_exponent", both(lambda da, db, dy, a, b: (da, 0.0 * db), "power")),
    ("maximum", "ties", "both_get_all_of_it", both(split_of_ties, "maximum")),
    ("minimum", "plain", "gradient_of_the_maximum", lambda dy, a, b, **keywords: right_vjp("maximum", dy, a, b, **keywords)),
    ("where", "nan", "nan_comes_through_what_is_not_taken", masked_where),
)
"""Vector-Jacobian products that are wrong."""


def float16_flushed(name: str) -> Callable[..., Any]:
    """The right function, whose small results in float16 are zero."""

    def function(**operands: Any) -> Any:
        y = reference(name, **operands)
        return np.where((working_dtype() == "float16") & (np.abs(y) < 2.0**-10), 0.0 * y, y)

    return function


FAULTS.rows(VALUES, GRADIENTS)
for operation in ("exp", "erf", "multiply"):
    flushed = Fault(
        name="small_results_flushed_in_float16", operation=operation, group="float16", function=float16_flushed(operation)
    )
    FAULTS.found.append(flushed)
