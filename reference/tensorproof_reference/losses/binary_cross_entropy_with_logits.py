"""Binary cross-entropy from logits: see ``binary_cross_entropy_with_logits``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require_shape
from tensorproof_reference.losses._draw import bits, sixteenths
from tensorproof_reference.losses._reduction import reduced, spread
from tensorproof_reference.losses._workloads import reduction_work
from tensorproof_reference.operation import Operation, Sample, Work, asarray
from tensorproof_reference.operations._workloads import PLANES, count, ordinary
from tensorproof_reference.sample_kinds import long_samples, with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def binary_cross_entropy_with_logits(logits: Array, target: Array, *, reduction: str = "mean") -> Array:
    r"""The negative log likelihood of binary labels from logits, :math:`y = -[t \log \sigma(x) + (1 - t) \log(1 - \sigma(x))]`.

    As :math:`-\log \sigma(x) = s` and :math:`-\log(1 - \sigma(x)) = s + x`, where :math:`s = \max(-x, 0) + \log(1 + e^{-|x|})`
    does not overflow, it is :math:`y = (1 - t) x + s`, averaged over elements.

    Shapes: ``logits`` and ``target`` have the same shape, of any rank. The result is a scalar, or of that shape for
    ``reduction="none"``.
    Special values: NaN gives NaN; a logit of +∞ gives +∞ against a label less than 1. Other infinite logits are left open (the
    formula in use decides between the limit and NaN).
    Raises: ``ValueError`` if the shapes differ, or if ``reduction`` is unknown.
    Source: Bishop (2006), eq. 4.90 and 4.59; the texts, 004 §3.3.
    """
    require_shape(target, "target", logits.shape)
    softplus = np.maximum(-logits, 0.0) + np.log1p(np.exp(-np.abs(logits)))
    return reduced((1.0 - target) * logits + softplus, reduction)


def vjp(dy: Array, logits: Array, target: Array, *, reduction: str = "mean") -> Gradients:
    r""":math:`dx = (\sigma(x) - t) \, dy`, divided by the number of elements where the mean is taken."""
    exponential = np.exp(-np.abs(logits))
    sigmoid = np.where(logits < 0.0, exponential, np.ones_like(exponential)) / (1.0 + exponential)
    return {"logits": (sigmoid - target) * spread(dy, logits.shape, reduction)}


def samples(stream: Stream) -> Iterator[Sample]:
    """Hard and soft labels, reductions, logits up to ±1000, a logit of zero."""

    # Few elements have small logits, so that the result is not small by chance. Soft labels meet moderate logits only: the
    # formulas in use, max(x, 0) - t x + log(1 + exp(-|x|)) and the one above, lose different digits where one of their terms is
    # large beside the result.
    def pair(name: str, *shape: int, spread: float = 3.0, soft: bool = False) -> dict[str, Array]:
        draw = sixteenths if soft else bits
        return {"logits": stream(name).uniform(shape, -spread, spread), "target": draw(stream(name), shape)}

    none = {"reduction": "none"}
    yield Sample(name="plain_rows", inputs=pair("plain_rows", 5, 7))
    yield Sample(name="labels_soft", inputs=pair("labels_soft", 5, 7, soft=True))
    yield Sample(name="labels_soft_none", inputs=pair("labels_soft_none", 5, 7, soft=True), keywords=none)
    yield Sample(name="labels_all_one", inputs={**pair("labels_all_one", 5, 7), "target": np.ones((5, 7))})
    yield Sample(name="labels_all_zero", inputs={**pair("labels_all_zero", 5, 7), "target": np.zeros((5, 7))})
    yield Sample(name="reduction_sum", inputs=pair("reduction_sum", 5, 7), keywords={"reduction": "sum"})
    yield Sample(name="reduction_none", inputs=pair("reduction_none", 5, 7), keywords=none)
    yield Sample(name="size_large", inputs=pair("size_large", 64, 128, spread=6.0))
    yield Sample(name="size_large_none", inputs=pair("size_large_none", 64, 128, spread=6.0), keywords=none)
    for width in (1, 2, 3, 8, 17, 127, 513):
        yield Sample(name=f"width_{width}", inputs=pair(f"width_{width}", 2, width, spread=1.0))
    yield Sample(name="rank_one", inputs=pair("rank_one", 7, spread=1.0))
    yield Sample(name="rank_three", inputs=pair("rank_three", 3, 4, 5))
    yield Sample(name="rank_three_none", inputs=pair("rank_three_none", 3, 4, 5, soft=True), keywords=none)
    yield Sample(name="unit_batch", inputs=pair("unit_batch", 1, 7, spread=1.0))
    yield Sample(name="unit_column", inputs=pair("unit_column", 7, 1, spread=1.0))
    yield Sample(name="empty_batch_none", inputs=pair("empty_batch_none", 0, 7), keywords=none)
    yield from with_each(
        Sample(name="unit_everything", inputs=pair("unit_everything", 1, 1, spread=1.0)), [{"reduction": "sum"}, none]
    )
    yield from long_samples(lambda name, length: pair(name, length, spread=1.0), "vector")
    yield Sample(name="strided_transposed", inputs=pair("strided_transposed", 5, 7), memory="transposed")
    yield Sample(name="strided_sliced", inputs=pair("strided_sliced", 5, 7), memory="sliced")
    yield Sample(name="magnitude_spread_60", inputs=pair("magnitude_spread_60", 64, 128, spread=60.0), keywords=none)
    large = pair("magnitude_spread_1000", 5, 7, spread=950.0)
    large["logits"] = large["logits"] + np.copysign(50.0, large["logits"])
    yield Sample(name="magnitude_spread_1000", inputs=large)
    ends = asarray([-1000.0, -104.0, -89.0, -88.0, 88.0, 89.0, 104.0, 1000.0])
    inputs = {"logits": np.stack([ends, ends]), "target": np.repeat([[0.0], [1.0]], 8, axis=1)}
    yield Sample(name="magnitude_1000", inputs=inputs, keywords=none)
    inputs = {"logits": np.zeros((2, 5)), "target": np.stack([np.arange(5) / 4.0, bits(stream("zero_logits"), (5,))])}
    yield Sample(name="zero_logits", inputs=inputs, keywords=none)
    inputs = pair("nan_each_lane", 9, 9)
    np.fill_diagonal(inputs["logits"], np.nan)
    yield Sample(name="nan_each_lane", inputs=inputs, keywords=none)
    inputs = pair("nan_mean", 5, 7)
    inputs["logits"][2, 3] = np.nan
    yield Sample(name="nan_mean", inputs=inputs, expected={"y": asarray(np.nan)})
    infinite = {"logits": asarray([np.inf, np.inf]), "target": asarray([0.0, 0.5])}
    expected = {"y": asarray([np.inf, np.inf])}
    yield Sample(name="infinity_positive", inputs=infinite, keywords=none, expected=expected, required=False)


def workload(stream: Stream, size: str) -> Sample:
    """Logits of both signs, and labels 0 and 1."""
    return Sample(name=size, inputs={"logits": ordinary(stream("logits"), PLANES[size]), "target": bits(stream, PLANES[size])})


def work(logits: Array, target: Array, *, reduction: str = "mean") -> Work:
    """An exponential and a logarithm of one more, a maximum, a difference, a product and two sums.

    Back, a sum and a quotient for the sigmoid from that exponential, a difference and a product.
    """
    numbers = count(logits)
    terms = Work(flops=5 * numbers, transcendentals=2 * numbers, backward_flops=4 * numbers)
    return terms + reduction_work(numbers, reduction)


OPERATION = Operation(
    function=binary_cross_entropy_with_logits,
    vjp=vjp,
    samples=samples,
    family="loss",
    differentiable=("logits",),
    documents=("004 §3.3",),
    workload=workload,
    work=work,
)
