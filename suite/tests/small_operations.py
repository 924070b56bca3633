"""What the small framework computes: the reference's operations, some of them in float64, and what arrays do besides."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tensorproof_reference import trees
from tensorproof_reference.catalogue import all_operations, known_operations
from tensorproof_reference.operation import Operation

SPECIFICATION = all_operations()
KNOWN = known_operations()
"""Those of all profiles."""
SCALE, ADD, PART, WRITE = "scale", "plus", "part", "write"
"""What arrays do that no operation is: the product with a Python number, the sum of two, indexing, and being written over."""


def _scale(x: Any, *, factor: float) -> Any:
    return x * factor


def _scale_vjp(dy: Any, x: Any, *, factor: float) -> Any:
    return {"x": dy * factor}


def _add(x: Any, other: Any) -> Any:
    return x + other


def _add_vjp(dy: Any, x: Any, other: Any) -> Any:
    return {"x": dy, "other": dy}


def _part(x: Any, *, key: Any) -> Any:
    return x[key]


def _part_vjp(dy: Any, x: Any, *, key: Any) -> Any:
    dx = np.zeros_like(x)
    np.add.at(dx, key, dy)
    return {"x": dx}


def _write(x: Any, value: Any) -> Any:
    return np.broadcast_to(value, x.shape)


def _gelu_vjp(dy: Any, x: Any, **keywords: Any) -> Any:
    """The reference's, whose cube must not overflow in 32 bits: beyond 1e4 the slope is constant."""
    vjp = SPECIFICATION["gelu"].vjp
    assert vjp is not None
    return vjp(dy, np.where(np.isfinite(x), np.clip(x, -1e4, 1e4), x), **keywords)


def _in_double(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function computed in float64, with results of the dtype that came: no square or sum of 32 bits overflows in it."""

    @functools.wraps(function)
    def computed(*arguments: Any, **keywords: Any) -> Any:
        came = [leaf.dtype for _, leaf in trees.leaves((arguments, keywords)) if is_floating(leaf)]
        wide = trees.replace_leaves((arguments, keywords), lambda path, x: x.astype(np.float64) if is_floating(x) else x)
        results = function(*wide[0], **wide[1])
        return trees.replace_leaves(results, lambda path, x: np.asarray(x).astype(came[0]) if is_floating(x) else x)

    computed.__kwdefaults__ = getattr(function, "__kwdefaults__", None)  # a partial function has none
    return computed


def is_floating(leaf: Any) -> bool:
    """Whether a leaf is an array of floating numbers."""
    return isinstance(leaf, np.ndarray | np.floating) and leaf.dtype.kind == "f"


def _robust(name: str) -> Operation:
    operation = KNOWN[name]
    return replace(operation, function=_in_double(operation.function), vjp=operation.vjp and _in_double(operation.vjp))


ROBUST = (
    "average_pool1d",
    "average_pool2d",
    "average_pool3d",
    "batch_norm",
    "clip_by_global_norm",
    "clip_by_norm",
    "layer_norm",
    "mean_squared_error",
    "rms_norm",
)
"""Operations whose results may be within the range of 32 bits where squares or sums on the way are not."""

OPERATIONS: Mapping[str, Operation] = {
    **KNOWN,
    **{name: _robust(name) for name in ROBUST},
    "gelu": replace(SPECIFICATION["gelu"], vjp=_gelu_vjp),
    SCALE: Operation(function=_scale, vjp=_scale_vjp, samples=lambda stream: iter(()), family="elementwise"),
    ADD: Operation(function=_add, vjp=_add_vjp, samples=lambda stream: iter(()), family="elementwise"),
    PART: Operation(function=_part, vjp=_part_vjp, samples=lambda stream: iter(()), family="elementwise"),
    WRITE: Operation(function=_write, vjp=None, samples=lambda stream: iter(()), family="elementwise"),
}
