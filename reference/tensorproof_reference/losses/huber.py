"""Huber loss: see ``huber``."""

import numpy as np

from tensorproof_reference.arguments import require, require_shape
from tensorproof_reference.losses._reduction import reduced, spread
from tensorproof_reference.losses._robust import robust_samples
from tensorproof_reference.losses._samples import pair_workload
from tensorproof_reference.losses._workloads import reduction_work
from tensorproof_reference.operation import EXTENDED, Operation, Work
from tensorproof_reference.operations._workloads import count
from tensorproof_reference.trees import Array, Gradients


def huber(prediction: Array, target: Array, *, delta: float = 1.0, reduction: str = "mean") -> Array:
    r"""The square of small differences and the absolute value of large ones: :math:`y = d^2/2` for :math:`|d| ≤ δ`, else
    :math:`δ (|d| - δ/2)`, with :math:`d = \hat y - t`.

    δ is ``delta``. Computed as :math:`q^2/2 + δ (|d| - q)` with :math:`q = \min(|d|, δ)`.

    Shapes: ``prediction`` and ``target`` have the same shape, of any rank. The result is a scalar, or of that shape for
    ``reduction="none"``; ``"sum"`` leaves out the division by the number of elements.
    Special values: NaN in either gives NaN; an infinity gives +∞, and NaN where the other is the same infinity. No sample asks
    for the gradient at NaN.
    Raises: ``ValueError`` if the shapes differ, if δ is not above 0, or if ``reduction`` is unknown.
    Source: Huber (1964), section 1.
    """
    require_shape(target, "target", prediction.shape)
    require(delta > 0, "delta", "a number above 0", delta)
    distance = np.abs(prediction - target)
    within = np.minimum(distance, delta)
    return reduced(0.5 * np.square(within) + delta * (distance - within), reduction)


def vjp(dy: Array, prediction: Array, target: Array, *, delta: float = 1.0, reduction: str = "mean") -> Gradients:
    r""":math:`d\hat y` is the difference clipped to ±δ, times dy, and :math:`dt = -d\hat y`."""
    clipped = np.clip(prediction - target, -delta, delta)
    d_prediction = clipped * spread(dy, prediction.shape, reduction)
    return {"prediction": d_prediction, "target": -d_prediction}


def work(prediction: Array, target: Array, *, delta: float = 1.0, reduction: str = "mean") -> Work:
    """Two differences, a minimum, a square, two products and a sum; back, two comparisons and a product."""
    numbers = count(prediction)
    return Work(flops=7 * numbers, backward_flops=3 * numbers) + reduction_work(numbers, reduction)


OPERATION = Operation(
    function=huber,
    vjp=vjp,
    samples=lambda stream: robust_samples(stream, "delta"),
    family="loss",
    profile=EXTENDED,
    differentiable=("prediction", "target"),
    workload=pair_workload,
    work=work,
)
