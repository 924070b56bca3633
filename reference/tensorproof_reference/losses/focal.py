"""Focal loss: see ``focal``."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_shape
from tensorproof_reference.losses._draw import bits, sixteenths
from tensorproof_reference.losses._reduction import REDUCTIONS, reduced, spread
from tensorproof_reference.losses._samples import FINE, NONE, PLAIN, each_by_itself, loss_samples, normal
from tensorproof_reference.losses._workloads import reduction_work
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work, asarray
from tensorproof_reference.operations._workloads import PLANES, count, ordinary
from tensorproof_reference.operations.sigmoid import sigmoid
from tensorproof_reference.operations.softplus import softplus
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def focal(logits: Array, target: Array, *, gamma: float = 2.0, alpha: float | None = None, reduction: str = "mean") -> Array:
    r"""The binary cross-entropy of easy examples weighted down: :math:`y = -α_t (1 - p_t)^γ \log p_t`.

    With :math:`p = 1/(1 + e^{-x})` and target t: :math:`1 - p_t = t (1 - p) + (1 - t) p`, and :math:`-\log p_t` is the
    cross-entropy :math:`t \log(1 + e^{-x}) + (1 - t) \log(1 + e^x)`. γ is ``gamma``; :math:`α_t = α t + (1 - α)(1 - t)`, or 1
    if ``alpha`` is ``None``.

    Shapes: ``logits`` and ``target`` have the same shape, of any rank. The result is a scalar, or of that shape for
    ``reduction="none"``; ``"sum"`` leaves out the division by the number of elements.
    Special values: NaN in either gives NaN. An infinite logit gives +∞ on the wrong side, whose sample is optional, since
    frameworks have ∞ - ∞ there. No sample asks for one on the right side (0 · ∞).
    Raises: ``ValueError`` if the shapes differ, if γ is negative, or if ``reduction`` is unknown.
    Source: Lin, Goyal, Girshick, He & Dollár (2017), eq. 5.
    """
    require_shape(target, "target", logits.shape)
    require(gamma >= 0, "gamma", "a number from 0 on", gamma)
    losses = _missed(logits, target) ** gamma * _cross_entropy(logits, target)
    return reduced(losses if alpha is None else _balance(target, alpha) * losses, reduction)


def vjp(
    dy: Array, logits: Array, target: Array, *, gamma: float = 2.0, alpha: float | None = None, reduction: str = "mean"
) -> Gradients:
    r"""With m = 1 - p_t and c the cross-entropy: :math:`dx = α_t (γ m^{γ-1} (1 - 2t) p (1 - p) c + m^γ (p - t)) \, dy`."""
    missed, p = _missed(logits, target), sigmoid(logits)
    rising = (1.0 - 2.0 * target) * (p * sigmoid(-logits))
    slope = missed**gamma * (p - target)
    if gamma:
        slope = slope + gamma * missed ** (gamma - 1.0) * rising * _cross_entropy(logits, target)
    if alpha is not None:
        slope = _balance(target, alpha) * slope
    return {"logits": slope * spread(dy, logits.shape, reduction)}


def _missed(logits: Array, target: Array) -> Array:
    """The probability of what is not the target."""
    return target * sigmoid(-logits) + (1.0 - target) * sigmoid(logits)


def _cross_entropy(logits: Array, target: Array) -> Array:
    return target * softplus(-logits) + (1.0 - target) * softplus(logits)


def _balance(target: Array, alpha: float) -> Array:
    return alpha * target + (1.0 - alpha) * (1.0 - target)


def samples(stream: Stream) -> Iterator[Sample]:
    """Those of every loss; other exponents and balances; soft targets; easy and hard examples."""

    def pair(name: str, low: float = -4.0, high: float = 4.0) -> dict[str, Array]:
        return {"logits": stream(name).uniform(PLAIN, low, high), "target": bits(stream(name), PLAIN)}

    yield from loss_samples(stream, each_by_itself({"logits": normal, "target": bits}), lanes=("logits",))
    keywords: dict[str, Any]
    for word, keywords in (
        ("gamma_one", {"gamma": 1.0}),
        ("gamma_five", {"gamma": 5.0}),
        ("gamma_one_and_a_half", {"gamma": 1.5}),
        ("alpha_quarter", {"alpha": 0.25}),
        ("alpha_and_gamma", {"alpha": 0.75, "gamma": 1.0}),
    ):
        for reduction in REDUCTIONS if word == "alpha_quarter" else ("mean",):
            name = f"plain_{word}_{reduction}"
            yield Sample(name=name, inputs=pair(name), keywords={**keywords, "reduction": reduction})
    yield Sample(name="bounds_gamma_zero", inputs=pair("bounds_gamma_zero"), keywords={"gamma": 0.0})
    for alpha in (0.0, 1.0):
        name = f"bounds_alpha_{int(alpha)}"
        yield Sample(name=name, inputs=pair(name), keywords={"alpha": alpha, **NONE})
    name = "labels_soft"
    yield Sample(name=name, inputs={**pair(name), "target": sixteenths(stream(name), PLAIN)}, keywords={"alpha": 0.25, **NONE})
    yield Sample(name="magnitude_tens", inputs=pair("magnitude_tens", -10.0, 10.0), keywords=NONE, dtypes=FINE)
    yield Sample(
        name="magnitude_tens_alpha", inputs=pair("magnitude_tens_alpha", -10.0, 10.0), keywords={"alpha": 0.25}, dtypes=FINE
    )
    hundreds = pair("magnitude_hard", 20.0, 1000.0)
    yield Sample(name="magnitude_hard", inputs={**hundreds, "target": np.zeros(PLAIN)}, keywords=NONE)
    zero = {"logits": np.zeros(PLAIN), "target": bits(stream("zero_logits"), PLAIN)}
    yield Sample(name="zero_logits", inputs=zero, keywords=NONE)
    infinite = {"logits": asarray([np.inf, -np.inf]), "target": asarray([0.0, 1.0])}
    expected = {"y": asarray([np.inf, np.inf])}
    yield Sample(name="infinity_wrong_side", inputs=infinite, keywords=NONE, expected=expected, gradient=False, required=False)


def workload(stream: Stream, size: str) -> Sample:
    """Logits and labels."""
    return Sample(name=size, inputs={"logits": ordinary(stream("logits"), PLANES[size]), "target": bits(stream, PLANES[size])})


def work(logits: Array, target: Array, *, gamma: float = 2.0, alpha: float | None = None, reduction: str = "mean") -> Work:
    """A sigmoid, the weight and its power, the cross-entropy and a product; with α two more products and sums."""
    numbers = count(logits)
    balance = 0 if alpha is None else 4
    terms = Work(
        flops=(12 + balance) * numbers,
        transcendentals=4 * numbers,
        backward_flops=(10 + balance) * numbers,
        backward_transcendentals=numbers,
    )
    return terms + reduction_work(numbers, reduction)


OPERATION = Operation(
    function=focal,
    vjp=vjp,
    samples=samples,
    family="loss",
    profile=EXTENDED,
    differentiable=("logits",),
    workload=workload,
    work=work,
)
