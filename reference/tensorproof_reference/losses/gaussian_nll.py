"""Negative log likelihood of a normal distribution: see ``gaussian_nll``."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require_shape
from tensorproof_reference.losses._reduction import REDUCTIONS, reduced, spread
from tensorproof_reference.losses._samples import NONE, PLAIN, WIDE, each_by_itself, loss_samples, normal
from tensorproof_reference.losses._workloads import reduction_work
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work, asarray
from tensorproof_reference.operations._workloads import PLANES, count, ordinary
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def gaussian_nll(
    prediction: Array,
    target: Array,
    variance: Array,
    *,
    full: bool = False,
    epsilon: float = 1e-6,
    reduction: str = "mean",
) -> Array:
    r"""The negative log likelihood of the target under a normal distribution: :math:`y = (\log v + (\hat y - t)^2/v)/2`.

    v is the ``variance``, or ε where it is below that (``epsilon``). The constant is left out; ``full`` adds it,
    :math:`\log(2π)/2`.

    Shapes: all three have the same shape, of any rank. The result is a scalar, or of that shape for ``reduction="none"``;
    ``"sum"`` leaves out the division by the number of elements.
    Special values: NaN in any gives NaN; an infinite prediction gives +∞. No sample asks for the gradient where the variance is
    below ε: frameworks take that at ε, or 0.
    Raises: ``ValueError`` if the shapes differ, or if ``reduction`` is unknown.
    Source: Nix & Weigend (1994), eq. 5.
    """
    require_shape(target, "target", prediction.shape)
    require_shape(variance, "variance", prediction.shape)
    v = np.maximum(variance, epsilon)
    losses = 0.5 * (np.log(v) + np.square(prediction - target) / v)
    return reduced(losses + 0.5 * math.log(2.0 * math.pi) if full else losses, reduction)


def vjp(
    dy: Array,
    prediction: Array,
    target: Array,
    variance: Array,
    *,
    full: bool = False,
    epsilon: float = 1e-6,
    reduction: str = "mean",
) -> Gradients:
    r"""With d the difference: :math:`d\hat y = (d/v) \, dy`, :math:`dt = -d\hat y` and :math:`dv = (1/v - (d/v)^2)/2 \, dy`."""
    v = np.maximum(variance, epsilon)
    scaled = (prediction - target) / v
    dy = spread(dy, prediction.shape, reduction)
    return {"prediction": scaled * dy, "target": -scaled * dy, "variance": 0.5 * (1.0 / v - np.square(scaled)) * dy}


def _variance(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Between 1/4 and 4."""
    return stream("variance").uniform(shape, 0.25, 4.0)


def samples(stream: Stream) -> Iterator[Sample]:
    """Those of every loss; the constant; small and large variances, and those below ε."""

    def three(name: str, deviation: float = 1.0, low: float = 0.25, high: float = 4.0) -> dict[str, Array]:
        pair = {key: deviation * normal(stream(name)(key), PLAIN) for key in ("prediction", "target")}
        return {**pair, "variance": stream(name)("variance").uniform(PLAIN, low, high)}

    draws = {"prediction": normal, "target": normal, "variance": _variance}
    yield from loss_samples(stream, each_by_itself(draws), lanes=("prediction", "target"))
    for reduction in REDUCTIONS:
        name = f"plain_full_{reduction}"
        yield Sample(name=name, inputs=three(name), keywords={"full": True, "reduction": reduction})
    yield Sample(
        name="epsilon_small_variance", inputs=three("epsilon_small_variance", 0.01, 1e-4, 1e-3), keywords=NONE, dtypes=WIDE
    )
    large: dict[str, Any] = {"epsilon": 0.125, **NONE}
    yield Sample(name="epsilon_large", inputs=three("epsilon_large", low=0.25), keywords=large)
    below = Sample(name="epsilon_below", inputs=three("epsilon_below", low=0.0, high=0.1), keywords=large, gradient=False)
    yield below
    zero = {**three("epsilon_variance_zero", 1e-3), "variance": np.zeros(PLAIN)}
    yield Sample(name="epsilon_variance_zero", inputs=zero, keywords=NONE, gradient=False, dtypes=WIDE)
    yield Sample(name="magnitude_100", inputs=three("magnitude_100", 100.0), keywords=NONE)
    yield Sample(name="magnitude_1e15", inputs=three("magnitude_1e15", 1e15, 1e10, 1e12), keywords=NONE, dtypes=WIDE)
    infinite = {"prediction": asarray([np.inf, -np.inf]), "target": asarray([1.0, 1.0]), "variance": asarray([1.0, 2.0])}
    expected = {"y": asarray([np.inf, np.inf])}
    yield Sample(name="infinity_none", inputs=infinite, keywords=NONE, expected=expected, gradient=False)


def workload(stream: Stream, size: str) -> Sample:
    """Predictions, targets and variances."""
    shape = PLANES[size]
    inputs = {name: ordinary(stream(name), shape) for name in ("prediction", "target")}
    return Sample(name=size, inputs={**inputs, "variance": _variance(stream, shape)})


def work(
    prediction: Array,
    target: Array,
    variance: Array,
    *,
    full: bool = False,
    epsilon: float = 1e-6,
    reduction: str = "mean",
) -> Work:
    """A maximum, a logarithm, a difference, its square, a quotient, a sum and a product, and the constant; back, two quotients, a
    square, a difference and four products."""
    numbers = count(prediction)
    return Work(flops=(6 + full) * numbers, transcendentals=numbers, backward_flops=7 * numbers) + reduction_work(
        numbers, reduction
    )


OPERATION = Operation(
    function=gaussian_nll,
    vjp=vjp,
    samples=samples,
    family="loss",
    profile=EXTENDED,
    differentiable=("prediction", "target", "variance"),
    workload=workload,
    work=work,
)
