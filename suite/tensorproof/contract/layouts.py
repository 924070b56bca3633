"""Between the reference's layout and a backend's: permuted and merged axes, and orders of gates."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from einops import rearrange
from numpy.typing import NDArray

from tensorproof_reference.operation import Operation


def _leaf(path: str) -> str:
    return path.split(".")[-1]


def _native_axes(path: str, operation: Operation, layout: Mapping[str, str]) -> str | None:
    """The backend's axes of an array, if they differ; an order of gates may have the name of an output."""
    return layout.get(_leaf(path)) if _leaf(path) in operation.axes else None


def _axis_sizes(pattern: str, native: str, shape: tuple[int, ...]) -> dict[str, int]:
    """Sizes of the axes that the native layout merges, from the shape in the reference's layout."""
    names = pattern.split()
    if "..." in names:
        before = names.index("...")
        after = len(names) - before - 1
        shape = (*shape[:before], 0, *shape[len(shape) - after :])
    sizes = dict(zip(names, shape, strict=True))
    merged = " ".join(re.findall(r"\(([^)]*)\)", native)).split()
    return {name: sizes[name] for name in merged}


def _reorder(array: NDArray[Any], pattern: str, operation: Operation, layout: Mapping[str, str], to_native: bool) -> NDArray[Any]:
    for axis, order in operation.orders.items():
        native_order = layout.get(axis, order)
        if axis in pattern.split() and native_order != order:
            first, second = (order, native_order) if to_native else (native_order, order)
            array = np.take(array, [first.index(letter) for letter in second], axis=pattern.split().index(axis))
    return array


def to_native(array: NDArray[Any], path: str, operation: Operation, layout: Mapping[str, str]) -> NDArray[Any]:
    """An array of the reference, at ``path`` among the inputs or outputs, in the backend's layout."""
    pattern = operation.axes.get(_leaf(path), "")
    array = _reorder(array, pattern, operation, layout, to_native=True)
    native = _native_axes(path, operation, layout)
    return array if native is None else np.asarray(rearrange(array, f"{pattern} -> {native}"))


def from_native(
    array: NDArray[Any], path: str, operation: Operation, layout: Mapping[str, str], shape: tuple[int, ...]
) -> NDArray[Any]:
    """The inverse of ``to_native``; ``shape`` is the expected shape in the reference's layout, for merged axes.

    An array whose rank does not fit the layout is returned as it is, for the verdict to say that its shape is wrong.
    """
    pattern = operation.axes.get(_leaf(path), "")
    native = _native_axes(path, operation, layout)
    if native is not None:
        try:
            array = np.asarray(rearrange(array, f"{native} -> {pattern}", **_axis_sizes(pattern, native, shape)))
        except ValueError:
            return array
    if array.ndim != len(shape):
        return array
    return _reorder(array, pattern, operation, layout, to_native=False)
