"""Dice loss: see ``dice``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require, require_choice, require_shape
from tensorproof_reference.losses._draw import bits, sixteenths
from tensorproof_reference.losses._reduction import reduced, spread
from tensorproof_reference.losses._samples import FINE, NONE, PLAIN, each_by_itself, loss_samples
from tensorproof_reference.losses._workloads import reduction_work
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work, asarray
from tensorproof_reference.operations._workloads import PLANES, count
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

PLACEMENTS = ("both", "denominator")


def dice(
    probabilities: Array,
    target: Array,
    *,
    epsilon: float = 1e-7,
    epsilon_placement: str = "both",
    reduction: str = "mean",
) -> Array:
    r"""How little two sets overlap: :math:`y_n = 1 - (2 \sum_i p_i t_i + ε) / (\sum_i p_i + \sum_i t_i + ε)`.

    The sums are over all axes but the first: each n has a loss of its own. With ``epsilon_placement="denominator"``, as in Keras,
    the numerator has no ε.

    Shapes: ``probabilities`` and ``target`` have one shape, of rank 2 or more. The result is the mean or sum over the first axis,
    or (N) for ``reduction="none"``.
    Special values: two empty sets have loss 0, by ε, or 1 if only the denominator has it. NaN in either gives NaN.
    Raises: ``ValueError`` if the shapes differ, if there are fewer than two axes, if ε is not positive, or if a keyword is
    unknown.
    Source: Sudre, Li, Vercauteren, Ourselin & Cardoso (2017), section 2.1, which has ε in both, or in the denominator only.
    """
    common, both = _sums(probabilities, target, epsilon, epsilon_placement)
    return reduced(1.0 - common / both, reduction)


def vjp(
    dy: Array,
    probabilities: Array,
    target: Array,
    *,
    epsilon: float = 1e-7,
    epsilon_placement: str = "both",
    reduction: str = "mean",
) -> Gradients:
    r"""With c the numerator and b the denominator: :math:`dp_i = (c/b - 2 t_i) / b \, dy`; for t likewise."""
    common, both = _sums(probabilities, target, epsilon, epsilon_placement)
    rows = (slice(None), *[None] * (probabilities.ndim - 1))
    share, each = (common / both)[rows], (spread(dy, common.shape, reduction) / both)[rows]
    return {"probabilities": (share - 2.0 * target) * each, "target": (share - 2.0 * probabilities) * each}


def _sums(probabilities: Array, target: Array, epsilon: float, placement: str) -> tuple[Array, Array]:
    """Numerator and denominator."""
    require_shape(target, "target", probabilities.shape)
    require(probabilities.ndim >= 2, "probabilities", "an array with 2 axes or more", f"shape {probabilities.shape}")
    require(epsilon > 0, "epsilon", "a positive number", epsilon)
    require_choice(placement, "epsilon_placement", PLACEMENTS)
    axes = tuple(range(1, probabilities.ndim))
    both = np.sum(probabilities, axis=axes) + np.sum(target, axis=axes)
    common = 2.0 * np.sum(probabilities * target, axis=axes)
    return common + epsilon if placement == "both" else common, both + epsilon


def _shares(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Between 1/16 and 15/16."""
    return stream("shares").uniform(shape, 0.0625, 0.9375)


def samples(stream: Stream) -> Iterator[Sample]:
    """Those of every loss; other epsilons; soft targets; empty, equal and separate sets."""

    def pair(name: str) -> dict[str, Array]:
        return {"probabilities": _shares(stream(name), PLAIN), "target": bits(stream(name), PLAIN)}

    draws = each_by_itself({"probabilities": _shares, "target": bits})
    yield from loss_samples(stream, draws, of_rows=True, ranks=((3, 4, 5), (2, 3, 4, 5)), lanes=("probabilities",))
    for placement in PLACEMENTS:
        for word, epsilon in (("one", 1.0), ("thousandth", 0.0009765625)):
            for reduction in ("mean", "none"):
                name = f"epsilon_{placement}_{word}_{reduction}"
                keywords = {"epsilon": epsilon, "epsilon_placement": placement, "reduction": reduction}
                yield Sample(name=name, inputs=pair(name), keywords=keywords)
    yield Sample(
        name="convention_denominator", inputs=pair("convention_denominator"), keywords={"epsilon_placement": "denominator"}
    )
    name = "labels_soft"
    yield Sample(name=name, inputs={**pair(name), "target": sixteenths(stream(name), PLAIN)}, keywords=NONE)
    equal = bits(stream("zero_equal_sets"), PLAIN)
    equal[:, 0] = 1.0
    yield Sample(name="zero_equal_sets", inputs={"probabilities": equal, "target": equal}, keywords={**NONE, "epsilon": 1.0})
    yield Sample(
        name="bounds_separate_sets",
        inputs={"probabilities": equal, "target": 1.0 - equal},
        keywords={**NONE, "epsilon": 0.5},
    )
    nothing = {"probabilities": np.zeros(PLAIN), "target": np.zeros(PLAIN)}
    yield Sample(
        name="zero_empty_sets",
        inputs=nothing,
        keywords={**NONE, "epsilon": 1.0},
        expected={"y": np.zeros(5)},
        exact_zero=("y",),
    )
    for placement, y in (("both", 0.0), ("denominator", 1.0)):
        yield Sample(
            name=f"zero_empty_sets_default_{placement}",
            inputs=nothing,
            keywords={**NONE, "epsilon_placement": placement},
            dtypes=("float64", "float32"),
            expected={"y": np.full(5, y)},
            gradient=False,
        )
    small = {**pair("magnitude_small"), "probabilities": np.full(PLAIN, 2.0**-12)}
    yield Sample(name="magnitude_small", inputs=small, dtypes=FINE)
    infinite = {"probabilities": asarray([[np.inf, 0.5], [0.25, 0.5]]), "target": asarray([[1.0, 0.0], [1.0, 0.0]])}
    yield Sample(name="infinity_none", inputs=infinite, keywords=NONE, gradient=False)


def workload(stream: Stream, size: str) -> Sample:
    """Masks with soft guesses."""
    return Sample(name=size, inputs={"probabilities": _shares(stream, PLANES[size]), "target": bits(stream, PLANES[size])})


def work(
    probabilities: Array,
    target: Array,
    *,
    epsilon: float = 1e-7,
    epsilon_placement: str = "both",
    reduction: str = "mean",
) -> Work:
    """A product and three sums; a quotient for each row; back, a product, a difference and a product for each number, twice."""
    numbers, rows = count(probabilities), probabilities.shape[0]
    return Work(flops=4 * numbers + 3 * rows, backward_flops=6 * numbers + rows) + reduction_work(rows, reduction)


OPERATION = Operation(
    function=dice,
    vjp=vjp,
    samples=samples,
    family="loss",
    profile=EXTENDED,
    differentiable=("probabilities", "target"),
    conventions={"epsilon_placement": PLACEMENTS},
    workload=workload,
    work=work,
)
