"""Sums over any set of axes, products, and the logarithm of a sum of exponentials."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._axis_samples import PLAIN_SHAPE, WIDE_DTYPES
from tensorproof_reference.operations._workloads import count
from tensorproof_reference.reductions._reduction import (
    INF,
    NAN,
    NOT_A_NUMBER,
    ONE,
    Axis,
    Special,
    apart,
    distant,
    kept,
    normal,
    plane_of_rows,
    reduction,
    reduction_samples,
    spread,
    terms_of,
    together,
)
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def reduce_sum(x: Array, *, axis: Axis = None, keepdims: bool = False) -> Array:
    r"""The sum over a set of axes: :math:`y = \sum_i x_i`. Each number of ``x`` has the gradient of its sum.

    ``axis``: one axis or several, counted from either end; ``None`` for all, an empty tuple for none. ``keepdims`` keeps them
    with length 1.

    Shapes: any; the result has the axes of ``x`` that are not reduced.
    Special values: NaN, or infinities of both signs, give NaN. The sum of nothing is 0, and that over no axis is ``x``.
    Raises: ``ValueError`` if ``axis`` has what is no axis of ``x``, or one twice.
    Source: the Python array API standard, 2024.12; an empty tuple: NumPy.
    """
    return np.sum(x, axis=axis, keepdims=keepdims)


def reduce_mean(x: Array, *, axis: Axis = None, keepdims: bool = False) -> Array:
    r"""The mean over a set of axes: :math:`y = \frac{1}{n} \sum_i x_i`. Each number has the n-th part of its mean's gradient.

    ``axis``: one axis or several, counted from either end; ``None`` for all, an empty tuple for none. ``keepdims`` keeps them
    with length 1.

    Shapes: any; the result has the axes of ``x`` that are not reduced.
    Special values: NaN, or infinities of both signs, give NaN. The mean of nothing is NaN, and that over no axis is ``x``.
    Raises: ``ValueError`` if ``axis`` has what is no axis of ``x``, or one twice.
    Source: the Python array API standard, 2024.12; an empty tuple: NumPy.
    """
    return np.sum(x, axis=axis, keepdims=keepdims) / float(terms_of(x, axis))


def reduce_prod(x: Array, *, axis: Axis = None, keepdims: bool = False) -> Array:
    r"""The product over a set of axes: :math:`y = \prod_i x_i`.

    The gradient of a number is that of its product times all the other factors, also where one or more of them are 0.

    ``axis``: one axis or several, counted from either end; ``None`` for all, an empty tuple for none. ``keepdims`` keeps them
    with length 1.

    Shapes: any; the result has the axes of ``x`` that are not reduced.
    Special values: NaN, or 0 beside ±∞, gives NaN. The product of nothing is 1, and that over no axis is ``x``. No sample asks
    for the gradient at NaN and infinities.
    Raises: ``ValueError`` if ``axis`` has what is no axis of ``x``, or one twice.
    Source: the Python array API standard, 2024.12; an empty tuple: NumPy.
    """
    return np.prod(x, axis=axis, keepdims=keepdims)


def logsumexp(x: Array, *, axis: Axis = None, keepdims: bool = False) -> Array:
    r"""The logarithm of the sum of exponentials: :math:`y = m + \log \sum_i e^{x_i - m}`, where m is the largest number.

    Its gradient is the softmax, :math:`e^{x_i - m} / \sum_j e^{x_j - m}`. No sample asks for it where m is infinite.

    ``axis``: one axis or several, counted from either end; ``None`` for all, an empty tuple for none. ``keepdims`` keeps them
    with length 1.

    Shapes: any; the result has the axes of ``x`` that are not reduced.
    Special values: NaN gives NaN; +∞ without NaN gives +∞; -∞ counts as nothing, of which the result is -∞.
    Raises: ``ValueError`` if ``axis`` has what is no axis of ``x``, or one twice.
    Source: Blanchard, Higham & Higham (2021), Accurately computing the log-sum-exp and softmax functions, eq. 1.5.
    """
    if terms_of(x, axis) == 0:
        return np.log(np.sum(x, axis=axis, keepdims=keepdims))
    exponentials, largest = _exponentials(x, axis)
    y = np.log(np.sum(exponentials, axis=axis, keepdims=True)) + largest
    return y if keepdims else y.reshape(np.shape(np.sum(x, axis=axis)))


def _exponentials(x: Array, axis: Axis) -> tuple[Array, Array]:
    """Those of the distances from the largest number, and that number; 0 in its place where it is infinite."""
    largest = np.max(x, axis=axis, keepdims=True)
    largest = np.where(np.isfinite(largest), largest, np.zeros_like(largest))
    return np.exp(x - largest), largest


def cumulative_sum(x: Array, *, axis: int = -1) -> Array:
    r"""The sums of the first one, two, … numbers along an axis: :math:`y_k = \sum_{i \le k} x_i`.

    The gradient of a number is the sum of those of all results from its own on.

    Shapes: any of rank ≥ 1; the result has that of ``x``. ``axis`` counts from either end.
    Special values: NaN gives NaN from there on, as do infinities of both signs; one infinity gives itself.
    Raises: ``ValueError`` if ``axis`` is not an axis of ``x``.
    Source: the Python array API standard, 2024.12.
    """
    return np.cumsum(x, axis=axis)


def _sum_vjp(dy: Array, x: Array, *, axis: Axis = None, keepdims: bool = False) -> Gradients:
    return {"x": spread(dy, x, axis)}


def _mean_vjp(dy: Array, x: Array, *, axis: Axis = None, keepdims: bool = False) -> Gradients:
    return {"x": spread(dy / float(terms_of(x, axis)), x, axis)}


def _prod_vjp(dy: Array, x: Array, *, axis: Axis = None, keepdims: bool = False) -> Gradients:
    """The products of what comes before and what comes after each number."""
    rows = together(x, axis)
    one = np.ones_like(rows[..., :1])
    before = np.cumprod(np.concatenate([one, rows[..., :-1]], axis=-1), axis=-1)
    after = np.flip(np.cumprod(np.concatenate([one, np.flip(rows[..., 1:], axis=-1)], axis=-1), axis=-1), axis=-1)
    others = before * after if rows.shape[-1] else rows
    return {"x": spread(dy, x, axis) * apart(others, x, axis)}


def _logsumexp_vjp(dy: Array, x: Array, *, axis: Axis = None, keepdims: bool = False) -> Gradients:
    if x.size == 0:
        return {"x": np.zeros_like(x)}
    exponentials, _ = _exponentials(x, axis)
    return {"x": kept(dy, x, axis) * (exponentials / np.sum(exponentials, axis=axis, keepdims=True))}


def _cumulative_vjp(dy: Array, x: Array, *, axis: int = -1) -> Gradients:
    return {"x": np.flip(np.cumsum(np.flip(dy, axis=axis), axis=axis), axis=axis)}


def factors(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Both signs, so near 1 that the product of all, and of any of them, is within the range of every dtype."""
    size = max(int(np.prod(shape)), 1)
    sign = np.where(stream("sign").integers(shape, 0, 2) == 1, 1.0, -1.0)
    step = min(0.5, max(1.5 / size**0.5, 2.0**-7))
    if step > 2.0**-7:
        return sign * (1.0 + stream("size").uniform(shape, -step, step))
    # The nearest numbers on both sides of 1 that bfloat16 tells apart.
    return sign * np.where(stream("size").integers(shape, 0, 2) == 1, 1.0 + step, 1.0 - step)


def _opposites(stream: Stream) -> Iterator[Sample]:
    """Large numbers that cancel but for small ones."""
    name = "cancellation_of_opposites"
    x = stream(name).normal(PLAIN_SHAPE)
    x[:, 8:16] = 2.0**-6 * x[:, 8:16] - 16.0
    x[:, :8] = 2.0**-6 * x[:, :8] + 16.0
    yield Sample(name=name, inputs={"x": x}, keywords={"axis": -1})


def _scores(stream: Stream) -> Iterator[Sample]:
    """Scores of wide spread, and masked ones."""
    for name, deviation in (("magnitude_spread_60", 20.0), ("magnitude_spread_1000", 300.0)):
        yield Sample(name=name, inputs={"x": stream(name).normal(PLAIN_SHAPE, 0.0, deviation)}, keywords={"axis": -1})
    for name, value in (("magnitude_most_negative", -3e38), ("magnitude_most_positive", 3e38)):
        x = np.full(PLAIN_SHAPE, value)
        yield Sample(name=name, inputs={"x": x}, keywords={"axis": -1}, dtypes=WIDE_DTYPES)
    x = normal(stream("infinity_masked"), PLAIN_SHAPE)
    x.reshape(-1)[::2] = -INF
    yield Sample(name="infinity_masked", inputs={"x": x}, keywords={"axis": -1})


def _running_samples(stream: Stream) -> Iterator[Sample]:
    yield from reduction_samples(stream, normal, Special(), ONE)
    rows = np.array([[1.0, NAN, 2.0, 3.0], [1.0, INF, 2.0, -INF], [-INF, 1.0, -INF, 2.0], [0.0, 3.0, -3.0, INF]])
    sums = np.array([[1.0, NAN, NAN, NAN], [1.0, INF, INF, NAN], [-INF, -INF, -INF, -INF], [0.0, 3.0, 0.0, INF]])
    yield Sample(name="infinity_from_there_on", inputs={"x": rows}, expected={"y": sums}, gradient=False)
    yield from _opposites(stream)


def _running_work(x: Array, *, axis: int = -1) -> Work:
    added = count(x) - count(x) // max(x.shape[axis], 1)
    return Work(flops=added, backward_flops=added)


SUMMED: Any = (
    *(((INF, 1.0, 2.0, 3.0), INF), ((1.0, 2.0, 3.0, -INF), -INF), ((INF, 1.0, INF, 2.0), INF)),
    ((INF, 0.0, 1.0, -INF), NAN),
)
"""What infinities give in sums and means."""

OPERATIONS = (
    reduction(
        reduce_sum,
        _sum_vjp,
        Special(nan=NOT_A_NUMBER, infinity=SUMMED),
        lambda numbers, results: Work(flops=numbers - results),
        more=_opposites,
    ),
    reduction(
        reduce_mean,
        _mean_vjp,
        Special(nan=NOT_A_NUMBER, infinity=SUMMED, empty=NAN),
        lambda numbers, results: Work(flops=numbers, backward_flops=results),
        draw=distant,
        more=_opposites,
    ),
    reduction(
        reduce_prod,
        _prod_vjp,
        Special(
            nan=NOT_A_NUMBER,
            infinity=(((INF, 1.0, -2.0, 3.0), -INF), ((1.0, 2.0, 3.0, -INF), -INF), ((INF, 0.0, 1.0, 2.0), NAN)),
            more={
                "zero_one_in_a_row": (((0.0, 1.5, -2.0, 3.0), 0.0), ((1.5, 2.0, -0.5, 0.0), 0.0), ((2.0, 0.0, 3.0, 0.5), 0.0)),
                "zero_two_in_a_row": (((0.0, 1.5, 0.0, 3.0), 0.0), ((0.0, 0.0, -0.5, 2.0), 0.0), ((0.0, 0.0, 0.0, 0.0), 0.0)),
            },
            silent=("nan", "infinity", "magnitude"),
            empty=1.0,
            equal=False,
            magnitudes=("large",),
        ),
        lambda numbers, results: Work(flops=numbers - results, backward_flops=4 * numbers - 2 * results),
        draw=factors,
    ),
    reduction(
        logsumexp,
        _logsumexp_vjp,
        Special(
            nan=NOT_A_NUMBER,
            infinity=(((INF, 1.0, 2.0, 3.0), INF), ((-INF, -INF, -INF, 0.5), 0.5), ((-INF,) * 4, -INF), ((INF,) * 4, INF)),
            more={"ties_of_the_largest": (((0.0,) * 4, float(np.log(4.0))), ((2.0, 2.0, -INF, -INF), 2.0 + float(np.log(2.0))))},
            silent=("infinity_rows", "infinity_each_lane"),
            empty=-INF,
        ),
        lambda numbers, results: Work(flops=3 * numbers - results, transcendentals=numbers + results, backward_flops=2 * numbers),
        more=_scores,
    ),
    Operation(
        function=cumulative_sum,
        vjp=_cumulative_vjp,
        samples=_running_samples,
        family="reduction",
        profile=EXTENDED,
        workload=lambda stream, size: plane_of_rows(normal, stream, size),
        work=_running_work,
    ),
)
