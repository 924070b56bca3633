"""How far numbers are from their mean, and from zero, over any set of axes: variances, standard deviations, norms."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require
from tensorproof_reference.operation import Sample, Work
from tensorproof_reference.operations._axis_samples import PLAIN_SHAPE
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.reductions._reduction import (
    INF,
    NAN,
    NOT_A_NUMBER,
    Axis,
    Special,
    distant,
    normal,
    reduction,
    spread,
    terms_of,
)
from tensorproof_reference.reductions.sums import reduce_mean
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def variance(x: Array, *, axis: Axis = None, keepdims: bool = False, correction: int = 0) -> Array:
    r"""The mean squared distance from the mean: :math:`y = \frac{1}{n - c} \sum_i (x_i - \bar x)^2`, in two passes.

    Its gradient is :math:`\frac{2}{n - c} (x_i - \bar x)`. ``correction`` is c: 0 for that of a whole population, 1 for the
    unbiased estimate from a sample. No sample asks for the gradient at infinities.

    ``axis``: one axis or several, counted from either end; ``None`` for all, an empty tuple for none. ``keepdims`` keeps them
    with length 1.

    Shapes: any; the result has the axes of ``x`` that are not reduced.
    Special values: NaN and infinities give NaN, as does n = c, and nothing. Equal numbers give 0.
    Raises: ``ValueError`` if ``axis`` has what is no axis of ``x``, or one twice, or ``correction`` is negative.
    Source: the Python array API standard, 2024.12; an empty tuple: NumPy.
    """
    require(correction >= 0, "correction", "0 or more", correction)
    distances = x - reduce_mean(x, axis=axis, keepdims=True)
    return np.sum(np.square(distances), axis=axis, keepdims=keepdims) / float(max(terms_of(x, axis) - correction, 0))


def standard_deviation(x: Array, *, axis: Axis = None, keepdims: bool = False, correction: int = 0) -> Array:
    r"""The root of the variance: :math:`y = \sqrt{\frac{1}{n - c} \sum_i (x_i - \bar x)^2}`, with the ``correction`` c.

    Its gradient is :math:`(x_i - \bar x) / ((n - c) y)`. No sample asks for it at infinities, nor
    where all numbers are equal, where there is none.

    ``axis``: one axis or several, counted from either end; ``None`` for all, an empty tuple for none. ``keepdims`` keeps them
    with length 1.

    Shapes: any; the result has the axes of ``x`` that are not reduced.
    Special values: NaN and infinities give NaN, as does n = c, and nothing. Equal numbers give 0.
    Raises: ``ValueError`` if ``axis`` has what is no axis of ``x``, or one twice, or ``correction`` is negative.
    Source: the Python array API standard, 2024.12; an empty tuple: NumPy.
    """
    return np.sqrt(variance(x, axis=axis, keepdims=keepdims, correction=correction))


def norm(x: Array, *, axis: Axis = None, keepdims: bool = False) -> Array:
    r"""The Euclidean length over a set of axes: :math:`y = \sqrt{\sum_i x_i^2}`, of all numbers as one vector.

    Its gradient is :math:`x_i / y`. No sample asks for it at infinities, nor where the length is 0, where there is none.

    ``axis``: one axis or several, counted from either end; ``None`` for all, an empty tuple for none. ``keepdims`` keeps them
    with length 1.

    Shapes: any; the result has the axes of ``x`` that are not reduced.
    Special values: NaN gives NaN, and infinities without NaN give ∞. The length of nothing is 0.
    Raises: ``ValueError`` if ``axis`` has what is no axis of ``x``, or one twice.
    Source: the Python array API standard, 2024.12 (``linalg.vector_norm``); an empty tuple: NumPy.
    """
    return np.sqrt(np.sum(np.square(x), axis=axis, keepdims=keepdims))


def _variance_vjp(dy: Array, x: Array, *, axis: Axis = None, keepdims: bool = False, correction: int = 0) -> Gradients:
    distances = x - reduce_mean(x, axis=axis, keepdims=True)
    return {"x": spread(dy * 2.0 / float(max(terms_of(x, axis) - correction, 0)), x, axis) * distances}


def _deviation_vjp(dy: Array, x: Array, *, axis: Axis = None, keepdims: bool = False, correction: int = 0) -> Gradients:
    y = standard_deviation(x, axis=axis, keepdims=keepdims, correction=correction)
    return _variance_vjp(0.5 * dy / y, x, axis=axis, correction=correction)


def _norm_vjp(dy: Array, x: Array, *, axis: Axis = None, keepdims: bool = False) -> Gradients:
    return {"x": x * spread(dy / norm(x, axis=axis, keepdims=keepdims), x, axis)}


def _off_center(stream: Stream) -> Iterator[Sample]:
    """Means far from 0, and the unbiased estimate."""
    for name, mean in (("cancellation_mean_100", 100.0), ("cancellation_mean_minus_100", -100.0)):
        yield Sample(name=name, inputs={"x": stream(name).normal((18, 65), mean)}, keywords={"axis": -1})
    name = "cancellation_mean_1e6"
    yield Sample(name=name, inputs={"x": stream(name).normal((18, 65), 1e6)}, keywords={"axis": -1}, dtypes=("float64",))
    for name, shape, axis in (
        ("optional_correction_rows", PLAIN_SHAPE, -1),
        ("optional_correction_two_axes", (3, 5, 4), (0, 2)),
        ("optional_correction_everything", (3, 5, 4), None),
        ("optional_correction_two_numbers", (18, 2), -1),
    ):
        yield Sample(name=name, inputs={"x": normal(stream(name), shape)}, keywords={"axis": axis, "correction": 1})
    one = {"x": normal(stream("unit_corrected"), (5, 1))}
    nan = {"y": np.full(5, NAN)}
    yield Sample(
        name="unit_corrected", inputs=one, keywords={"axis": -1, "correction": 1}, dtypes=SINGLE, expected=nan, gradient=False
    )


ALL_NAN: Any = tuple((row, NAN) for row in ((INF, 1.0, 2.0, 3.0), (1.0, 2.0, 3.0, -INF), (INF, INF, INF, INF)))
"""What infinities give in distances from the mean."""

OPERATIONS = (
    reduction(
        variance,
        _variance_vjp,
        Special(
            nan=NOT_A_NUMBER,
            infinity=ALL_NAN,
            more={"zero_equal_numbers": (((0.5,) * 4, 0.0), ((-3.0,) * 4, 0.0), ((0.0,) * 4, 0.0))},
            silent=("infinity",),
            empty=NAN,
            equal=False,
            magnitudes=("small", "moderate", "large"),
        ),
        lambda numbers, results: Work(flops=4 * numbers, backward_flops=numbers + 2 * results),
        draw=distant,
        more=_off_center,
    ),
    reduction(
        standard_deviation,
        _deviation_vjp,
        Special(
            nan=NOT_A_NUMBER,
            infinity=ALL_NAN,
            more={"kink_equal_numbers": (((0.5,) * 4, 0.0), ((-3.0,) * 4, 0.0), ((0.0,) * 4, 0.0))},
            silent=("infinity", "magnitude_small", "unit", "axis_none", "width_1", "rank_zero"),
            empty=NAN,
            equal=False,
            magnitudes=("small", "moderate", "large"),
        ),
        lambda numbers, results: Work(flops=4 * numbers, transcendentals=results, backward_flops=numbers + 4 * results),
        draw=distant,
        more=_off_center,
    ),
    reduction(
        norm,
        _norm_vjp,
        Special(
            nan=NOT_A_NUMBER,
            infinity=(((INF, 1.0, 2.0, 3.0), INF), ((1.0, 2.0, 3.0, -INF), INF), ((INF, -INF, 0.0, 1.0), INF)),
            more={
                "plain_whole_numbers": (((3.0, 0.0, -4.0, 0.0), 5.0), ((1.0, 1.0, -1.0, -1.0), 2.0), ((2.0, 0.0, 0.0, 0.0), 2.0)),
                "kink_at_zero": (((0.0,) * 4, 0.0), ((-0.0,) * 4, 0.0)),
            },
            silent=("magnitude_small", "infinity"),
            magnitudes=("small", "moderate", "large"),
        ),
        lambda numbers, results: Work(flops=2 * numbers - results, transcendentals=results, backward_flops=numbers + results),
    ),
)
