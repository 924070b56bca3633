"""An activation whose slope is learned: prelu."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work, asarray
from tensorproof_reference.operations._elementwise_samples import FINE_DTYPES, MAGNITUDES, WIDE_DTYPES, ordinary
from tensorproof_reference.operations._workloads import PLANES, count
from tensorproof_reference.operations._workloads import ordinary as timed_numbers
from tensorproof_reference.primitives._unary import SINGLE, WIDTHS
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

PLAIN = (7, 11)


def prelu(x: Array, slope: Array) -> Array:
    r"""Parametric rectified linear unit: :math:`y = x` for :math:`x > 0`, else :math:`a_c x`, with a slope for each channel.

    The gradient of a slope is the sum of :math:`dy\,x` over the numbers of its channel that are not positive.

    Shapes: ``x`` (N, C, …); ``slope`` (C), or (1) for one slope of all channels; the result has the shape of ``x``.
    Special values: NaN gives NaN, ±∞ gives ±∞ for slopes above 0. The derivative at 0 is the slope; frameworks may have 1 or 0
        there, so no required sample asks. They differ in the gradient at NaN too.
    Raises: ``ValueError`` if the number of slopes is neither 1 nor that of channels.
    Source: He, Zhang, Ren & Sun (2015), eq. 1 and 10.
    """
    return np.where(x > 0, x, _beside(x, slope) * x)


def _beside(x: Array, slope: Array) -> Array:
    """The slopes along the axis of channels."""
    if slope.shape not in ((1,), (x.shape[1],)):
        raise ValueError(f"slope: expected shape (1,) or ({x.shape[1]},), got {slope.shape}")
    return slope.reshape(-1, *(1,) * (x.ndim - 2))


def _vjp(dy: Array, x: Array, slope: Array) -> Gradients:
    below = np.where(x > 0, 0.0, dy * x)
    others = tuple(axis for axis in range(x.ndim) if axis != 1 or slope.shape == (1,))
    return {"x": np.where(x > 0, dy, _beside(x, slope) * dy), "slope": np.sum(below, axis=others).reshape(slope.shape)}


def _samples(stream: Stream) -> Iterator[Sample]:
    def drawn(name: str, *shape: int, slopes: int | None = None) -> dict[str, Array]:
        shape = shape or PLAIN
        channels = shape[1] if slopes is None else slopes
        return {"x": ordinary(stream(name)("x"), shape), "slope": stream(name)("slope").uniform((channels,), 0.125, 1.5)}

    def holding(name: str, *values: float) -> dict[str, Array]:
        inputs = drawn(name)
        flat = inputs["x"].reshape(-1)
        places = np.arange(1, flat.size, 3)
        flat[places] = np.resize(np.array(values), places.size)
        return inputs

    yield Sample(name="plain_values", inputs=drawn("plain_values"))
    yield Sample(name="plain_one_slope", inputs=drawn("plain_one_slope", slopes=1))
    yield Sample(name="size_large", inputs=drawn("size_large", 64, 128))
    yield Sample(name="size_images", inputs=drawn("size_images", 4, 8, 12, 12))
    for width in WIDTHS:
        yield Sample(name=f"width_{width}", inputs=drawn(f"width_{width}", 6, width), dtypes=SINGLE)
    yield Sample(name="rank_three", inputs=drawn("rank_three", 2, 3, 5))
    yield Sample(name="rank_four", inputs=drawn("rank_four", 2, 3, 4, 5))
    yield Sample(name="rank_four_one_slope", inputs=drawn("rank_four_one_slope", 2, 3, 4, 5, slopes=1))
    yield Sample(name="rank_five", inputs=drawn("rank_five", 2, 3, 2, 3, 2))
    yield Sample(name="unit_channel", inputs=drawn("unit_channel", 5, 1, 3))
    yield Sample(name="unit_batch", inputs=drawn("unit_batch", 1, 7))
    yield Sample(name="empty_batch", inputs=drawn("empty_batch", 0, 11))
    yield Sample(name="strided_transposed", inputs=drawn("strided_transposed"), memory="transposed")
    yield Sample(name="strided_sliced", inputs=drawn("strided_sliced"), memory="sliced")
    slopes = drawn("plain_slopes_of_both_signs")
    slopes["slope"] = np.resize(asarray([-0.5, 0.25, 1.0, 2.0]), 11)
    yield Sample(name="plain_slopes_of_both_signs", inputs=slopes)
    nan = Sample(name="nan_each_lane", inputs=holding("nan_each_lane", np.nan), gradient=False)
    yield nan
    yield replace(nan, name="nan_gradient", gradient=True, required=False)
    infinite = Sample(name="infinity_each_lane", inputs=holding("infinity_each_lane", -math.inf, math.inf, math.inf))
    yield infinite
    tens = drawn("magnitude_tens")
    yield Sample(name="magnitude_tens", inputs={**tens, "x": 4.0 * tens["x"]}, dtypes=FINE_DTYPES)
    for word, values in MAGNITUDES.items():
        signed = tuple(sign * value for value in values for sign in (-1.0, 1.0))
        name = f"magnitude_{word}"
        dtypes = FINE_DTYPES if word == "moderate" else WIDE_DTYPES
        yield Sample(name=name, inputs=holding(name, *signed), dtypes=dtypes, gradient=word != "largest")
    zeros = Sample(name="zero_signed", inputs=holding("zero_signed", -0.0, 0.0), gradient=False)
    yield zeros
    yield replace(zeros, name="kink_gradient", gradient=True, required=False)


def _workload(stream: Stream, size: str) -> Sample:
    rows, features = PLANES[size]
    x = timed_numbers(stream("x"), (rows, features))
    return Sample(name=size, inputs={"x": x, "slope": stream("slope").uniform((features,), 0.125, 0.5)})


def _work(x: Array, slope: Array) -> Work:
    """A comparison and a product; back two products, and the sums over each channel."""
    return Work(flops=2 * count(x), backward_flops=3 * count(x) - count(slope))


OPERATIONS = (
    Operation(
        function=prelu,
        vjp=_vjp,
        samples=_samples,
        family="elementwise",
        profile=EXTENDED,
        differentiable=("x", "slope"),
        workload=_workload,
        work=_work,
    ),
)
