"""Hyperbolic tangent: see ``tanh``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.operations._elementwise_samples import elementwise_samples, sprinkled
from tensorproof_reference.operations._workloads import count, each, plane_workload
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def tanh(x: Array) -> Array:
    r"""The hyperbolic tangent of each number: :math:`y = (e^x - e^{-x})/(e^x + e^{-x})`.

    Shapes: any; the result has that of ``x``.
    Special values: ±∞ gives ±1, ±0 gives ±0, NaN gives NaN. The gradient at ±∞ is 0.
    Raises: nothing.
    Source: the texts, 002 §3.3.4, 004 §3.2.
    """
    return np.tanh(x)


def vjp(dy: Array, x: Array) -> Gradients:
    r""":math:`dx = dy \odot (1 - y^2)`."""
    return {"x": dy * (1.0 - np.square(np.tanh(x)))}


def samples(stream: Stream) -> Iterator[Sample]:
    """Those of every elementwise function; it saturates at ±1 and keeps the sign of zero and subnormal numbers."""
    yield from elementwise_samples(
        stream, at_infinity=(-1.0, 1.0), at_zero=(-0.0, 0.0), slope_at_infinity=(0.0, 0.0), sign_of_zero=True
    )
    name = "magnitude_subnormal"
    subnormal = sprinkled(stream(name), (2.0**-15, -(2.0**-18), 3.0 * 2.0**-24))
    yield Sample(name=name, inputs={"x": subnormal}, dtypes=("float16",))


def workload(stream: Stream, size: str) -> Sample:
    """Numbers of both signs in a plane."""
    return plane_workload(stream, size)


def work(x: Array) -> Work:
    """One tanh; back, two products and a difference."""
    return each(count(x), flops=0, transcendentals=1, backward=3)


OPERATION = Operation(
    function=tanh,
    vjp=vjp,
    samples=samples,
    family="elementwise",
    documents=("002 §3.3.4", "004 §3.2"),
    workload=workload,
    work=work,
)
