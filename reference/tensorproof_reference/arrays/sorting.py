"""Numbers in order: sorted, where they came from, and the largest k."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_axis
from tensorproof_reference.operation import DTYPES, EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._axis_samples import PLAIN_SHAPE, WIDE_DTYPES
from tensorproof_reference.operations._workloads import PLANES, count
from tensorproof_reference.primitives._unary import SINGLE, WIDTHS
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

INF, NAN = math.inf, math.nan


def sort(x: Array, *, axis: int = -1, descending: bool = False) -> Array:
    r"""The numbers along an axis in order: :math:`y_1 \le y_2 \le \ldots`, or with ``descending`` the other way.

    The gradient goes to where each number came from, of equal ones in the order of their places.

    Shapes: any of rank ≥ 1; the result has that of ``x``. ``axis`` counts from either end.
    Special values: NaN counts as the largest. -0 and +0 are equal. Exact.
    Raises: ``ValueError`` if ``axis`` is not an axis of ``x``.
    Source: the Python array API standard, 2024.12; NaN: NumPy.
    """
    require_axis(x, "axis", axis)
    y = np.sort(x, axis=axis)
    return np.flip(y, axis) if descending else y


def argsort(x: Array, *, axis: int = -1, descending: bool = False) -> Array:
    r"""Where the numbers come from that :func:`sort` puts in order: :math:`y_k = x_{i_k}`. Equal ones stay in order (stable).

    Shapes: any of rank ≥ 1; the result has that of ``x``, and is of integers. ``axis`` counts from either end.
    Special values: NaN counts as the largest, several as equal. -0 and +0 are equal.
    Raises: ``ValueError`` if ``axis`` is not an axis of ``x``.
    Source: the Python array API standard, 2024.12; NaN: NumPy.
    """
    require_axis(x, "axis", axis)
    if not descending:
        return _order(x, axis)
    # The order of the reversed numbers, read backwards: so equal ones are in the order of their places.
    return np.flip(x.shape[axis] - 1 - _order(np.flip(x, axis), axis), axis)


def _order(x: Array, axis: int) -> Array:
    """The stable order. Where all numbers differ every order is, and NumPy has a faster one."""
    order = np.argsort(x, axis=axis)
    y = np.moveaxis(np.take_along_axis(x, order, axis), axis, -1)
    return order if np.all(y[..., 1:] > y[..., :-1]) else np.argsort(x, axis=axis, stable=True)


def top_k(x: Array, *, k: int, axis: int = -1) -> tuple[Array, Array]:
    r"""The k largest numbers along an axis, the largest first, and where they come from.

    The gradient goes to where each number came from. No required sample has equal numbers, whose order is left open.

    Shapes: any of rank ≥ 1; the results have the length k along ``axis``, which counts from either end.
    Special values: NaN counts as the largest. Exact.
    Raises: ``ValueError`` if ``axis`` is not an axis of ``x``, or ``k`` is below 0 or above its length.
    Source: ONNX operator ``TopK``, opset 11; NaN: NumPy's order.
    """
    require_axis(x, "axis", axis)
    require(0 <= k <= x.shape[axis], "k", f"0 to {x.shape[axis]}", k)
    places = np.take(argsort(x, axis=axis, descending=True), np.arange(k), axis=axis)
    return np.take_along_axis(x, places, axis), places


def _sort_vjp(dy: Array, x: Array, *, axis: int = -1, descending: bool = False) -> Gradients:
    return {"x": _put_back(dy, x, argsort(x, axis=axis, descending=descending), axis)}


def _top_k_vjp(dy: Array, x: Array, *, k: int, axis: int = -1) -> Gradients:
    return {"x": _put_back(dy, x, top_k(x, k=k, axis=axis)[1], axis)}


def _put_back(dy: Array, x: Array, places: Array, axis: int) -> Array:
    found = np.zeros_like(x)
    if places.size:
        np.put_along_axis(found, places, dy, axis)
    return found


def shuffled(stream: Stream, shape: tuple[int, ...], axis: int = -1) -> Array:
    """Different multiples of a sixteenth around zero along the axis, in random order: 8 bits hold 256 of them."""
    if not shape:
        return np.zeros(shape)
    others = tuple(np.delete(shape, axis).tolist())
    rows = [stream(str(row)).distinct((shape[axis],), 0.0625) for row in range(math.prod(others))]
    stacked = np.stack(rows) if rows else np.zeros((0, shape[axis]))
    return np.ascontiguousarray(np.moveaxis(stacked.reshape(*others, shape[axis]), -1, axis))


PLACED: Mapping[str, tuple[tuple[int, ...], int, tuple[str, ...]]] = {
    "plain_rows": (PLAIN_SHAPE, -1, DTYPES),
    "size_small": ((5, 7), -1, DTYPES),
    "size_large": ((64, 128), -1, DTYPES),
    **{f"width_{width}": ((4, width), -1, SINGLE) for width in (*WIDTHS, 513)},
    "rank_one": ((7,), -1, SINGLE),
    "rank_four": ((2, 3, 4, 5), 1, SINGLE),
    "unit_axis": ((5, 1), -1, SINGLE),
    "unit_batch": ((1, 7), -1, SINGLE),
    "empty_batch": ((0, 7), -1, SINGLE),
    "axis_first": (PLAIN_SHAPE, 0, DTYPES),
    "axis_middle": ((3, 5, 4), 1, SINGLE),
    "axis_negative": ((3, 5, 4), -2, SINGLE),
    "long_axis_40000": ((2, 40_000), -1, SINGLE),
}
"""Shapes, axes and dtypes by sample."""

NANS = np.array([[1.0, NAN, 2.0, -INF], [NAN, INF, 0.5, 1.5], [3.0, 2.0, 1.0, NAN], [0.25, -3.0, NAN, 7.0]])
INFINITIES = np.array([[1.0, INF, 2.0, -INF], [-INF, INF, 0.5, 1.5], [3.0, 2.0, INF, -2.0], [0.25, -3.0, -INF, 7.0]])


def _samples(stream: Stream, choices: Callable[[int], list[dict[str, Any]]], stable: bool) -> Iterator[Sample]:
    """Shapes, other strides, special numbers and ties; keywords are chosen by the length of the axis."""
    for name, (shape, axis, dtypes) in PLACED.items():
        x = shuffled(stream(name), shape, axis)
        yield Sample(name=name, inputs={"x": x}, keywords={**choices(shape[axis])[0], "axis": axis}, dtypes=dtypes)
    first, *others = choices(PLAIN_SHAPE[1])
    for number, keywords in enumerate(others):
        name = f"optional_{'_'.join(str(item) for pair in keywords.items() for item in pair).lower()}"
        yield Sample(name=name, inputs={"x": shuffled(stream(f"optional_{number}"), PLAIN_SHAPE)}, keywords=keywords)
    for memory in ("transposed", "sliced"):
        x = shuffled(stream(f"strided_{memory}"), PLAIN_SHAPE)
        yield Sample(name=f"strided_{memory}", inputs={"x": x}, keywords=first, memory=memory)
    x = shuffled(stream("strided_axis_first"), PLAIN_SHAPE, 0)
    yield Sample(name="strided_axis_first", inputs={"x": x}, keywords={**first, "axis": 0}, memory="transposed")
    for number, keywords in enumerate(choices(4)):
        yield Sample(name=f"nan_in_rows_{number}", inputs={"x": NANS}, keywords=keywords)
        yield Sample(name=f"infinity_in_rows_{number}", inputs={"x": INFINITIES}, keywords=keywords)
    wide = shuffled(stream("magnitude_wide"), PLAIN_SHAPE)
    wide *= np.array([1.0, 1e-30, 1e-20, 1e10, 1e30] * 4)[: PLAIN_SHAPE[1]]
    wide[::2, 3] = 3e38
    wide[1::2, 5] = -3e38
    yield Sample(name="magnitude_wide", inputs={"x": wide}, keywords=first, dtypes=WIDE_DTYPES)
    for number, keywords in enumerate(choices(PLAIN_SHAPE[1])):
        tied = stream("ties").grid(PLAIN_SHAPE)
        yield Sample(name=f"ties_in_rows_{number}", inputs={"x": tied}, keywords=keywords, required=stable)


def _directions(length: int) -> list[dict[str, Any]]:
    return [{}, {"descending": True}]


def _counts(length: int) -> list[dict[str, Any]]:
    counts = dict.fromkeys((min(length, 3), length, min(length, 1), 0))
    return [{"k": k} for k in counts]


def _work(x: Array, *, axis: int = -1, descending: bool = False) -> Work:
    """As many comparisons as sorting takes at least: n log2 n, less what is known of n! orders."""
    length = max(x.shape[axis], 1)
    rows = count(x) // length
    return Work(flops=rows * math.ceil(math.lgamma(length + 1) / math.log(2.0)))


def _top_k_work(x: Array, *, k: int, axis: int = -1) -> Work:
    """Each number is compared once with the smallest of the largest; these are put in order."""
    rows = count(x) // max(x.shape[axis], 1)
    return Work(flops=count(x) - rows + rows * math.ceil(math.lgamma(k + 1) / math.log(2.0)))


def _sorting(function: Callable[..., Any], vjp: Callable[..., Gradients] | None, work: Callable[..., Work]) -> Operation:
    found: dict[str, Any] = {"outputs": ("values", "indices"), "cotangents": ("values",)} if function is top_k else {}
    if vjp is None:
        found |= {"differentiable": (), "cotangents": ()}
    chosen, stable = (_counts, False) if function is top_k else (_directions, True)

    def workload(stream: Stream, size: str) -> Sample:
        keywords = {"k": 8} if function is top_k else {}
        return Sample(name=size, inputs={"x": stream("x").normal(PLANES[size])}, keywords=keywords)

    return Operation(
        function=function,
        vjp=vjp,
        samples=lambda stream: _samples(stream, chosen, stable),
        family="sorting",
        profile=EXTENDED,
        workload=workload,
        work=work,
        **found,
    )


OPERATIONS = (
    _sorting(sort, _sort_vjp, _work),
    _sorting(argsort, None, _work),
    _sorting(top_k, _top_k_vjp, _top_k_work),
)
