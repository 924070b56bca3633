"""Faults in casts: operation, class, what is wrong, formula."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from faulty import Faults, Row, reference

from tensorproof_reference.primitives.casts import FLOATS, WHOLE

FAULTS = Faults()


def left_out(x: Any, **keywords: Any) -> Any:
    """The cast and its way back cancel."""
    return x.copy()


def through(middle: str) -> Callable[..., Any]:
    """By way of another dtype, so that numbers are rounded twice."""

    def wrong(x: Any, *, dtype: str = "float16", **keywords: Any) -> Any:
        between = reference("cast_through", x, dtype=middle) if dtype in FLOATS else x
        return reference("cast_through", between, dtype=dtype, **keywords)

    return wrong


def truncated(x: Any, *, dtype: str = "float16", **keywords: Any) -> Any:
    """Floats rounded towards 0."""
    y = reference("cast_through", x, dtype=dtype, **keywords)
    with np.errstate(all="ignore"):
        lower = reference("cast_through", 2 * x - y, dtype=dtype, **keywords)
        return np.where((np.abs(y) > np.abs(x)) & (np.abs(lower) < np.abs(x)) & np.isfinite(y), lower, y).astype(x.dtype)


def saturated(x: Any, *, dtype: str = "float16", **keywords: Any) -> Any:
    """Beyond the range of float16 its largest number."""
    y = reference("cast_through", x, dtype=dtype, **keywords)
    return np.where(np.isinf(y) & np.isfinite(x), np.copysign(65504.0, x), y).astype(x.dtype)


def flushed(x: Any, *, dtype: str = "float16", **keywords: Any) -> Any:
    """Subnormal numbers of float16 are 0."""
    y = reference("cast_through", x, dtype=dtype, **keywords)
    return np.where((dtype == "float16") & (np.abs(y) < 2.0**-14), 0.0 * y, y).astype(x.dtype)


def rounded_to_integers(x: Any, *, dtype: str = "float16", **keywords: Any) -> Any:
    """Integers rounded to the nearest."""
    whole = dtype in WHOLE and dtype != "bool"
    return reference("cast_through", np.rint(x) if whole else x, dtype=dtype, **keywords)


def of_positive_numbers(x: Any, *, dtype: str = "float16", **keywords: Any) -> Any:
    """Negative numbers are false."""
    y = reference("cast_through", x, dtype=dtype, **keywords)
    return np.where((dtype == "bool") & (x < 0), 0.0, y).astype(x.dtype)


VALUES: Sequence[Row] = (
    ("cast_through", "plain", "cast_and_back_left_out", left_out),
    ("cast_through", "ties", "rounded_twice_by_float32", through("float32")),
    ("cast_through", "optional", "by_bfloat16", through("bfloat16")),
    ("cast_through", "plain", "rounded_towards_0", truncated),
    ("cast_through", "magnitude", "float16_saturates", saturated),
    ("cast_through", "magnitude", "subnormal_numbers_flushed", flushed),
    ("cast_through", "optional", "integers_rounded_to_nearest", rounded_to_integers),
    ("cast_through", "optional", "bool_of_positive_numbers", of_positive_numbers),
)
"""Functions whose values are wrong."""


def unrounded(dy: Any, x: Any, *, dtype: str = "float16", **keywords: Any) -> Any:
    """The cotangent as it is."""
    return {"x": dy.copy() if dtype in FLOATS else np.zeros_like(dy)}


def nothing(dy: Any, x: Any, **keywords: Any) -> Any:
    """No gradient."""
    return {"x": np.zeros_like(dy)}


GRADIENTS: Sequence[Row] = (
    ("cast_through", "plain", "gradient_not_cast", unrounded),
    ("cast_through", "plain", "gradient_missing", nothing),
)
"""Vector-Jacobian products that are wrong."""

FAULTS.rows(VALUES, GRADIENTS)
