"""Logistic regression's function: see ``logistic_regression``."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.operations import linear_regression as linear
from tensorproof_reference.operations import sigmoid as logistic
from tensorproof_reference.operations._regression_samples import regression_samples, regression_workload
from tensorproof_reference.operations.sigmoid import sigmoid
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

LONG_DTYPES = ("float64", "float32")
SIXTEEN_BITS = ("plain_rows", "size_large", "long_features", "magnitude_thousand", "nan_rows", "infinity_rows")
"""The samples whose values are judged in 16 bits too."""


def logistic_regression(x: Array, theta0: Array, theta: Array) -> Array:
    r"""The probability that logistic regression predicts: :math:`y = 1/(1 + e^{-(θ_0 + \sum_i θ_i x_i)})`.

    Shapes: ``x`` (N, F) or with any other leading axes, ``theta0`` (), ``theta`` (F,), result (N,).
    Special values: those of the matrix product; then -∞ gives 0, +∞ gives 1, NaN gives NaN.
    Raises: ``ValueError`` if ``x`` has fewer than two axes, or if ``theta0`` or ``theta`` has another shape.
    Source: the texts, 001 §3.2.
    """
    return sigmoid(linear.linear_regression(x, theta0, theta))


def vjp(dy: Array, x: Array, theta0: Array, theta: Array) -> Gradients:
    r"""Those of linear regression with the cotangent :math:`dy \odot y (1 - y)`."""
    y = logistic_regression(x, theta0, theta)
    return linear.vjp(dy * (y * (1.0 - y)), x, theta0, theta)


def samples(stream: Stream) -> Iterator[Sample]:
    """Few and many features and rows, magnitudes, NaN and infinity in each argument, saturation.

    In 16 bits only values are judged, for the gradient to θ0 is one sum whose terms may cancel to less than their errors.
    """
    for sample in regression_samples(stream):
        high = tuple(dtype for dtype in sample.dtypes if dtype in LONG_DTYPES)
        low = tuple(dtype for dtype in sample.dtypes if dtype not in LONG_DTYPES)
        if high:
            yield replace(sample, dtypes=high)
        if sample.name in SIXTEEN_BITS:
            yield replace(sample, name=f"{sample.name}_16_bits", dtypes=low, gradient=False)
        elif not high:
            yield replace(sample, gradient=False)
    saturated = stream("magnitude_saturated")
    x = saturated("x").normal((9, 5))
    x[::3] *= 30.0
    inputs = {"x": x, "theta0": saturated("theta0").normal(()), "theta": saturated("theta").normal((5,))}
    yield Sample(name="magnitude_saturated", inputs=inputs, dtypes=LONG_DTYPES)
    ends = np.array([[-np.inf], [np.inf], [0.0]])
    limits = {"y": np.array([0.0, 1.0, 0.5]), "d_theta": np.array([np.nan])}
    yield Sample(
        name="infinity_ends", inputs={"x": ends, "theta0": np.zeros(()), "theta": np.ones(1)}, expected=limits, dtypes=LONG_DTYPES
    )


def workload(stream: Stream, size: str) -> Sample:
    """Rows of features."""
    return regression_workload(stream, size)


def work(x: Array, theta0: Array, theta: Array) -> Work:
    """That of ``linear_regression``, and of ``sigmoid`` for each row."""
    return linear.work(x, theta0, theta) + logistic.work(np.broadcast_to(0.0, x.shape[:-1]))


OPERATION = Operation(
    function=logistic_regression,
    vjp=vjp,
    samples=samples,
    family="product",
    differentiable=("x", "theta0", "theta"),
    documents=("001 §3.2",),
    workload=workload,
    work=work,
)
