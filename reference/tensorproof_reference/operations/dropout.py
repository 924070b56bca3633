"""Dropout: see ``dropout``."""

from collections.abc import Iterator

from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.operations._masks import mask_samples, masked
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def dropout(x: Array, *, rate: float = 0.5, training: bool = True, seed: int = 0) -> Array:
    r"""Each element zeroed with probability ``rate``, the survivors scaled to keep the mean:
    :math:`y = m x / (1 - p)` with :math:`m = 0` with probability p and 1 otherwise, drawn for each element on its own.

    At inference (``training=False``) and at rate 0 the result is ``x``. At rate 1 it is zero everywhere. The same seed draws
    the same mask. The draw itself is free: a backend's mask is not the reference's. So in training at a rate between 0 and 1
    the result is judged as a distribution, by samples of class ``statistics``, whose ``x`` is nowhere 0. Otherwise it is judged
    by value.

    Shapes: ``x`` and the result are any shape.
    Special values: where the result is ``x``, NaN, ±∞ and the sign of zero stay.
    Raises: ``ValueError`` if ``rate`` is outside [0, 1] or ``seed`` is negative.
    Source: Srivastava et al. (2014), §10 (inverted dropout); the texts, 000 §6.
    """
    return masked(x, x.shape, "dropout", rate=rate, training=training, seed=seed)


def vjp(dy: Array, x: Array, *, rate: float = 0.5, training: bool = True, seed: int = 0) -> Gradients:
    r""":math:`dx = m\, dy / (1 - p)`: dropout of the cotangent, with the mask that ``x`` had."""
    return {"x": dropout(dy, rate=rate, training=training, seed=seed)}


def samples(stream: Stream) -> Iterator[Sample]:
    """Matrices, and arrays of other ranks at inference."""
    inference = {"size_large": (64, 128), "rank_zero": (), "rank_one": (17,), "rank_four": (2, 3, 4, 5), "unit_axes": (1, 1)}
    statistics = {"statistics_rate_03": (0.3, (250, 400)), "statistics_rate_08": (0.8, (250, 400))}
    yield from mask_samples(stream, plain=(5, 7), inference=inference, positions=(), statistics=statistics)


OPERATION = Operation(function=dropout, vjp=vjp, samples=samples, family="random", random=True, documents=("000 §6",))
