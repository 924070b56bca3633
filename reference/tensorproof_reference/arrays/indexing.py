"""Numbers taken from and put to places that are given as integers: all are exact but for sums at repeated places."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_axis, require_choice
from tensorproof_reference.arrays._indexing import (
    BEYOND,
    NEGATIVE,
    OUTSIDE,
    along_samples,
    scatter_samples,
    take_samples,
)
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._elementwise_samples import ordinary
from tensorproof_reference.operations._workloads import count
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def take(x: Array, indices: Array, *, axis: int = 0, negative: str = "from_the_end", out_of_range: str = "error") -> Array:
    r"""The slices along an axis that are asked for: :math:`y_{i \ldots} = x_{k_i \ldots}` for axis 0.

    The gradients of a slice that is asked for twice add up.

    ``negative``: indices below 0 count ``from_the_end``, or are an ``error``. ``out_of_range``: those beyond are an ``error``,
    give ``nan``, or ``clip`` to the nearest slice.

    Shapes: any; ``indices`` is of integers, and its axes stand in the result in place of ``axis``, which counts from either end.
    Special values: all numbers are copied, NaN, infinities and the sign of zero too, and what is not asked for does not matter.
    Raises: ``ValueError`` for an index in error, another word, or if ``axis`` is not an axis of ``x``.
    Source: the Python array API standard, 2024.12; ``nan`` and ``clip``: ``jax.numpy.take``.
    """
    places, inside = _places(x, indices, axis, negative, out_of_range)
    y = np.take(x, places, axis=axis)
    return y if out_of_range != "nan" else np.where(_beside(inside, x, axis), y, np.full_like(y, np.nan))


def take_along_axis(
    x: Array, indices: Array, *, axis: int = -1, negative: str = "from_the_end", out_of_range: str = "error"
) -> Array:
    r"""For each place the number along an axis that is asked for: :math:`y_{ij} = x_{i k_{ij}}`. Gradients of a number add up.

    ``negative``: indices below 0 count ``from_the_end``, or are an ``error``. ``out_of_range``: those beyond are an ``error``,
    give ``nan``, or ``clip`` to the nearest number.

    Shapes: ``indices`` is of integers, and has the shape of ``x`` but for the length along ``axis``; the result has its shape.
    Special values: all numbers are copied, NaN, infinities and the sign of zero too, and what is not asked for does not matter.
    Raises: ``ValueError`` for an index in error, another word, other shapes, or if ``axis`` is not an axis of ``x``.
    Source: the Python array API standard, 2024.12.
    """
    require(indices.ndim == x.ndim, "indices", f"{x.ndim} axes", f"shape {indices.shape}")
    places, inside = _places(x, indices, axis, negative, out_of_range)
    y = np.take_along_axis(x, places, axis)
    return y if out_of_range != "nan" else np.where(inside, y, np.full_like(y, np.nan))


def scatter_add(x: Array, indices: Array, updates: Array, *, out_of_range: str = "error") -> Array:
    r"""Slices added to rows: :math:`y_k = x_k + \sum_{i: k_i = k} u_i`. A row that is named twice gets both.

    ``out_of_range``: indices beyond the rows are an ``error``, or their slices are ``ignored``. None is below 0.

    Shapes: ``x`` (R, …), ``indices`` (n,) of integers, ``updates`` (n, …); the result has the shape of ``x``.
    Special values: rows that are not named stay as they are.
    Raises: ``ValueError`` for an index in error, another word, or other shapes.
    Source: ``torch.index_add``, ``tf.tensor_scatter_nd_add``, ``jax.numpy.ndarray.at``.
    """
    rows, inside = _rows(x, indices, updates, out_of_range)
    y = x.copy()
    np.add.at(y, rows[inside], updates[inside])
    return y


def scatter_set(x: Array, indices: Array, updates: Array, *, out_of_range: str = "error") -> Array:
    r"""Rows replaced: :math:`y_{k_i} = u_i`. No sample names a row twice.

    ``out_of_range``: indices beyond the rows are an ``error``, or their slices are ``ignored``. None is below 0.

    Shapes: ``x`` (R, …), ``indices`` (n,) of integers, ``updates`` (n, …); the result has the shape of ``x``.
    Special values: NaN and infinities in rows that are replaced leave no trace, in the gradient neither. Exact.
    Raises: ``ValueError`` for an index in error, another word, or other shapes.
    Source: ``torch.index_copy``, ``tf.tensor_scatter_nd_update``, ``jax.numpy.ndarray.at``.
    """
    rows, inside = _rows(x, indices, updates, out_of_range)
    y = x.copy()
    y[rows[inside]] = updates[inside]
    return y


def _places(x: Array, indices: Array, axis: int, negative: str, out_of_range: str) -> tuple[Array, Array]:
    """Indices from the first on and within the axis, and which of them were within it."""
    require_axis(x, "axis", axis)
    require_choice(negative, "negative", NEGATIVE)
    require_choice(out_of_range, "out_of_range", BEYOND)
    length = x.shape[axis]
    require(negative != "error" or not np.any(indices < 0), "indices", "0 or more", indices.reshape(-1)[:3].tolist())
    inside = (indices >= -length) & (indices < length)
    wrong = indices[~inside][:3].tolist()
    require(out_of_range != "error" or not wrong, "indices", f"{-length} to {length - 1}", wrong)
    from_first = np.where(indices < 0, indices + length, indices)
    return np.clip(from_first, 0, max(length - 1, 0)), inside


def _beside(inside: Array, x: Array, axis: int) -> Array:
    """Which slices along the axis are of indices within it, for broadcasting against them."""
    return inside.reshape(inside.shape + (1,) * (x.ndim - 1 - axis % x.ndim))


def _rows(x: Array, indices: Array, updates: Array, out_of_range: str) -> tuple[Array, Array]:
    """The rows that are named, and which of them there are."""
    require_choice(out_of_range, "out_of_range", OUTSIDE)
    require(indices.ndim == 1, "indices", "an array with 1 axis", f"shape {indices.shape}")
    require(updates.shape == (*indices.shape, *x.shape[1:]), "updates", f"shape {(*indices.shape, *x.shape[1:])}", updates.shape)
    inside = (indices >= 0) & (indices < x.shape[0])
    wrong = indices[~inside][:3].tolist()
    require(out_of_range != "error" or not wrong, "indices", f"0 to {x.shape[0] - 1}", wrong)
    return indices, inside


def _take_vjp(
    dy: Array, x: Array, indices: Array, *, axis: int = 0, negative: str = "from_the_end", out_of_range: str = "error"
) -> Gradients:
    places, inside = _places(x, indices, axis, negative, out_of_range)
    front = axis % x.ndim
    # The axes of the indices first, as is the axis that they are about.
    came = np.moveaxis(dy, range(front, front + indices.ndim), range(indices.ndim))
    rows = np.zeros_like(np.moveaxis(x, axis, 0))
    asked = inside if out_of_range == "nan" else np.ones(indices.shape, np.bool_)
    np.add.at(rows, places[asked], came[asked])
    return {"x": np.moveaxis(rows, 0, axis)}


def _take_along_vjp(
    dy: Array, x: Array, indices: Array, *, axis: int = -1, negative: str = "from_the_end", out_of_range: str = "error"
) -> Gradients:
    places, inside = _places(x, indices, axis, negative, out_of_range)
    asked = inside if out_of_range == "nan" else np.ones(indices.shape, np.bool_)
    where = list(np.indices(indices.shape))
    where[axis] = places
    found = np.zeros_like(x)
    np.add.at(found, tuple(place[asked] for place in where), dy[asked])
    return {"x": found}


def _scatter_add_vjp(dy: Array, x: Array, indices: Array, updates: Array, *, out_of_range: str = "error") -> Gradients:
    return {"x": dy.copy(), "updates": _back(dy, x, indices, updates, out_of_range)}


def _scatter_set_vjp(dy: Array, x: Array, indices: Array, updates: Array, *, out_of_range: str = "error") -> Gradients:
    rows, inside = _rows(x, indices, updates, out_of_range)
    kept = dy.copy()
    kept[rows[inside]] = 0.0
    return {"x": kept, "updates": _back(dy, x, indices, updates, out_of_range)}


def _back(dy: Array, x: Array, indices: Array, updates: Array, out_of_range: str) -> Array:
    """The gradients of the slices: those of their rows, and 0 of what was ignored."""
    rows, inside = _rows(x, indices, updates, out_of_range)
    found = np.zeros_like(updates)
    found[inside] = dy[rows[inside]]
    return found


SIZES: Mapping[str, tuple[int, int, int]] = {"S": (100, 16, 40), "M": (10_000, 32, 2_000), "L": (60_000, 64, 20_000)}
"""The rows and columns of what is timed, and how many indices there are."""


def _operation(
    function: Callable[..., Array],
    vjp: Callable[..., Gradients],
    samples: Callable[[Stream], Iterator[Sample]],
    work: Callable[..., Work],
    conventions: Mapping[str, tuple[Any, ...]],
    differentiable: tuple[str, ...] = ("x",),
) -> Operation:
    def workload(stream: Stream, size: str) -> Sample:
        rows, columns, indices = SIZES[size]
        inputs = {"x": ordinary(stream("x"), (rows, columns))}
        if "updates" in differentiable:
            named = stream("indices").permutation(rows)[:indices]
            inputs |= {"indices": named, "updates": ordinary(stream("updates"), (indices, columns))}
        elif function is take:
            inputs["indices"] = stream("indices").integers((indices,), 0, rows)
        else:
            inputs["indices"] = stream("indices").integers((rows, columns // 2), 0, columns)
        return Sample(name=size, inputs=inputs)

    return Operation(
        function=function,
        vjp=vjp,
        samples=samples,
        family="indexed",
        profile=EXTENDED,
        differentiable=differentiable,
        conventions=conventions,
        workload=workload,
        work=work,
    )


def _take_work(x: Array, indices: Array, *, axis: int = 0, negative: str = "from_the_end", out_of_range: str = "error") -> Work:
    slices, length = count(indices), x.shape[axis]
    each = count(x) // max(length, 1)
    return Work(flops=0, backward_flops=slices * each, untouched=max(length - slices, 0) * each)


def _along_work(x: Array, indices: Array, *, axis: int = -1, negative: str = "from_the_end", out_of_range: str = "error") -> Work:
    return Work(flops=0, backward_flops=count(indices), untouched=max(count(x) - count(indices), 0))


def _scatter_add_work(x: Array, indices: Array, updates: Array, *, out_of_range: str = "error") -> Work:
    return Work(flops=count(updates))


def _scatter_set_work(x: Array, indices: Array, updates: Array, *, out_of_range: str = "error") -> Work:
    return Work(flops=0)


OPERATIONS = (
    _operation(take, _take_vjp, take_samples, _take_work, {"negative": NEGATIVE, "out_of_range": BEYOND}),
    _operation(take_along_axis, _take_along_vjp, along_samples, _along_work, {"negative": NEGATIVE, "out_of_range": BEYOND}),
    _operation(
        scatter_add,
        _scatter_add_vjp,
        lambda stream: scatter_samples(stream, adds=True),
        _scatter_add_work,
        {"out_of_range": OUTSIDE},
        ("x", "updates"),
    ),
    _operation(
        scatter_set,
        _scatter_set_vjp,
        lambda stream: scatter_samples(stream, adds=False),
        _scatter_set_work,
        {"out_of_range": OUTSIDE},
        ("x", "updates"),
    ),
)
