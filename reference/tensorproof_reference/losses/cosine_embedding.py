"""Cosine embedding loss: see ``cosine_embedding``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require, require_shape
from tensorproof_reference.losses._reduction import REDUCTIONS, reduced, spread
from tensorproof_reference.losses._samples import FINE, NONE, PLAIN, WIDE, loss_samples
from tensorproof_reference.losses._workloads import CLASSES, reduction_work
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work, asarray
from tensorproof_reference.operations._workloads import count
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

EPSILONS = (0.0, 1e-12)


def cosine_embedding(
    first: Array, second: Array, labels: Array, *, margin: float = 0.0, epsilon: float = 0.0, reduction: str = "mean"
) -> Array:
    r"""How far two vectors are from the same direction, or from other ones: with :math:`c = a \cdot b / (|a| |b|)`,
    :math:`y = 1 - c` for label 1, and :math:`\max(0, c - m)` for label -1.

    m is ``margin``, from -1 to 1. PyTorch adds an ε to squares of norms: :math:`c = a \cdot b / \sqrt{(|a|^2 + ε)(|b|^2 + ε)}`,
    with ``epsilon`` 1e-12.

    Shapes: ``first`` and ``second`` (N, D), or (D); ``labels`` (N), or a scalar: -1.0 and 1.0. The result is the mean or sum over
    pairs, or has the shape of ``labels`` for ``reduction="none"``.
    Special values: NaN gives NaN. A vector of zeros or with an infinity has no direction: frameworks differ, and no sample asks.
    Raises: ``ValueError`` if the shapes do not fit, if the margin is out of range, or if ``reduction`` is unknown.
    Source: Hadsell, Chopra & LeCun (2006), eq. 4, with the cosine for the distance; PyTorch's ``CosineEmbeddingLoss``.
    """
    require_shape(second, "second", first.shape)
    require_shape(labels, "labels", first.shape[:-1])
    require(-1 <= margin <= 1, "margin", "a number from -1 to 1", margin)
    cosine, _, _ = _cosine(first, second, epsilon)
    return reduced(np.where(labels > 0, 1.0 - cosine, np.maximum(cosine - margin, 0.0)), reduction)


def vjp(
    dy: Array, first: Array, second: Array, labels: Array, *, margin: float = 0.0, epsilon: float = 0.0, reduction: str = "mean"
) -> Gradients:
    r""":math:`dc = -dy` for label 1, and :math:`dy` for label -1 where :math:`c > m`;
    :math:`da = (b/(|a| |b|) - c\, a/|a|^2) \, dc`, and the same for b with both exchanged."""
    cosine, norm_first, norm_second = _cosine(first, second, epsilon)
    dy = spread(dy, labels.shape, reduction)
    d_cosine = np.where(labels > 0, -dy, np.where(cosine - margin > 0, dy, 0.0))[..., None]
    unit_first, unit_second = first / norm_first[..., None], second / norm_second[..., None]
    along = cosine[..., None]
    return {
        "first": (unit_second - along * unit_first) / norm_first[..., None] * d_cosine,
        "second": (unit_first - along * unit_second) / norm_second[..., None] * d_cosine,
    }


def _cosine(first: Array, second: Array, epsilon: float) -> tuple[Array, Array, Array]:
    """The cosine of each pair, and both norms: with ε, the roots of what the cosine is divided by."""
    norm_first, norm_second = (np.sqrt(np.sum(np.square(x), axis=-1) + epsilon) for x in (first, second))
    return np.sum(first * second, axis=-1) / (norm_first * norm_second), norm_first, norm_second


def _pairs(stream: Stream, shape: tuple[int, ...]) -> dict[str, Array]:
    """Vectors whose cosine is about ±0.8, as every other number is 1/4 or 7/4 of the other's: none is near 0, 1/2 or 1."""
    first = (2.0 * stream("sides").integers(shape, 0, 2) - 1.0) * stream("first").uniform(shape, 0.5, 1.5)
    sign = 2.0 * stream("sign").integers(shape[:-1], 0, 2) - 1.0
    length = sign * stream("length").uniform(shape[:-1], 0.5, 2.0)
    away = np.resize(np.array((0.25, 1.75)), shape[-1])
    labels = 2.0 * stream("labels").integers(shape[:-1], 0, 2) - 1.0
    return {"first": first, "second": length[..., None] * first * away, "labels": asarray(labels)}


def samples(stream: Stream) -> Iterator[Sample]:
    """Those of every loss, but for vectors of one number, whose cosine is ±1; margins; long and short vectors."""
    widths = (2, 3, 8, 17, 127, 513)
    yield from loss_samples(
        stream, _pairs, of_rows=True, widths=widths, ranks=((7,),), lanes=("first", "second"), nan_gradient=False
    )
    for margin, word in ((0.5, "half"), (-0.5, "minus_half")):
        for reduction in REDUCTIONS:
            name = f"plain_margin_{word}_{reduction}"
            yield Sample(name=name, inputs=_pairs(stream(name), PLAIN), keywords={"margin": margin, "reduction": reduction})
    for sign, word in ((1.0, "alike"), (-1.0, "unlike")):
        name = f"labels_all_{word}"
        yield Sample(name=name, inputs={**_pairs(stream(name), PLAIN), "labels": np.full(5, sign)}, keywords=NONE)
    for scale, word, dtypes in ((100.0, "100", FINE), (1e10, "1e10", WIDE), (1e-3, "milli", WIDE)):
        name = f"magnitude_{word}"
        inputs = _pairs(stream(name), PLAIN)
        yield Sample(name=name, inputs={**inputs, "first": scale * inputs["first"]}, keywords=NONE, dtypes=dtypes)
    infinite = _pairs(stream("infinity_one_number"), PLAIN)
    infinite["first"][2, 3] = np.inf
    yield Sample(name="infinity_one_number", inputs=infinite, keywords=NONE, gradient=False)
    for epsilon, word in zip(EPSILONS, ("without", "1e_minus_12"), strict=True):
        name = f"convention_epsilon_{word}"
        short = {key: value if key == "labels" else 2.0**-8 * value for key, value in _pairs(stream(name), PLAIN).items()}
        keywords = {"epsilon": epsilon, **NONE}
        yield Sample(name=name, inputs=short, keywords=keywords, required=False, dtypes=("float64", "float32"))
    right = {
        "first": asarray([[1.0, 0.0], [3.0, 4.0]]),
        "second": asarray([[0.0, 2.0], [-4.0, 3.0]]),
        "labels": asarray([1.0, 1.0]),
    }
    yield Sample(name="zero_cosine", inputs=right, keywords={"margin": -0.5, **NONE}, expected={"y": asarray([1.0, 1.0])})


def workload(stream: Stream, size: str) -> Sample:
    """Vectors of a thousand numbers."""
    return Sample(name=size, inputs=_pairs(stream, CLASSES[size]))


def work(
    first: Array, second: Array, labels: Array, *, margin: float = 0.0, epsilon: float = 0.0, reduction: str = "mean"
) -> Work:
    """Three products for each number and their sums; two roots, a product and a quotient. Back, eight for each number."""
    numbers, rows = count(first), count(labels)
    terms = Work(flops=6 * numbers - rows, transcendentals=2 * rows, backward_flops=8 * numbers + 4 * rows)
    return terms + reduction_work(rows, reduction)


OPERATION = Operation(
    function=cosine_embedding,
    vjp=vjp,
    samples=samples,
    family="loss",
    profile=EXTENDED,
    differentiable=("first", "second"),
    conventions={"epsilon": EPSILONS},
    workload=workload,
    work=work,
)
