"""Leaky rectified linear unit: see ``leaky_relu``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.operations._elementwise_samples import elementwise_samples, ordinary, sprinkled
from tensorproof_reference.operations._workloads import count, each, plane_workload
from tensorproof_reference.sample_kinds import with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def leaky_relu(x: Array, *, negative_slope: float = 0.2) -> Array:
    r"""Each number if it is positive, and a fraction of it if not: :math:`y = x` for :math:`x > 0`, else :math:`αx`.

    α is ``negative_slope``; it may exceed 1, where :math:`\max(x, αx)` would be another function.

    Shapes: any; the result has that of ``x``.
    Special values: NaN gives NaN, ±∞ gives ±∞ for α > 0, ±0 gives ±0. The derivative at NaN is α. It is α at 0 too; frameworks
    that test x ≥ 0 have 1 there, so no required sample asks.
    Raises: nothing.
    Source: Maas, Hannun & Ng (2013); the texts, 004 §4.4.
    """
    return np.where(x > 0, x, negative_slope * x)


def vjp(dy: Array, x: Array, *, negative_slope: float = 0.2) -> Gradients:
    r""":math:`dx = dy` where :math:`x > 0`, and :math:`α \, dy` elsewhere."""
    return {"x": np.where(x > 0, dy, negative_slope * dy)}


def samples(stream: Stream) -> Iterator[Sample]:
    """Those of every elementwise function, other slopes, and the kink at zero."""
    yield from elementwise_samples(
        stream, at_infinity=(-np.inf, np.inf), at_zero=(-0.0, 0.0), sign_of_zero=True, zero_gradient=False
    )
    for name, slope in (("plain_slope_hundredth", 0.01), ("plain_slope_quarter", 0.25), ("plain_slope_steep", 1.5)):
        yield Sample(name=name, inputs={"x": ordinary(stream(name))}, keywords={"negative_slope": slope})
    zero = Sample(name="zero_slope", inputs={"x": ordinary(stream("zero_slope"))}, keywords={"negative_slope": 0.0})
    yield zero
    number = Sample(name="unit_number", inputs={"x": -np.abs(ordinary(stream("unit_number"), (1, 1)))})
    yield from with_each(number, [{"negative_slope": 0.01}, {"negative_slope": 1.5}])
    one = {"negative_slope": 1.0}
    yield Sample(name="bounds_slope_one", inputs={"x": ordinary(stream("bounds_slope_one"))}, keywords=one)
    kink = sprinkled(stream("kink_among_others"), (-0.0, 0.0))
    yield Sample(name="kink_among_others", inputs={"x": kink}, required=False)


def workload(stream: Stream, size: str) -> Sample:
    """Numbers of both signs in a plane."""
    return plane_workload(stream, size)


def work(x: Array, *, negative_slope: float = 0.2) -> Work:
    """A comparison and a product; back, a product with the slope."""
    return each(count(x), flops=2, backward=1)


OPERATION = Operation(
    function=leaky_relu,
    vjp=vjp,
    samples=samples,
    family="elementwise",
    documents=("004 §4.4",),
    workload=workload,
    work=work,
)
