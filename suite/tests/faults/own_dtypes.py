"""Faults where arrays of a call have dtypes of their own: operation, class, what is wrong, formula."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from faulty import Faults, Row, reference, right_vjp
from small_backend import Value, to_dtype

from tensorproof_reference.primitives.casts import FLOATS

FAULTS = Faults()


def in_dtype(operation: str, dtype: str) -> Callable[..., Any]:
    """The right numbers, as nearly as a dtype has them that nobody asked for."""

    def wrong(*arguments: Any, **keywords: Any) -> Any:
        return Value(to_dtype(reference(operation, *arguments, **keywords), dtype), dtype)

    return wrong


def truncated(x: Any, *, dtype: str = "float16", **keywords: Any) -> Any:
    """Floats rounded towards 0."""
    y = reference("cast", x, dtype=dtype, **keywords)
    if dtype not in FLOATS or x.dtype.kind != "f":
        return y
    with np.errstate(all="ignore"):
        lower = reference("cast", 2 * x - y, dtype=dtype, **keywords)
        return np.where((np.abs(y) > np.abs(x)) & (np.abs(lower) < np.abs(x)) & np.isfinite(y), lower, y)


def by_float32(x: Any, *, dtype: str = "float16", **keywords: Any) -> Any:
    """Integers by way of float32."""
    return reference("cast", x.astype(np.float32) if x.dtype.kind == "i" else x, dtype=dtype, overflow="wraps")


def to_nearest(x: Any, *, dtype: str = "float16", **keywords: Any) -> Any:
    """Integers rounded to the nearest."""
    whole = dtype not in FLOATS and dtype != "bool" and x.dtype.kind == "f"
    return reference("cast", np.rint(x) if whole else x, dtype=dtype, **keywords)


def flushed(x: Any, *, dtype: str = "float16", **keywords: Any) -> Any:
    """Subnormal numbers of floats of 8 bits are 0."""
    y = reference("cast", x, dtype=dtype, **keywords)
    least = {"float8_e4m3fn": 2.0**-6, "float8_e5m2": 2.0**-14}.get(dtype, 0.0)
    return np.where(np.abs(y) < least, 0.0 * y, y) if least else y


VALUES: Sequence[Row] = (
    ("cast", "plain", "result_in_float32", in_dtype("cast", "float32")),
    ("cast", "plain", "rounded_towards_0", truncated),
    ("cast", "bounds", "integers_by_float32", by_float32),
    ("cast", "optional", "integers_rounded_to_nearest", to_nearest),
    ("cast", "magnitude", "subnormal_numbers_of_8_bits_flushed", flushed),
)
"""Functions whose values are wrong."""


def nothing(dy: Any, x: Any, **keywords: Any) -> Any:
    """No gradient."""
    return {"x": np.zeros_like(dy)}


def in_the_dtype_of_the_result(dy: Any, x: Any, *, dtype: str = "float16", **keywords: Any) -> Any:
    """The cotangent as it came."""
    return {"x": Value(to_dtype(dy, dtype), dtype)}


def in_float8(dy: Any, x: Any, **keywords: Any) -> Any:
    """The cotangent in 8 bits."""
    return {"x": to_dtype(right_vjp("cast", dy, x, **keywords)["x"], "float8_e5m2").astype(x.dtype)}


GRADIENTS: Sequence[Row] = (
    ("cast", "plain", "gradient_missing", nothing),
    ("cast", "plain", "gradient_in_the_dtype_of_the_result", in_the_dtype_of_the_result),
    ("cast", "plain", "gradient_in_8_bits", in_float8),
)
"""Vector-Jacobian products that are wrong."""

FAULTS.rows(VALUES, GRADIENTS)
