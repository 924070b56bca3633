"""Logistic loss of labels -1 and 1: see ``soft_margin``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require_shape
from tensorproof_reference.losses._draw import bits
from tensorproof_reference.losses._reduction import reduced, spread
from tensorproof_reference.losses._samples import FINE, NONE, PLAIN, WIDE, each_by_itself, loss_samples, normal
from tensorproof_reference.losses._workloads import reduction_work
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work, asarray
from tensorproof_reference.operations._workloads import PLANES, count, ordinary
from tensorproof_reference.operations.sigmoid import sigmoid
from tensorproof_reference.operations.softplus import softplus
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def soft_margin(scores: Array, labels: Array, *, reduction: str = "mean") -> Array:
    r"""The logistic loss: :math:`y = \log(1 + e^{-l h})` for scores h and labels l = ±1.

    It is :math:`\max(-l h, 0) + \log(1 + e^{-|l h|})`, which nothing overflows.

    Shapes: ``scores`` and ``labels`` have the same shape, of any rank; labels are -1.0 and 1.0, in the scores' dtype. The result
    is a scalar, or of that shape for ``reduction="none"``.
    Special values: NaN gives NaN; an infinite score gives 0 on the label's side and +∞ on the other.
    Raises: ``ValueError`` if the shapes differ, or if ``reduction`` is unknown.
    Source: Hastie, Tibshirani & Friedman (2009), eq. 10.18 (deviance).
    """
    require_shape(labels, "labels", scores.shape)
    return reduced(softplus(-labels * scores), reduction)


def vjp(dy: Array, scores: Array, labels: Array, *, reduction: str = "mean") -> Gradients:
    r""":math:`dh = -l \, dy / (1 + e^{l h})`, divided by the number of elements where the mean is taken."""
    return {"scores": -labels * sigmoid(-labels * scores) * spread(dy, scores.shape, reduction)}


def _signs(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Labels -1.0 and 1.0."""
    return 2.0 * bits(stream, shape) - 1.0


def samples(stream: Stream) -> Iterator[Sample]:
    """Those of every loss; scores far on the right side and far on the wrong one."""

    def pair(name: str, low: float, high: float) -> dict[str, Array]:
        return {"scores": stream(name).uniform(PLAIN, low, high), "labels": _signs(stream(name), PLAIN)}

    yield from loss_samples(stream, each_by_itself({"scores": normal, "labels": _signs}), lanes=("scores",))
    for sign, word in ((1.0, "one"), (-1.0, "minus_one")):
        name = f"labels_all_{word}"
        yield Sample(name=name, inputs={**pair(name, -4.0, 4.0), "labels": np.full(PLAIN, sign)}, keywords=NONE)
    yield Sample(name="magnitude_tens", inputs=pair("magnitude_tens", -10.0, 10.0), keywords=NONE, dtypes=FINE)
    yield Sample(name="magnitude_thousand", inputs=pair("magnitude_thousand", -1e3, 1e3), keywords=NONE, dtypes=FINE)
    # On the wrong side only, where the loss is the score.
    wrong = pair("magnitude_wrong_side", 20.0, 1e3)
    yield Sample(name="magnitude_wrong_side", inputs={**wrong, "labels": np.full(PLAIN, -1.0)}, keywords=NONE)
    yield Sample(name="magnitude_1e30", inputs=pair("magnitude_1e30", -1e30, 1e30), keywords=NONE, dtypes=WIDE)
    yield Sample(name="zero_scores", inputs={**pair("zero_scores", 0.0, 1.0), "scores": np.zeros(PLAIN)}, keywords=NONE)
    infinite = {"scores": asarray([np.inf, np.inf, -np.inf, -np.inf]), "labels": asarray([1.0, -1.0, 1.0, -1.0])}
    expected = {"y": asarray([0.0, np.inf, np.inf, 0.0])}
    yield Sample(name="infinity_none", inputs=infinite, keywords=NONE, expected=expected)


def workload(stream: Stream, size: str) -> Sample:
    """Scores and labels."""
    scores = ordinary(stream("scores"), PLANES[size])
    return Sample(name=size, inputs={"scores": scores, "labels": _signs(stream, PLANES[size])})


def work(scores: Array, labels: Array, *, reduction: str = "mean") -> Work:
    """A product and the logistic function's integral; back, a sigmoid and two products."""
    numbers = count(scores)
    terms = Work(flops=6 * numbers, transcendentals=2 * numbers, backward_flops=4 * numbers, backward_transcendentals=numbers)
    return terms + reduction_work(numbers, reduction)


OPERATION = Operation(
    function=soft_margin,
    vjp=vjp,
    samples=samples,
    family="loss",
    profile=EXTENDED,
    differentiable=("scores",),
    workload=workload,
    work=work,
)
