"""Miscompilations of casts, to plant in the compiler of the small framework."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from faulty import Fault
from planted_kernels import KERNELS, kernel
from planted_rewrites import Planted, Rewrite, Surroundings, first_of, rewritten
from small_backend import Node, Value, to_dtype
from small_operations import KNOWN

from tensorproof_reference.operation import DTYPES
from tensorproof_reference.rounding import HELD, STORED, round_to, spacing

CAST = "cast"
Array = Any


def _truncated(x: Array, *, dtype: str) -> Array:
    """The nearest number of the dtype that is no larger in size, in the array's own dtype."""
    rounded = round_to(x, dtype)
    beyond = np.abs(rounded) > np.abs(x)
    return np.where(beyond, rounded - np.copysign(spacing(x, dtype), x), rounded).astype(x.dtype)


def _product_in_16_bits(a: Array, b: Array) -> Array:
    """Each partial sum rounded to bfloat16."""
    total = np.zeros(np.matmul(a, b).shape)
    for place in range(a.shape[-1]):
        total = round_to(total + a[..., :, place, None] * b[..., place, None, :], "bfloat16")
    return np.asarray(total, a.dtype)


def _copied_vjp(dy: Array, x: Array, **_: Any) -> Any:
    return {"x": dy}


def _subnormals_lost(x: Array, *, dtype: str) -> Array:
    """Numbers below the normal ones of the dtype are zero."""
    return np.where(np.abs(x) < HELD[dtype].smallest_normal, 0.0, x).astype(x.dtype)


CAST_KERNELS = {
    **KERNELS,
    "subnormals_lost": kernel(_subnormals_lost, _copied_vjp),
    "truncated": kernel(_truncated, _copied_vjp),
    "product_in_16_bits": kernel(_product_in_16_bits, KNOWN["matmul"].vjp),
}


def _value_in(dtype: str, like: Value) -> Value:
    """A value of a dtype, to be computed."""
    return Value(to_dtype(like.array, dtype), dtype, like.device, like.backend)


def _narrows(node: Node) -> bool:
    """Whether a node casts a floating array to a dtype of fewer digits."""
    before, after = (first_of(node).dtype, node.keywords["dtype"]) if node.operation == CAST else ("", "")
    return before in DTYPES and after in HELD and HELD[after].bits < HELD[before].bits


def _pair_removed(node: Node, around: Surroundings) -> list[Node] | None:
    """A cast to fewer digits and back is nothing."""
    before = around.made_by(CAST, first_of(node)) if node.operation == CAST else None
    if before is None or not _narrows(before) or first_of(before).dtype != node.outputs[0].dtype:
        return None
    return [Node("same", {"x": first_of(before)}, {}, node.outputs)]


def _moved_past(operation: str) -> Rewrite:
    """What is computed of a widened array is computed of the array itself, and widened."""

    def rewrite(node: Node, around: Surroundings) -> list[Node] | None:
        before = around.made_by(CAST, first_of(node)) if node.operation == operation else None
        if before is None or first_of(before).dtype not in ("bfloat16", "float16"):
            return None
        narrow = _value_in(first_of(before).dtype, node.outputs[0])
        inner = replace(node, inputs={"x": first_of(before)}, outputs=(narrow,))
        return [inner, Node(CAST, {"x": narrow}, {"dtype": node.outputs[0].dtype}, node.outputs)]

    return rewrite


def _truncating(node: Node, around: Surroundings) -> list[Node] | None:
    if not _narrows(node):
        return None
    between = _value_in(first_of(node).dtype, first_of(node))
    cut = Node("truncated", {"x": first_of(node)}, {"dtype": node.keywords["dtype"]}, (between,))
    return [cut, replace(node, inputs={"x": between})]


def _by_bfloat16(node: Node, around: Surroundings) -> list[Node] | None:
    """A cast to float16 goes through bfloat16."""
    if node.operation != CAST or node.keywords["dtype"] != "float16" or first_of(node).dtype not in DTYPES:
        return None
    between = _value_in("bfloat16", first_of(node))
    return [Node(CAST, {"x": first_of(node)}, {"dtype": "bfloat16"}, (between,)), replace(node, inputs={"x": between})]


def _left_out_at_the_end(node: Node, around: Surroundings) -> list[Node] | None:
    """A cast that nothing takes is left out: the result has another dtype."""
    if node.operation != CAST or first_of(node).dtype not in DTYPES or around.consumers(node.outputs[0]):
        return None
    return [Node("same", {"x": first_of(node)}, {}, node.outputs)]


def _fused_product(node: Node, around: Surroundings) -> list[Node] | None:
    """A product that is cast to bfloat16 is summed in it."""
    if node.operation != "matmul" or node.outputs[0].dtype != "float32":
        return None
    casts = [item for item in around.consumers(node.outputs[0]) if item.operation == CAST]
    return [replace(node, operation="product_in_16_bits")] if any(_narrows(item) for item in casts) else None


def _fused_with_residual(node: Node, around: Surroundings) -> list[Node] | None:
    """A narrow product that is widened and added to something is never rounded to its own dtype; it is summed in it instead."""
    if node.operation != CAST or _narrows(node):
        return None
    product = around.made_by("matmul", first_of(node))
    if product is None or product.outputs[0].dtype not in ("bfloat16", "float16"):
        return None
    narrow = _value_in(product.outputs[0].dtype, product.outputs[0])
    return [replace(product, operation="product_in_16_bits", outputs=(narrow,)), replace(node, inputs={"x": narrow})]


def _to_eight_bits(node: Node) -> bool:
    return node.operation == CAST and node.keywords["dtype"] in STORED and first_of(node).dtype in DTYPES


def _by_another(dtype: str, other: str) -> Rewrite:
    """A cast to a dtype goes through another one."""

    def rewrite(node: Node, around: Surroundings) -> list[Node] | None:
        if not _to_eight_bits(node) or node.keywords["dtype"] != dtype or first_of(node).dtype == other:
            return None
        between = _value_in(other, first_of(node))
        return [Node(CAST, {"x": first_of(node)}, {"dtype": other}, (between,)), replace(node, inputs={"x": between})]

    return rewrite


def _without_subnormals(node: Node, around: Surroundings) -> list[Node] | None:
    if not _to_eight_bits(node):
        return None
    between = _value_in(first_of(node).dtype, first_of(node))
    flushed = Node("subnormals_lost", {"x": first_of(node)}, {"dtype": node.keywords["dtype"]}, (between,))
    return [flushed, replace(node, inputs={"x": between})]


def _pair_of_eight_bits_removed(node: Node, around: Surroundings) -> list[Node] | None:
    """A cast to 8 bits and back is nothing."""
    before = around.made_by(CAST, first_of(node)) if node.operation == CAST else None
    if before is None or not _to_eight_bits(before) or first_of(before).dtype != node.outputs[0].dtype:
        return None
    return [Node("same", {"x": first_of(before)}, {}, node.outputs)]


def _planted(*operations: str, rewrite: Rewrite | None = None, **parts: Any) -> Planted:
    optimize = rewritten(rewrite) if rewrite else None
    fault = Fault(
        name="_".join(operations),
        operation=operations[-1],
        group="compiled",
        mode="compiled",
        optimize=optimize,
        kernels=CAST_KERNELS,
        **parts,
    )
    return Planted(operations, fault)


PLANTED_CASTS: Mapping[str, Planted] = {
    "cast_pair_removed": _planted(CAST, rewrite=_pair_removed),
    "cast_truncates": _planted(CAST, rewrite=_truncating),
    "cast_to_float16_by_bfloat16": _planted(CAST, rewrite=_by_bfloat16),
    "cast_left_out_at_the_end": _planted(CAST, rewrite=_left_out_at_the_end),
    "cast_has_no_gradient": _planted(CAST, vjp=lambda dy, x, **_: {"x": np.zeros_like(dy)}),
    "cast_moved_past_a_sum": _planted(CAST, "reduce_sum", rewrite=_moved_past("reduce_sum")),
    "cast_moved_past_a_softmax": _planted(CAST, "softmax", rewrite=_moved_past("softmax")),
    "product_that_is_cast_in_16_bits": _planted("matmul", CAST, rewrite=_fused_product),
    "widened_product_in_16_bits": _planted("matmul", CAST, rewrite=_fused_with_residual),
}
"""By what is wrong."""


PLANTED_STORED: Mapping[str, Planted] = {
    "stored_by_bfloat16": _planted(CAST, rewrite=_by_another("float8_e4m3fn", "bfloat16")),
    "stored_by_the_other_dtype": _planted(CAST, rewrite=_by_another("float8_e4m3fn", "float8_e5m2")),
    "stored_without_subnormals": _planted(CAST, rewrite=_without_subnormals),
    "stored_truncated": _planted(CAST, rewrite=_truncating),
    "stored_and_read_left_out": _planted(CAST, rewrite=_pair_of_eight_bits_removed),
}
"""Of casts to 8 bits, by what is wrong."""
