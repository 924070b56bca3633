"""Faults where arrays of a call have dtypes of their own: operation, class, what is wrong, formula."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from faulty import Faults, Row, changed, reference, right_vjp
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


def half(array: Any, dtype: str = "bfloat16") -> Any:
    """Numbers of 16 bits in the dtype that they came in."""
    return to_dtype(array, dtype).astype(array.dtype)


def by_halves(operation: str, name: str) -> Callable[..., Any]:
    """An argument of float32 is rounded to 16 bits before it is used."""
    return changed(operation, lambda given: {} if given.get(name) is None else {name: half(given[name])})


def result_by_halves(operation: str) -> Callable[..., Any]:
    """The result is rounded to 16 bits before it is given in the dtype that was asked for."""
    return lambda *arguments, **keywords: half(reference(operation, *arguments, **keywords))


def without(operation: str, name: str) -> Callable[..., Any]:
    """An argument is left out."""
    return changed(operation, lambda given: {name: None})


def steps_of(change: Callable[[Any], Any], operation: str) -> Callable[..., Any]:
    """The results of an optimizer, each parameter changed."""

    def wrong(*arguments: Any, **keywords: Any) -> Any:
        parameters, *others = reference(operation, *arguments, **keywords)
        return [change(parameter) for parameter in parameters], *others

    return wrong


def master_in_16_bits(*arguments: Any, **keywords: Any) -> Any:
    """The master weights are those of the network."""
    parameters, master, *others = reference("master_adamw", *arguments, **keywords)
    return parameters, [half(weight) for weight in master], *others


def one_step_behind(master: Any, *arguments: Any, **keywords: Any) -> Any:
    """The network goes on with the weights from before."""
    _, *others = reference("master_adamw", master, *arguments, **keywords)
    return [weight.copy() for weight in master], *others


def copy_cut_off(*arguments: Any, **keywords: Any) -> Any:
    """The network has the first 16 bits of its master weights."""
    _, master, *others = reference("master_adamw", *arguments, **keywords)
    bits = [np.asarray(weight, np.float32).view(np.uint32) & np.uint32(0xFFFF0000) for weight in master]
    return [pattern.view(np.float32) for pattern in bits], master, *others


def difference_in_8_bits(q: Any, scale: Any, zero_point: Any = None, *, axis: Any = None, dtype: str = "float32") -> Any:
    """The zero point is taken off in the dtype of the integers, where it wraps."""
    if zero_point is None or q.dtype not in (np.int8, np.uint8):
        return reference("dequantize", q, scale, zero_point, axis=axis, dtype=dtype)
    shape = [-1 if place == (axis or 0) % q.ndim else 1 for place in range(q.ndim)]
    apart = zero_point if axis is None else zero_point.reshape(shape)
    return reference("dequantize", (q - apart.astype(q.dtype)).astype(q.dtype), scale, axis=axis, dtype=dtype)


def rounded_down(x: Any, scale: Any, zero_point: Any = None, *, dtype: str = "int8", axis: Any = None) -> Any:
    """The next lower step."""
    along = scale if axis is None else scale.reshape([-1 if place == axis % x.ndim else 1 for place in range(x.ndim)])
    whole = np.floor(np.clip(x / along, -1e6, 1e6)) * along if dtype in ("int8", "uint8") else x
    return reference("quantize", whole, scale, zero_point, dtype=dtype, axis=axis)


def with_the_first_scale(operation: str) -> Callable[..., Any]:
    """One scale for all places along an axis."""
    return changed(operation, lambda given: {"scale": np.full_like(given["scale"], given["scale"].flat[0])})


def wrapped(x: Any, scale: Any, zero_point: Any = None, *, dtype: str = "int8", axis: Any = None) -> Any:
    """What is beyond the ends wraps."""
    if dtype not in ("int8", "uint8"):
        return reference("quantize", x, scale, zero_point, dtype=dtype, axis=axis)
    right = reference("quantize", x, scale, zero_point, dtype=dtype, axis=axis)
    ends = np.iinfo(dtype)
    return np.where(right == ends.max, ends.min, right)


VALUES: Sequence[Row] = (
    ("cast", "plain", "result_in_float32", in_dtype("cast", "float32")),
    ("cast", "plain", "rounded_towards_0", truncated),
    ("cast", "bounds", "integers_by_float32", by_float32),
    ("cast", "optional", "integers_rounded_to_nearest", to_nearest),
    ("cast", "magnitude", "subnormal_numbers_of_8_bits_flushed", flushed),
    ("mixed_matmul", "plain", "result_in_bfloat16", in_dtype("mixed_matmul", "bfloat16")),
    ("mixed_matmul", "plain", "weights_rounded_to_16_bits", by_halves("mixed_matmul", "b")),
    ("mixed_matmul", "plain", "result_rounded_to_16_bits", result_by_halves("mixed_matmul")),
    ("mixed_layer_norm", "plain", "result_in_float32", in_dtype("mixed_layer_norm", "float32")),
    ("mixed_layer_norm", "optional", "scale_rounded_to_16_bits", by_halves("mixed_layer_norm", "scale")),
    ("mixed_rms_norm", "plain", "result_in_float32", in_dtype("mixed_rms_norm", "float32")),
    ("mixed_rms_norm", "optional", "scale_rounded_to_16_bits", by_halves("mixed_rms_norm", "scale")),
    (
        "mixed_adamw",
        "plain",
        "parameters_in_float32",
        steps_of(lambda item: Value(to_dtype(item, "float32"), "float32"), "mixed_adamw"),
    ),
    ("mixed_adamw", "plain", "all_parameters_in_16_bits", steps_of(half, "mixed_adamw")),
    ("master_adamw", "plain", "master_in_16_bits", master_in_16_bits),
    ("master_adamw", "plain", "parameters_from_before", one_step_behind),
    ("master_adamw", "state", "parameters_rounded_towards_0", copy_cut_off),
    ("quantize", "plain", "rounded_down", rounded_down),
    ("quantize", "plain", "zero_point_left_out", without("quantize", "zero_point")),
    ("quantize", "axis", "one_scale_for_all", with_the_first_scale("quantize")),
    ("quantize", "bounds", "wraps_beyond_the_ends", wrapped),
    ("quantize", "plain", "result_in_float32", in_dtype("quantize", "float32")),
    ("dequantize", "plain", "zero_point_left_out", without("dequantize", "zero_point")),
    ("dequantize", "plain", "scale_rounded_to_16_bits", by_halves("dequantize", "scale")),
    ("dequantize", "axis", "one_scale_for_all", with_the_first_scale("dequantize")),
    ("dequantize", "plain", "zero_point_taken_off_in_8_bits", difference_in_8_bits),
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


def cotangent_in_16_bits(operation: str) -> Callable[..., Any]:
    """The cotangent is rounded to 16 bits first."""
    return lambda dy, *arguments, **keywords: right_vjp(operation, half(dy), *arguments, **keywords)


def given_in(operation: str, name: str, dtype: str) -> Callable[..., Any]:
    """One gradient has the dtype of something else."""

    def wrong(*arguments: Any, **keywords: Any) -> Any:
        found = right_vjp(operation, *arguments, **keywords)
        if found[name] is not None:
            found[name] = Value(to_dtype(found[name], dtype), dtype)
        return found

    return wrong


GRADIENTS: Sequence[Row] = (
    ("cast", "plain", "gradient_missing", nothing),
    ("cast", "plain", "gradient_in_the_dtype_of_the_result", in_the_dtype_of_the_result),
    ("cast", "plain", "gradient_in_8_bits", in_float8),
    ("mixed_matmul", "plain", "cotangent_rounded_to_16_bits", cotangent_in_16_bits("mixed_matmul")),
    ("mixed_matmul", "plain", "gradient_of_16_bits_in_float32", given_in("mixed_matmul", "a", "float32")),
    ("mixed_layer_norm", "plain", "gradient_of_the_scale_in_16_bits", given_in("mixed_layer_norm", "scale", "bfloat16")),
    ("mixed_rms_norm", "plain", "gradient_of_the_scale_in_16_bits", given_in("mixed_rms_norm", "scale", "bfloat16")),
)
"""Vector-Jacobian products that are wrong."""

FAULTS.rows(VALUES, GRADIENTS)
