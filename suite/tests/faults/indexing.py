"""Faults in indexing and sorting, in tables: operation, class, what is wrong, formula."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from faulty import Faults, Row, reference, right_vjp
from small_backend import working_dtype

FAULTS = Faults()


def first_axis_always(x: Any, indices: Any, *, axis: int = 0, **others: Any) -> Any:
    """Slices along the first axis, of indices within it."""
    return reference("take", x, indices if axis == 0 else indices % len(x), axis=0, **others)


def in_8_bits(name: str) -> Callable[..., Any]:
    """Indices modulo 256."""
    return lambda x, indices, **others: reference(name, x, np.where(indices < 0, indices, indices % 256), **others)


def same_row_for_all(x: Any, indices: Any, *, axis: int = -1, **others: Any) -> Any:
    """The indices of the first row for all rows."""
    if axis == -1 and x.ndim == 2 and len(indices):
        indices = np.broadcast_to(indices[:1], indices.shape)
    return reference("take_along_axis", x, indices, axis=axis, **others)


def last_wins(x: Any, indices: Any, updates: Any, *, out_of_range: str = "error") -> Any:
    """Of slices for one row, only the last is added: by buffered assignment."""
    y = reference("scatter_add", x, indices[:0], updates[:0], out_of_range=out_of_range)
    inside = (indices >= 0) & (indices < len(x))
    y[indices[inside]] += updates[inside]
    return y if inside.all() or out_of_range == "ignored" else reference("scatter_add", x, indices, updates)


def last_wins_in_float16(x: Any, indices: Any, updates: Any, **others: Any) -> Any:
    """The same, in float16 only."""
    if working_dtype() != "float16":
        return reference("scatter_add", x, indices, updates, **others)
    return last_wins(x, indices, updates, **others)


def into_zeros(x: Any, indices: Any, updates: Any, **others: Any) -> Any:
    """Slices added to nothing."""
    return reference("scatter_add", np.zeros_like(x), indices, updates, **others)


def added(x: Any, indices: Any, updates: Any, **others: Any) -> Any:
    """Slices are added, not set."""
    return reference("scatter_add", x, indices, updates, **others)


def masked_by_products(x: Any, indices: Any, updates: Any, **others: Any) -> Any:
    """Rows that are replaced are multiplied by 0."""
    kept = reference("scatter_set", np.ones_like(x), indices, 0.0 * np.ones_like(updates), **others)
    return x * kept + reference("scatter_set", np.zeros_like(x), indices, updates, **others)


def last_axis_always(x: Any, *, axis: int = -1, **others: Any) -> Any:
    return reference("sort", x, axis=-1, **others)


def nan_first(x: Any, *, axis: int = -1, descending: bool = False) -> Any:
    """NaN as the smallest number."""
    y = reference("sort", np.where(np.isnan(x), -np.inf, x), axis=axis, descending=descending)
    missing = reference("sort", np.isnan(x).astype(x.dtype), axis=axis, descending=not descending)
    return np.where(missing == 1, np.nan, y).astype(x.dtype)


def reversed_ascending(x: Any, *, axis: int = -1, descending: bool = False) -> Any:
    """The ascending order read backwards, which reverses equal numbers."""
    order = np.argsort(x, axis=axis, stable=True)
    return np.flip(order, axis) if descending else order


def ranks(x: Any, *, axis: int = -1, descending: bool = False) -> Any:
    """The place of each number in the order, which is the inverse of what is asked for."""
    return np.argsort(reference("argsort", x, axis=axis, descending=descending), axis=axis, stable=True)


def smallest(x: Any, *, k: int, axis: int = -1) -> Any:
    values, places = reference("top_k", -x, k=k, axis=axis)
    return -values, places


def ascending(x: Any, *, k: int, axis: int = -1) -> Any:
    values, places = reference("top_k", x, k=k, axis=axis)
    return np.flip(values, axis), np.flip(places, axis)


def by_magnitude(x: Any, *, k: int, axis: int = -1) -> Any:
    _, places = reference("top_k", np.abs(x), k=k, axis=axis)
    return np.take_along_axis(x, places, axis), places


def all_in_their_places(x: Any, *, k: int, axis: int = -1) -> Any:
    """All numbers of an axis are not sorted."""
    values, places = reference("top_k", x, k=k, axis=axis)
    if not x.ndim or k != x.shape[axis]:
        return values, places
    order = np.arange(k).reshape([-1 if place == axis % x.ndim else 1 for place in range(x.ndim)])
    return x.copy(), np.broadcast_to(order, x.shape).astype(places.dtype)


VALUES: Sequence[Row] = (
    ("take", "axis", "first_axis_always", first_axis_always),
    ("take", "long", "indices_of_8_bits", in_8_bits("take")),
    ("take_along_axis", "plain", "indices_of_the_first_row_for_all", same_row_for_all),
    ("scatter_add", "repeated", "last_of_repeated_wins", last_wins),
    ("scatter_add", "float16", "last_of_repeated_wins_in_float16", last_wins_in_float16),
    ("scatter_add", "plain", "added_to_zeros", into_zeros),
    ("scatter_set", "plain", "added_instead", added),
    ("scatter_set", "nan", "masked_by_products", masked_by_products),
    ("sort", "axis", "last_axis_always", last_axis_always),
    ("sort", "nan", "nan_as_the_smallest", nan_first),
    ("argsort", "ties", "ties_reversed_descending", reversed_ascending),
    ("argsort", "plain", "ranks", ranks),
    ("top_k", "plain", "smallest", smallest),
    ("top_k", "plain", "ascending", ascending),
    ("top_k", "plain", "by_magnitude", by_magnitude),
    ("top_k", "width", "all_of_an_axis_not_sorted", all_in_their_places),
)
"""Functions whose values are wrong."""


def overwritten(dy: Any, x: Any, indices: Any, *, axis: int = 0, **others: Any) -> Any:
    """The gradient of a slice that is asked for twice is that of the last."""
    if axis != 0 or indices.ndim != 1 or (indices.size and indices.max() >= len(x)):
        return right_vjp("take", dy, x, indices, axis=axis, **others)
    found = np.zeros_like(x)
    found[indices] = dy
    return {"x": found}


def negative_to_the_first(dy: Any, x: Any, indices: Any, *, axis: int = 0, **others: Any) -> Any:
    """The gradient of what is counted from the end goes to the first slice."""
    from_the_end = (indices < 0) & (indices >= -x.shape[axis])
    return right_vjp("take", dy, x, np.where(from_the_end, 0, indices), axis=axis, **others)


def put_along(dy: Any, x: Any, indices: Any, *, axis: int = -1, **others: Any) -> Any:
    """The gradient of a number that is asked for twice is that of the last."""
    if indices.size and (indices.max() >= x.shape[axis] or not x.size):
        return right_vjp("take_along_axis", dy, x, indices, axis=axis, **others)
    found = np.zeros_like(x)
    np.put_along_axis(found, indices, dy, axis)
    return {"x": found}


def none_for_the_array(dy: Any, x: Any, indices: Any, updates: Any, **others: Any) -> Any:
    right = right_vjp("scatter_add", dy, x, indices, updates, **others)
    return {"x": 0.0 * right["x"], "updates": right["updates"]}


def whole_for_the_array(dy: Any, x: Any, indices: Any, updates: Any, **others: Any) -> Any:
    """Rows that were replaced have a gradient all the same."""
    return {"x": dy.copy(), "updates": right_vjp("scatter_set", dy, x, indices, updates, **others)["updates"]}


def in_order(dy: Any, x: Any, *, axis: int = -1, descending: bool = False) -> Any:
    """The gradients as they came, not put back."""
    return {"x": dy.copy()}


def first_places(dy: Any, x: Any, *, k: int, axis: int = -1) -> Any:
    """The gradients of the largest go to the first numbers."""
    found = np.zeros_like(x)
    np.moveaxis(found, axis, 0)[:k] = np.moveaxis(dy, axis, 0)
    return {"x": found}


GRADIENTS: Sequence[Row] = (
    ("take", "repeated", "repeated_overwrite", overwritten),
    ("take", "bounds", "negative_indices_to_the_first", negative_to_the_first),
    ("take_along_axis", "repeated", "repeated_overwrite", put_along),
    ("scatter_add", "plain", "none_for_the_array", none_for_the_array),
    ("scatter_set", "plain", "whole_for_the_array", whole_for_the_array),
    ("sort", "plain", "not_put_back", in_order),
    ("top_k", "plain", "to_the_first_places", first_places),
)
"""Vector-Jacobian products that are wrong."""

FAULTS.rows(VALUES, [(operation, group, f"gradient_{name}", wrong) for operation, group, name, wrong in GRADIENTS])
