"""The largest and the smallest number over axes, and where they are."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_choice
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._axis_samples import PLAIN_SHAPE
from tensorproof_reference.operations._workloads import count
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.reductions._reduction import (
    EVERY_SET,
    INF,
    NAN,
    ONE_OR_ALL,
    Axis,
    Special,
    apart,
    kept,
    plane_of_rows,
    reduction_samples,
    terms_of,
    together,
)
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

TIES = ("shared", "first")
EMPTY = ("error", "identity")
NOT_NUMBERS = ("first", "ignored")


def reduce_max(x: Array, *, axis: Axis = None, keepdims: bool = False, ties: str = "shared", empty: str = "error") -> Array:
    r"""The largest number over a set of axes: :math:`y = \max_i x_i`. Its gradient goes to that number.

    ``ties``: where several are largest, ``shared`` gives each an equal part of the gradient, and ``first`` the first all of it.
    ``empty``: the largest of nothing is an ``error``, or -∞ by ``identity``.

    ``axis``: one axis or several, counted from either end; ``None`` for all, an empty tuple for none. ``keepdims`` keeps them
    with length 1.

    Shapes: any; the result has the axes of ``x`` that are not reduced.
    Special values: NaN gives NaN. Of +0 and -0 either may come. No sample asks for the gradient at NaN.
    Raises: ``ValueError`` for the largest of nothing, another word, or if ``axis`` has what is no axis of ``x``, or one twice.
    Source: the Python array API standard, 2024.12; an empty tuple: NumPy.
    """
    return _extreme(np.max, x, axis, keepdims, ties, empty, -INF)


def reduce_min(x: Array, *, axis: Axis = None, keepdims: bool = False, ties: str = "shared", empty: str = "error") -> Array:
    r"""The smallest number over a set of axes: :math:`y = \min_i x_i`. Its gradient goes to that number.

    ``ties``: where several are smallest, ``shared`` gives each an equal part of the gradient, and ``first`` the first all of it.
    ``empty``: the smallest of nothing is an ``error``, or +∞ by ``identity``.

    ``axis``: one axis or several, counted from either end; ``None`` for all, an empty tuple for none. ``keepdims`` keeps them
    with length 1.

    Shapes: any; the result has the axes of ``x`` that are not reduced.
    Special values: NaN gives NaN. Of +0 and -0 either may come. No sample asks for the gradient at NaN.
    Raises: ``ValueError`` for the smallest of nothing, another word, or if ``axis`` has what is no axis of ``x``, or one twice.
    Source: the Python array API standard, 2024.12; an empty tuple: NumPy.
    """
    return _extreme(np.min, x, axis, keepdims, ties, empty, INF)


def argmax(x: Array, *, axis: int | None = None, keepdims: bool = False, nan: str = "first") -> Array:
    r"""Where the largest number is along an axis, the first of equal ones: :math:`\min \{k : x_k = \max_i x_i\}`.

    ``nan``: the ``first`` NaN counts as the largest, or NaN is ``ignored``.

    ``axis``: one axis, counted from either end, or ``None`` for all in C order. ``keepdims`` keeps it with length 1.

    Shapes: any that has numbers along the axis; the result is of integers, and has the axes of ``x`` that are not reduced.
    Special values: infinities are compared as numbers are. -0 and +0 are equal.
    Raises: ``ValueError`` for the position in nothing, another word, or if ``axis`` is not an axis of ``x``.
    Source: the Python array API standard, 2024.12; ties and NaN: NumPy.
    """
    return _position(np.argmax, x, axis, keepdims, nan, -INF)


def argmin(x: Array, *, axis: int | None = None, keepdims: bool = False, nan: str = "first") -> Array:
    r"""Where the smallest number is along an axis, the first of equal ones: :math:`\min \{k : x_k = \min_i x_i\}`.

    ``nan``: the ``first`` NaN counts as the smallest, or NaN is ``ignored``.

    ``axis``: one axis, counted from either end, or ``None`` for all in C order. ``keepdims`` keeps it with length 1.

    Shapes: any that has numbers along the axis; the result is of integers, and has the axes of ``x`` that are not reduced.
    Special values: infinities are compared as numbers are. -0 and +0 are equal.
    Raises: ``ValueError`` for the position in nothing, another word, or if ``axis`` is not an axis of ``x``.
    Source: the Python array API standard, 2024.12; ties and NaN: NumPy.
    """
    return _position(np.argmin, x, axis, keepdims, nan, INF)


def _extreme(
    function: Callable[..., Array], x: Array, axis: Axis, keepdims: bool, ties: str, empty: str, identity: float
) -> Array:
    require_choice(ties, "ties", TIES)
    require_choice(empty, "empty", EMPTY)
    if terms_of(x, axis) > 0:
        return function(x, axis=axis, keepdims=keepdims)
    require(empty == "identity", "x", "numbers along the axes", f"shape {x.shape}")
    return np.full_like(np.sum(x, axis=axis, keepdims=keepdims), identity)


def _position(function: Callable[..., Array], x: Array, axis: int | None, keepdims: bool, nan: str, identity: float) -> Array:
    require_choice(nan, "nan", NOT_NUMBERS)
    require(terms_of(x, axis) > 0, "x", "numbers along the axis", f"shape {x.shape}")
    if nan == "ignored":
        x = np.where(np.isnan(x), np.full_like(x, identity), x)
    return function(x, axis=axis, keepdims=keepdims)


def _extreme_vjp(function: Callable[..., Array]) -> Callable[..., Gradients]:
    """The vector-Jacobian product of the function that takes the largest or the smallest."""

    def vjp(
        dy: Array, x: Array, *, axis: Axis = None, keepdims: bool = False, ties: str = "shared", empty: str = "error"
    ) -> Gradients:
        if x.size == 0:
            return {"x": np.zeros_like(x)}
        chosen = x == function(x, axis=axis, keepdims=True)
        if ties == "first":
            rows = together(chosen, axis)
            chosen = apart(rows & (np.cumsum(rows, axis=-1) == 1), x, axis)
        share = kept(dy, x, axis) / np.maximum(np.sum(chosen, axis=axis, keepdims=True), 1).astype(dy.dtype)
        return {"x": np.where(chosen, share, np.zeros_like(x))}

    return vjp


def distinct(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Both signs, all different by a sixteenth or more."""
    return stream.distinct(shape, 0.0625)


def _tied(stream: Stream, name: str, shape: tuple[int, ...] = PLAIN_SHAPE) -> dict[str, Array]:
    """Few different numbers, so that many are equal."""
    return {"x": stream(name).grid(shape)}


def _extreme_of(function: Callable[..., Array], best: Callable[..., Array], sign: float) -> Operation:
    special = Special(
        nan=tuple((row, NAN) for row in ((NAN, 1.0, 2.0, 3.0), (1.0, 2.0, 3.0, NAN), (INF, NAN, -INF, 2.0), (NAN,) * 4)),
        infinity=(
            *(((sign * INF, 1.0, 2.0, 3.0), sign * INF), ((1.0, 1.5, 2.0, sign * INF), sign * INF)),
            *(((-sign * INF, -sign * INF, 0.5, -sign * INF), 0.5), ((-sign * INF,) * 4, -sign * INF)),
        ),
        silent=("nan",),
        empty=None,
        equal=False,
    )

    def samples(stream: Stream) -> Iterator[Sample]:
        yield from reduction_samples(stream, distinct, special, EVERY_SET)
        yield Sample(name="ties_as_the_backend_has_them", inputs=_tied(stream, "ties"), keywords={"axis": -1})
        two = {"axis": (0, 2)}
        yield Sample(name="ties_over_two_axes", inputs=_tied(stream, "ties_over_two_axes", (3, 5, 4)), keywords=two)
        many = {"x": np.full((2, 131_072), 0.25)}
        yield Sample(name="ties_of_many", inputs=many, keywords={"axis": -1}, dtypes=("bfloat16", "float16"))
        for ties in TIES:
            asked = {"axis": -1, "ties": ties}
            yield Sample(name=f"ties_{ties}", inputs=_tied(stream, "ties"), keywords=asked, required=False)
        zeros = np.resize(np.array([0.0, -0.0, -0.0]), PLAIN_SHAPE)
        yield Sample(name="ties_zeros", inputs={"x": zeros}, keywords={"axis": -1}, expected={"y": np.zeros(PLAIN_SHAPE[0])})
        for name, shape, axis in (("empty_axis", (5, 0), -1), ("empty_everything", (0, 3), None)):
            x = {"x": np.zeros(shape)}
            keywords = {"axis": axis, "empty": "error"}
            yield Sample(name=f"{name}_error", inputs=x, keywords=keywords, dtypes=SINGLE, raises=True, required=False)
            y = np.full(() if axis is None else (5,), -sign * INF)
            keywords = {"axis": axis, "empty": "identity"}
            yield Sample(name=f"{name}_identity", inputs=x, keywords=keywords, dtypes=SINGLE, expected={"y": y}, required=False)

    def work(x: Array, *, axis: Axis = None, keepdims: bool = False, ties: str = "shared", empty: str = "error") -> Work:
        numbers, results = count(x), count(x) // max(terms_of(x, axis), 1)
        return Work(flops=numbers - results, backward_flops=2 * numbers)

    return Operation(
        function=function,
        vjp=_extreme_vjp(best),
        samples=samples,
        family="reduction",
        profile=EXTENDED,
        conventions={"ties": TIES, "empty": EMPTY},
        workload=lambda stream, size: plane_of_rows(distinct, stream, size),
        work=work,
    )


def _position_of(function: Callable[..., Array], sign: float) -> Operation:
    infinity: Any = (
        *(((sign * INF, 1.0, 2.0, 3.0), 0), ((1.0, 2.0, 3.0, sign * INF), 3), ((1.0, sign * INF, sign * INF, 2.0), 1)),
        *(((-sign * INF, -sign * INF, 0.5, -sign * INF), 2), ((-sign * INF,) * 4, 0)),
    )
    special = Special(infinity=infinity, empty=None)
    rows = np.array([[NAN, 1.0, 2.0, 3.0], [1.0, 2.0, 3.0, NAN], [2.0, NAN, 2.0, NAN], [NAN, 2.0, 1.0, INF]])
    found: dict[str, dict[float, Any]] = {
        "first": {1.0: [0, 3, 1, 0], -1.0: [0, 3, 1, 0]},
        "ignored": {1.0: [3, 2, 0, 3], -1.0: [1, 0, 0, 2]},
    }

    def samples(stream: Stream) -> Iterator[Sample]:
        yield from reduction_samples(stream, distinct, special, ONE_OR_ALL)
        for nan in NOT_NUMBERS:
            keywords = {"axis": -1, "nan": nan}
            expected = {"y": np.array(found[nan][sign])}
            yield Sample(name=f"nan_{nan}", inputs={"x": rows}, keywords=keywords, expected=expected, required=False)
        yield Sample(name="ties_of_rows", inputs=_tied(stream, "ties_of_rows"), keywords={"axis": -1})
        yield Sample(name="ties_of_columns", inputs=_tied(stream, "ties_of_columns"), keywords={"axis": 0})
        yield Sample(name="ties_of_all", inputs=_tied(stream, "ties_of_all"), keywords={"axis": None})
        zeros = np.resize(np.array([-0.0, 0.0, -0.0]), PLAIN_SHAPE)
        first = {"y": np.zeros(PLAIN_SHAPE[0], np.int64)}
        yield Sample(name="ties_zeros", inputs={"x": zeros}, keywords={"axis": -1}, expected=first)
        for name, shape, axis in (("empty_axis", (5, 0), -1), ("empty_everything", (0, 3), None)):
            x = {"x": np.zeros(shape)}
            yield Sample(name=f"{name}_error", inputs=x, keywords={"axis": axis}, dtypes=SINGLE, raises=True, required=False)

    def work(x: Array, *, axis: int | None = None, keepdims: bool = False, nan: str = "first") -> Work:
        return Work(flops=count(x) - count(x) // max(terms_of(x, axis), 1))

    return Operation(
        function=function,
        vjp=None,
        samples=samples,
        family="reduction",
        profile=EXTENDED,
        differentiable=(),
        cotangents=(),
        conventions={"nan": NOT_NUMBERS},
        workload=lambda stream, size: plane_of_rows(distinct, stream, size),
        work=work,
    )


OPERATIONS = (
    _extreme_of(reduce_max, np.max, 1.0),
    _extreme_of(reduce_min, np.min, -1.0),
    _position_of(argmax, 1.0),
    _position_of(argmin, -1.0),
)
