"""Triplet margin loss: see ``triplet_margin``."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require_choice, require_shape
from tensorproof_reference.losses._reduction import REDUCTIONS, reduced, spread
from tensorproof_reference.losses._samples import NONE, PLAIN, WIDE, loss_samples
from tensorproof_reference.losses._workloads import CLASSES, reduction_work
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._workloads import count
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

PLACEMENTS = ("difference", "root")


def triplet_margin(
    anchor: Array,
    positive: Array,
    negative: Array,
    *,
    margin: float = 1.0,
    swap: bool = False,
    epsilon: float = 1e-6,
    epsilon_placement: str = "difference",
    reduction: str = "mean",
) -> Array:
    r"""How much nearer, by a margin m, a positive example should be than a negative one:
    :math:`y = \max(0, d(a, p) - d(a, n) + m)`.

    d is the Euclidean distance. With ``epsilon_placement="difference"``, as in PyTorch, ε is added to each difference:
    :math:`d(a, b) = \sqrt{\sum_k (a_k - b_k + ε)^2}`; with ``root``, as in Optax, to the sum:
    :math:`d(a, b) = \sqrt{\sum_k (a_k - b_k)^2 + ε}`. With ``swap`` the negative's distance is the smaller one of those from
    anchor and positive.

    Shapes: ``anchor``, ``positive`` and ``negative`` (N, D), or (D). The result is the mean or sum over triplets, or (N), or a
    scalar, for ``reduction="none"``.
    Special values: NaN in any gives NaN. An infinite negative gives 0, and an infinite positive +∞.
    Raises: ``ValueError`` if the shapes differ, or if a keyword is unknown.
    Source: Schroff, Kalenichenko & Philbin (2015), eq. 1; Balntas et al. (2016), section 3.2 (``swap``).
    """
    short, *_ = _short(anchor, positive, negative, margin, swap, epsilon, epsilon_placement)
    return reduced(np.maximum(short, 0.0), reduction)


def vjp(
    dy: Array,
    anchor: Array,
    positive: Array,
    negative: Array,
    *,
    margin: float = 1.0,
    swap: bool = False,
    epsilon: float = 1e-6,
    epsilon_placement: str = "difference",
    reduction: str = "mean",
) -> Gradients:
    r"""Where the margin falls short: :math:`da = (u_p - u_n) \, dy`, :math:`dp = -u_p \, dy` and :math:`dn = u_n \, dy`, with u
    the unit vectors from each to the anchor, :math:`(a - b)/d(a, b)`; else 0. With ``swap``, u_n starts where its distance
    does."""
    short, to_positive, to_negative, swapped = _short(anchor, positive, negative, margin, swap, epsilon, epsilon_placement)
    dy = np.where(short > 0, spread(dy, short.shape, reduction), 0.0)[..., None]
    if swapped is None:
        return {"anchor": (to_positive - to_negative) * dy, "positive": -to_positive * dy, "negative": to_negative * dy}
    nothing = np.zeros_like(to_negative)
    return {
        "anchor": (to_positive - np.where(swapped, nothing, to_negative)) * dy,
        "positive": -(to_positive + np.where(swapped, to_negative, nothing)) * dy,
        "negative": to_negative * dy,
    }


def _distance(a: Array, b: Array, epsilon: float, placement: str) -> tuple[Array, Array]:
    """The distance of two vectors, and its gradient to the first."""
    difference = a - b + epsilon if placement == "difference" else a - b
    squares = np.sum(np.square(difference), axis=-1)
    distance = np.sqrt(squares if placement == "difference" else squares + epsilon)
    return distance, difference / distance[..., None]


def _short(
    anchor: Array, positive: Array, negative: Array, margin: float, swap: bool, epsilon: float, placement: str
) -> tuple[Array, Array, Array, Array | None]:
    """By how much the margin falls short, both unit vectors, and where the negative's starts at the positive."""
    require_shape(positive, "positive", anchor.shape)
    require_shape(negative, "negative", anchor.shape)
    require_choice(placement, "epsilon_placement", PLACEMENTS)
    near, to_positive = _distance(anchor, positive, epsilon, placement)
    far, to_negative = _distance(anchor, negative, epsilon, placement)
    if not swap:
        return near - far + margin, to_positive, to_negative, None
    other, from_positive = _distance(positive, negative, epsilon, placement)
    nearer = other < far
    unit = np.where(nearer[..., None], from_positive, to_negative)
    return near - np.minimum(far, other) + margin, to_positive, unit, nearer[..., None]


def _triplets(stream: Stream, shape: tuple[int, ...]) -> dict[str, Array]:
    """The positive at a distance of about 1, the negative at about 1/4 or 3, on the same side but for every eighth number.

    So no margin is nearly met, and the far negative is clearly nearer to the positive.
    """
    anchor = stream("anchor").normal(shape)
    sides = 2.0 * stream("sides").integers(shape, 0, 2) - 1.0
    step = sides * stream("steps").uniform(shape, 0.75, 1.25) / np.sqrt(shape[-1])
    turned = np.where(np.arange(shape[-1]) % 8 == 0, -1.0, 1.0)
    near = stream("near").integers(shape[:-1], 0, 2) == 1
    times = np.where(near, 0.25, 3.0)[..., None] * stream("times").uniform(shape, 0.9, 1.1)
    return {"anchor": anchor, "positive": anchor + step, "negative": anchor + times * turned * step}


def samples(stream: Stream) -> Iterator[Sample]:
    """Those of every loss; margins; the swap; large and small distances; where ε shows."""
    yield from loss_samples(
        stream, _triplets, of_rows=True, ranks=((7,),), lanes=("anchor", "positive", "negative"), nan_gradient=False
    )
    others: dict[str, dict[str, Any]] = {
        "margin_quarter": {"margin": 0.25},
        "margin_ten": {"margin": 10.0},
        "swap": {"swap": True, "margin": 10.0},
        "epsilon_tenth": {"epsilon": 0.125},
    }
    for word, keywords in others.items():
        for reduction in REDUCTIONS:
            name = f"plain_{word}_{reduction}"
            yield Sample(name=name, inputs=_triplets(stream(name), PLAIN), keywords={**keywords, "reduction": reduction})
    for placement in PLACEMENTS:
        for epsilon, word in ((1e-6, ""), (0.125, "_large")):
            name = f"convention_{placement}{word}"
            keywords = {"epsilon_placement": placement, "epsilon": epsilon, **NONE}
            yield Sample(name=name, inputs=_triplets(stream(name), PLAIN), keywords=keywords, required=False)
    for scale, word, margin in ((1e10, "1e10", 1.0), (2.0**-10, "2_to_minus_10", 2.0**-12)):
        name = f"magnitude_{word}"
        inputs = {key: scale * value for key, value in _triplets(stream(name), PLAIN).items()}
        yield Sample(name=name, inputs=inputs, keywords={"margin": margin, **NONE}, dtypes=WIDE if scale > 1 else ("float64",))
    for key in ("positive", "negative"):
        name = f"infinity_{key}"
        infinite = _triplets(stream(name), PLAIN)
        infinite[key][2, 3] = np.inf
        yield Sample(name=name, inputs=infinite, keywords=NONE, gradient=False)


def workload(stream: Stream, size: str) -> Sample:
    """Vectors of a thousand numbers."""
    return Sample(name=size, inputs=_triplets(stream, CLASSES[size]))


def work(
    anchor: Array,
    positive: Array,
    negative: Array,
    *,
    margin: float = 1.0,
    swap: bool = False,
    epsilon: float = 1e-6,
    epsilon_placement: str = "difference",
    reduction: str = "mean",
) -> Work:
    """For each distance and number two sums, a square and their sum, and a root; back, a quotient and a product, and a sum for
    the anchor."""
    numbers = count(anchor)
    rows = numbers // anchor.shape[-1]
    distances = 3 if swap else 2
    terms = Work(
        flops=distances * (4 * numbers - rows) + 3 * rows,
        transcendentals=distances * rows,
        backward_flops=5 * numbers,
    )
    return terms + reduction_work(rows, reduction)


OPERATION = Operation(
    function=triplet_margin,
    vjp=vjp,
    samples=samples,
    family="loss",
    profile=EXTENDED,
    differentiable=("anchor", "positive", "negative"),
    conventions={"epsilon_placement": PLACEMENTS},
    workload=workload,
    work=work,
)
