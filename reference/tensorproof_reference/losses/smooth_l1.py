"""Smooth L1 loss: see ``smooth_l1``."""

import numpy as np

from tensorproof_reference.arguments import require, require_shape
from tensorproof_reference.losses._reduction import reduced, spread
from tensorproof_reference.losses._robust import robust_samples
from tensorproof_reference.losses._samples import pair_workload
from tensorproof_reference.losses._workloads import reduction_work
from tensorproof_reference.operation import EXTENDED, Operation, Work
from tensorproof_reference.operations._workloads import count
from tensorproof_reference.trees import Array, Gradients


def smooth_l1(prediction: Array, target: Array, *, beta: float = 1.0, reduction: str = "mean") -> Array:
    r"""Absolute differences with a rounded tip: :math:`y = d^2/(2β)` for :math:`|d| < β`, else :math:`|d| - β/2`, with
    :math:`d = \hat y - t`.

    β is ``beta``. Computed as :math:`q^2/(2β) + |d| - q` with :math:`q = \min(|d|, β)`. It is ``huber`` with δ = β, divided by β.

    Shapes: ``prediction`` and ``target`` have the same shape, of any rank. The result is a scalar, or of that shape for
    ``reduction="none"``; ``"sum"`` leaves out the division by the number of elements.
    Special values: NaN in either gives NaN; an infinity gives +∞, and NaN where the other is the same infinity. No sample asks
    for the gradient at NaN.
    Raises: ``ValueError`` if the shapes differ, if β is not above 0, or if ``reduction`` is unknown.
    Source: Girshick (2015), eq. 3.
    """
    require_shape(target, "target", prediction.shape)
    require(beta > 0, "beta", "a number above 0", beta)
    distance = np.abs(prediction - target)
    within = np.minimum(distance, beta)
    return reduced(0.5 * np.square(within) / beta + (distance - within), reduction)


def vjp(dy: Array, prediction: Array, target: Array, *, beta: float = 1.0, reduction: str = "mean") -> Gradients:
    r""":math:`d\hat y` is the difference over β clipped to ±1, times dy, and :math:`dt = -d\hat y`."""
    clipped = np.clip((prediction - target) / beta, -1.0, 1.0)
    d_prediction = clipped * spread(dy, prediction.shape, reduction)
    return {"prediction": d_prediction, "target": -d_prediction}


def work(prediction: Array, target: Array, *, beta: float = 1.0, reduction: str = "mean") -> Work:
    """Two differences, a minimum, a square, a product, a quotient and a sum; back, a quotient, two comparisons and a product."""
    numbers = count(prediction)
    return Work(flops=7 * numbers, backward_flops=4 * numbers) + reduction_work(numbers, reduction)


OPERATION = Operation(
    function=smooth_l1,
    vjp=vjp,
    samples=lambda stream: robust_samples(stream, "beta"),
    family="loss",
    profile=EXTENDED,
    differentiable=("prediction", "target"),
    workload=pair_workload,
    work=work,
)
