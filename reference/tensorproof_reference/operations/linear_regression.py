"""Linear regression's function: see ``linear_regression``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require, require_shape
from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.operations._regression_samples import regression_samples, regression_workload
from tensorproof_reference.operations._workloads import count
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def linear_regression(x: Array, theta0: Array, theta: Array) -> Array:
    r"""What linear regression predicts: :math:`y = θ_0 + \sum_i θ_i x_i`.

    Shapes: ``x`` (N, F) or with any other leading axes, ``theta0`` (), ``theta`` (F,), result (N,).
    Special values: as in the matrix product: NaN gives NaN, ∞ · 0 and ∞ - ∞ too. F = 0 gives θ0.
    Raises: ``ValueError`` if ``x`` has fewer than two axes, or if ``theta0`` or ``theta`` has another shape.
    Source: the texts, 001 §3.1.
    """
    _require_parameters(x, theta0, theta)
    return np.matmul(x, theta) + theta0


def vjp(dy: Array, x: Array, theta0: Array, theta: Array) -> Gradients:
    r""":math:`dx_{ni} = dy_n θ_i`, :math:`dθ_i = \sum_n dy_n x_{ni}` and :math:`dθ_0 = \sum_n dy_n`."""
    _require_parameters(x, theta0, theta)
    rows = int(np.prod(x.shape[:-1]))
    return {
        "x": np.expand_dims(dy, -1) * theta,
        "theta0": np.sum(dy),
        "theta": np.matmul(dy.reshape((rows,)), x.reshape((rows, x.shape[-1]))),
    }


def _require_parameters(x: Array, theta0: Array, theta: Array) -> None:
    require(x.ndim >= 2, "x", "an array with at least 2 axes", f"shape {x.shape}")
    require_shape(theta0, "theta0", ())
    require_shape(theta, "theta", (x.shape[-1],))


def samples(stream: Stream) -> Iterator[Sample]:
    """Few and many features and rows, magnitudes, NaN and infinity in each argument."""
    yield from regression_samples(stream)


def workload(stream: Stream, size: str) -> Sample:
    """Rows of features."""
    return regression_workload(stream, size)


def work(x: Array, theta0: Array, theta: Array) -> Work:
    """A product and a sum for each feature of each row, and θ0; back, a product for dx, a product and a sum for dθ."""
    rows = count(x) // max(x.shape[-1], 1)
    return Work(flops=2 * count(x) + rows, backward_flops=3 * count(x) + rows - 1)


OPERATION = Operation(
    function=linear_regression,
    vjp=vjp,
    samples=samples,
    family="product",
    differentiable=("x", "theta0", "theta"),
    documents=("001 §3.1",),
    workload=workload,
    work=work,
)
