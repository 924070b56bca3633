"""Negative log likelihood of counts: see ``poisson_nll``."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require_shape
from tensorproof_reference.losses._reduction import REDUCTIONS, reduced, spread
from tensorproof_reference.losses._samples import FINE, NONE, PLAIN, WIDE, each_by_itself, loss_samples
from tensorproof_reference.losses._workloads import reduction_work
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work, asarray
from tensorproof_reference.operations._workloads import PLANES, count, ordinary
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def poisson_nll(
    prediction: Array,
    target: Array,
    *,
    log_input: bool = True,
    full: bool = False,
    epsilon: float = 1e-8,
    reduction: str = "mean",
) -> Array:
    r"""The negative log likelihood of counts t under a Poisson distribution of rate :math:`e^x`: :math:`y = e^x - t x`.

    Without ``log_input`` the prediction is the rate r itself, and :math:`y = r - t \log(r + ε)`, where ε is ``epsilon``. The
    constant :math:`\log t!` is left out; with ``full`` Stirling's approximation of it is added where t is above 1:
    :math:`t \log t - t + \log(2πt)/2`.

    Shapes: ``prediction`` and ``target`` have the same shape, of any rank. The result is a scalar, or of that shape for
    ``reduction="none"``; ``"sum"`` leaves out the division by the number of elements.
    Special values: by IEEE arithmetic. x = -∞ gives +∞ for a positive count and NaN for 0 (0 · ∞).
    Raises: ``ValueError`` if the shapes differ, or if ``reduction`` is unknown.
    Source: Cameron & Trivedi (1998), eq. 2.5; PyTorch's ``poisson_nll_loss`` for the approximation.
    """
    require_shape(target, "target", prediction.shape)
    losses = np.exp(prediction) - target * prediction if log_input else prediction - target * np.log(prediction + epsilon)
    if full:
        # Below 1 a placeholder keeps the logarithm finite.
        above = np.where(target > 1, target, 1.0)
        stirling = above * np.log(above) - above + 0.5 * np.log(2.0 * math.pi * above)
        losses = losses + np.where(target > 1, stirling, 0.0)
    return reduced(losses, reduction)


def vjp(
    dy: Array,
    prediction: Array,
    target: Array,
    *,
    log_input: bool = True,
    full: bool = False,
    epsilon: float = 1e-8,
    reduction: str = "mean",
) -> Gradients:
    r""":math:`dx = (e^x - t) \, dy`, or :math:`dr = (1 - t/(r + ε)) \, dy`, divided by the number of elements for the mean."""
    slope = np.exp(prediction) - target if log_input else 1.0 - target / (prediction + epsilon)
    return {"prediction": slope * spread(dy, prediction.shape, reduction)}


def _counts(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Whole numbers from 0 to 8."""
    return stream("counts").integers(shape, 0, 9).astype(np.float64)


def _rates(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Between 1/4 and 6."""
    return stream("rates").uniform(shape, 0.25, 6.0)


def _logarithms(stream: Stream, shape: tuple[int, ...]) -> Array:
    return stream("logarithms").uniform(shape, -3.0, 3.0)


def samples(stream: Stream) -> Iterator[Sample]:
    """Those of every loss; rates instead of logarithms; the approximation of the constant; large rates."""
    yield from loss_samples(stream, each_by_itself({"prediction": _logarithms, "target": _counts}), lanes=("prediction",))
    keywords: dict[str, Any]
    for word, keywords in (
        ("rates", {"log_input": False}),
        ("rates_1e_minus_7", {"log_input": False, "epsilon": 1e-7}),
        ("rates_epsilon_large", {"log_input": False, "epsilon": 0.125}),
        ("full", {"full": True}),
        ("full_rates", {"full": True, "log_input": False}),
    ):
        for reduction in REDUCTIONS:
            name = f"plain_{word}_{reduction}"
            draw = _logarithms if keywords.get("log_input", True) else _rates
            inputs = {"prediction": draw(stream(name), PLAIN), "target": _counts(stream(name), PLAIN)}
            yield Sample(name=name, inputs=inputs, keywords={**keywords, "reduction": reduction})
    name = "bounds_counts_of_zero_and_one"
    inputs = {
        "prediction": _logarithms(stream(name), PLAIN),
        "target": stream(name)("t").integers(PLAIN, 0, 2).astype(np.float64),
    }
    yield Sample(name=name, inputs=inputs, keywords={"full": True, **NONE})
    name = "magnitude_ten"
    inputs = {"prediction": stream(name).uniform(PLAIN, 4.0, 10.0), "target": 64.0 * _counts(stream(name), PLAIN)}
    yield Sample(name=name, inputs=inputs, keywords=NONE, dtypes=FINE)
    name = "magnitude_minus_hundreds"
    inputs = {"prediction": stream(name).uniform(PLAIN, -300.0, -20.0), "target": _counts(stream(name), PLAIN)}
    yield Sample(name=name, inputs=inputs, keywords=NONE)
    name = "magnitude_overflow"
    inputs = {"prediction": stream(name).uniform(PLAIN, 90.0, 200.0), "target": _counts(stream(name), PLAIN)}
    yield Sample(name=name, inputs=inputs, keywords=NONE, dtypes=WIDE)
    infinite = {"prediction": asarray([-np.inf, -np.inf, np.inf]), "target": asarray([1.0, 0.0, 0.0])}
    expected = {"y": asarray([np.inf, np.nan, np.nan])}
    yield Sample(name="infinity_none", inputs=infinite, keywords=NONE, expected=expected, gradient=False)


def workload(stream: Stream, size: str) -> Sample:
    """Logarithms and counts."""
    inputs = {"prediction": ordinary(stream("prediction"), PLANES[size]), "target": _counts(stream, PLANES[size])}
    return Sample(name=size, inputs=inputs)


def work(
    prediction: Array,
    target: Array,
    *,
    log_input: bool = True,
    full: bool = False,
    epsilon: float = 1e-8,
    reduction: str = "mean",
) -> Work:
    """An exponential or logarithm, a product and a difference, and ε; back, a difference or quotient and a product. For the
    constant a comparison, two logarithms, three products, a difference and two sums."""
    numbers = count(prediction)
    each = (2 if log_input else 3) + (7 if full else 0)
    terms = Work(
        flops=each * numbers, transcendentals=(3 if full else 1) * numbers, backward_flops=(2 if log_input else 3) * numbers
    )
    return terms + reduction_work(numbers, reduction)


OPERATION = Operation(
    function=poisson_nll,
    vjp=vjp,
    samples=samples,
    family="loss",
    profile=EXTENDED,
    differentiable=("prediction",),
    workload=workload,
    work=work,
)
