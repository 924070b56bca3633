"""Margin ranking loss: see ``margin_ranking``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require_shape
from tensorproof_reference.losses._reduction import REDUCTIONS, reduced, spread
from tensorproof_reference.losses._samples import NONE, PLAIN, SUM, WIDE, loss_samples
from tensorproof_reference.losses._workloads import reduction_work
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work, asarray
from tensorproof_reference.operations._workloads import PLANES, count
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def margin_ranking(first: Array, second: Array, labels: Array, *, margin: float = 0.0, reduction: str = "mean") -> Array:
    r"""How much the one that should rank higher misses doing so by a margin m: :math:`y = \max(0, -l (x_1 - x_2) + m)`.

    The label l is 1 where the first should rank higher, and -1 where the second should.

    Shapes: all three have the same shape, of any rank; labels are -1.0 and 1.0. The result is a scalar, or of that shape for
    ``reduction="none"``; ``"sum"`` leaves out the division by the number of elements.
    Special values: NaN gives NaN; +∞ where the wrong one is infinite, 0 where the right one is. The derivative where the margin
    is met exactly is 0; frameworks may differ there, and no sample asks.
    Raises: ``ValueError`` if the shapes differ, or if ``reduction`` is unknown.
    Source: Herbrich, Graepel & Obermayer (1999), section 4; Burges et al. (2005), section 3.
    """
    return reduced(np.maximum(_short(first, second, labels, margin), 0.0), reduction)


def vjp(dy: Array, first: Array, second: Array, labels: Array, *, margin: float = 0.0, reduction: str = "mean") -> Gradients:
    r""":math:`dx_1 = -l \, dy` where the margin falls short, else 0, and :math:`dx_2 = -dx_1`."""
    falls_short = _short(first, second, labels, margin) > 0
    d_first = np.where(falls_short, -labels * spread(dy, first.shape, reduction), 0.0)
    return {"first": d_first, "second": -d_first}


def _short(first: Array, second: Array, labels: Array, margin: float) -> Array:
    """By how much the margin falls short."""
    require_shape(second, "second", first.shape)
    require_shape(labels, "labels", first.shape)
    return -labels * (first - second) + margin


def _pairs(stream: Stream, shape: tuple[int, ...]) -> dict[str, Array]:
    """Differences of ±1 and ±2, give or take a quarter: a margin of 0 or 1/2 is not nearly met."""
    second = np.rint(4.0 * stream("second").normal(shape)) / 8.0
    apart = stream("apart").uniform(shape, 0.75, 2.25)
    sign = 2.0 * stream("sign").integers(shape, 0, 2) - 1.0
    return {"first": second + sign * apart, "second": second, "labels": 2.0 * stream("labels").integers(shape, 0, 2) - 1.0}


def samples(stream: Stream) -> Iterator[Sample]:
    """Those of every loss, whose inputs are drawn together; margins; infinities."""
    yield from loss_samples(stream, _pairs, lanes=("first", "second"), nan_gradient=False)
    for margin, word in ((0.5, "half"), (5.0, "five")):
        for reduction in REDUCTIONS:
            name = f"plain_margin_{word}_{reduction}"
            yield Sample(name=name, inputs=_pairs(stream(name), PLAIN), keywords={"margin": margin, "reduction": reduction})
    for exponent in (-20, 20):
        name = f"magnitude_2_to_{exponent}".replace("-", "minus_")
        inputs = {key: value * 2.0 ** (0 if key == "labels" else exponent) for key, value in _pairs(stream(name), PLAIN).items()}
        yield Sample(name=name, inputs=inputs, keywords=NONE, dtypes=WIDE)
    name = "unit_everything_margin_half"
    yield Sample(name=name, inputs=_pairs(stream(name), (1, 1)), keywords={"margin": 0.5, **SUM})
    infinite = {
        "first": asarray([np.inf, -np.inf, 1.0]),
        "second": asarray([1.0, 1.0, np.inf]),
        "labels": asarray([1.0, 1.0, -1.0]),
    }
    expected = {"y": asarray([0.0, np.inf, 0.0])}
    yield Sample(name="infinity_none", inputs=infinite, keywords=NONE, expected=expected, gradient=False)


def workload(stream: Stream, size: str) -> Sample:
    """Pairs and labels."""
    return Sample(name=size, inputs=_pairs(stream, PLANES[size]))


def work(first: Array, second: Array, labels: Array, *, margin: float = 0.0, reduction: str = "mean") -> Work:
    """A difference, a product, a sum and a maximum; back, a product and a choice."""
    numbers = count(first)
    return Work(flops=4 * numbers, backward_flops=2 * numbers) + reduction_work(numbers, reduction)


OPERATION = Operation(
    function=margin_ranking,
    vjp=vjp,
    samples=samples,
    family="loss",
    profile=EXTENDED,
    differentiable=("first", "second"),
    workload=workload,
    work=work,
)
