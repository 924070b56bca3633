"""Hinge loss: see ``hinge``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require_shape
from tensorproof_reference.losses._draw import bits
from tensorproof_reference.losses._reduction import reduced, spread
from tensorproof_reference.losses._workloads import reduction_work
from tensorproof_reference.operation import Operation, Sample, Work, asarray
from tensorproof_reference.operations._workloads import PLANES, count, ordinary
from tensorproof_reference.sample_kinds import long_samples, with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def hinge(scores: Array, labels: Array, *, reduction: str = "mean") -> Array:
    r"""How much the margin is below one: :math:`y = \max(0, 1 - l h)` for scores h and labels l = ±1, averaged over elements.

    Shapes: ``scores`` and ``labels`` have the same shape, of any rank; labels are -1.0 and 1.0, in the scores' dtype. The result
    is a scalar, or of that shape for ``reduction="none"``; the source texts' sum is ``"sum"``.
    Special values: NaN gives NaN; an infinite score gives 0 on the label's side and +∞ on the other.
    Raises: ``ValueError`` if the shapes differ, or if ``reduction`` is unknown.
    Source: Bishop (2006), eq. 7.44; the texts, 004 §3.3 (where it is called 动量误差).
    """
    require_shape(labels, "labels", scores.shape)
    return reduced(np.maximum(0.0, 1.0 - labels * scores), reduction)


def vjp(dy: Array, scores: Array, labels: Array, *, reduction: str = "mean") -> Gradients:
    r""":math:`dh = -l \, dy` where the margin falls short, l h < 1, else 0 (also at l h = 1), divided by the number of elements
    where the mean is taken."""
    dy = spread(dy, scores.shape, reduction)
    return {"scores": np.where(1.0 - labels * scores > 0.0, -labels * dy, 0.0)}


def samples(stream: Stream) -> Iterator[Sample]:
    """Scores on both sides of the margin, reductions, scores on the margin itself."""

    def pair(name: str, *shape: int) -> dict[str, Array]:
        """Scores in steps of 1/2, at least 1/4 away from the margin: exact in every dtype."""
        signs = stream(name)("labels").integers(shape, 0, 2) * 2.0 - 1.0
        return {"scores": stream(name)("scores").grid(shape, step=0.5) + 0.25, "labels": signs}

    none = {"reduction": "none"}
    yield Sample(name="plain_rows", inputs=pair("plain_rows", 5, 7))
    fine = pair("plain_fine", 5, 7)
    fine["scores"] = fine["scores"] + stream("plain_fine")("fine").uniform((5, 7), -0.125, 0.125)
    yield Sample(name="plain_fine", inputs=fine)
    yield Sample(name="labels_all_one", inputs={**pair("labels_all_one", 5, 7), "labels": np.ones((5, 7))})
    yield Sample(name="labels_all_minus_one", inputs={**pair("labels_all_minus_one", 5, 7), "labels": np.full((5, 7), -1.0)})
    yield Sample(name="reduction_sum", inputs=pair("reduction_sum", 5, 7), keywords={"reduction": "sum"})
    yield Sample(name="reduction_none", inputs=pair("reduction_none", 5, 7), keywords=none)
    yield Sample(name="size_large", inputs=pair("size_large", 64, 128))
    yield Sample(name="size_large_none", inputs=pair("size_large_none", 64, 128), keywords=none)
    for width in (1, 2, 3, 8, 17, 127, 513):
        yield Sample(name=f"width_{width}", inputs=pair(f"width_{width}", 2, width))
    yield Sample(name="rank_one", inputs=pair("rank_one", 7))
    yield Sample(name="rank_three", inputs=pair("rank_three", 3, 4, 5))
    yield Sample(name="rank_three_none", inputs=pair("rank_three_none", 3, 4, 5), keywords=none)
    yield Sample(name="unit_batch", inputs=pair("unit_batch", 1, 7))
    yield Sample(name="unit_column", inputs=pair("unit_column", 7, 1))
    yield Sample(name="empty_batch_none", inputs=pair("empty_batch_none", 0, 7), keywords=none)
    yield from with_each(Sample(name="unit_everything", inputs=pair("unit_everything", 1, 1)), [{"reduction": "sum"}, none])
    yield from long_samples(lambda name, length: pair(name, length), "vector")
    yield Sample(name="strided_transposed", inputs=pair("strided_transposed", 5, 7), memory="transposed")
    yield Sample(name="strided_sliced", inputs=pair("strided_sliced", 5, 7), memory="sliced")
    large = pair("magnitude_1000", 5, 7)
    large["scores"] = large["scores"] * 1024.0
    yield Sample(name="magnitude_1000", inputs=large)
    inputs = pair("nan_each_lane", 9, 9)
    np.fill_diagonal(inputs["scores"], np.nan)
    yield Sample(name="nan_each_lane", inputs=inputs, keywords=none, gradient=False)
    inputs = pair("nan_mean", 5, 7)
    inputs["scores"][2, 3] = np.nan
    yield Sample(name="nan_mean", inputs=inputs, expected={"y": asarray(np.nan)}, gradient=False)
    infinite = {"scores": asarray([np.inf, np.inf, -np.inf, -np.inf]), "labels": asarray([1.0, -1.0, 1.0, -1.0])}
    yield Sample(name="infinity_none", inputs=infinite, keywords=none, expected={"y": asarray([0.0, np.inf, np.inf, 0.0])})
    yield Sample(name="infinity_mean", inputs=infinite, expected={"y": asarray(np.inf)})
    kink = {"scores": asarray([1.0, -1.0]), "labels": asarray([1.0, -1.0])}
    expected = {"y": np.zeros(2)}
    yield Sample(name="kink_on_margin", inputs=kink, keywords=none, expected=expected, exact_zero=("y",), gradient=False)
    yield Sample(
        name="kink_on_margin_gradient",
        inputs=kink,
        keywords=none,
        expected={**expected, "d_scores": np.zeros(2)},
        exact_zero=("y", "d_scores"),
        required=False,
    )


def workload(stream: Stream, size: str) -> Sample:
    """Scores on either side of the margin, and at least 1/16 away from it."""
    labels = 2.0 * bits(stream, PLANES[size]) - 1.0
    return Sample(name=size, inputs={"scores": labels * (1.0 - ordinary(stream("short"), PLANES[size])), "labels": labels})


def work(scores: Array, labels: Array, *, reduction: str = "mean") -> Work:
    """A product, a difference and a maximum; back, a product with the label and one with 0 or 1."""
    numbers = count(scores)
    return Work(flops=3 * numbers, backward_flops=2 * numbers) + reduction_work(numbers, reduction)


OPERATION = Operation(
    function=hinge,
    vjp=vjp,
    samples=samples,
    family="loss",
    differentiable=("scores",),
    documents=("004 §3.3",),
    workload=workload,
    work=work,
)
