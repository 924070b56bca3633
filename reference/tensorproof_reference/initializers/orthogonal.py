"""Orthogonal initialiser: see ``orthogonal``."""

import math
from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require
from tensorproof_reference.distributions import Distribution, sphere_distribution
from tensorproof_reference.initializers._draws import AXES, draw_normal, draw_samples
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def orthogonal(like: Array, *, gain: float = 1.0, seed: int = 0) -> Array:
    r"""A random orthogonal matrix times ``gain``: :math:`W W^T = g^2 I`, or :math:`W^T W = g^2 I` if it is
    taller than wide.

    All such matrices are equally probable: it is the factor Q of a matrix of normal numbers, its columns multiplied by the signs
    of the diagonal of R. Left out, the signs on Q's diagonal are those that the algorithm prefers. A kernel is taken as a matrix
    with a row for each output. Only the shape and dtype of ``like`` matter. The same seed draws the same numbers; the draw itself
    is free, and judged as a distribution.

    Shapes: ``like`` and the result are (outputs, inputs, …), followed by the axes of the kernel.
    Special values: none; the result is finite.
    Raises: ``ValueError`` if ``like`` has fewer than two axes, ``gain`` is not positive or ``seed`` is negative.
    Source: Saxe, McClelland & Ganguli (2014), §3; Mezzadri (2007) for the signs.
    """
    rows, columns = _matrix(like, gain)
    # In float64 whatever the dtype: its factors are rounded once.
    tall = np.zeros((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(draw_normal(tall, 0.0, 1.0, seed, "orthogonal"))
    q = q * np.sign(np.diagonal(r))
    return (gain * (q if rows >= columns else q.T)).reshape(like.shape).astype(like.dtype)


def _matrix(like: Array, gain: float) -> tuple[int, int]:
    """The shape of the matrix, once the arguments are checked."""
    require(like.ndim >= 2, "like", "an array with at least 2 axes", f"shape {like.shape}")
    require(gain > 0, "gain", "a positive number", gain)
    return like.shape[0], math.prod(like.shape[1:])


def distribution_of(like: Array, *, gain: float = 1.0, seed: int = 0) -> Distribution:
    """Of each element: a coordinate of a point on a sphere, in as many dimensions as the longer side is long."""
    return sphere_distribution(max(_matrix(like, gain)), gain)


def samples(stream: Stream) -> Iterator[Sample]:
    """Wide and tall matrices, a kernel, another gain."""
    yield from draw_samples(("gain_of_relu", {"gain": 2.0**0.5}))


OPERATION = Operation(
    function=orthogonal,
    vjp=None,
    samples=samples,
    family="initializer",
    differentiable=(),
    cotangents=(),
    axes=AXES,
    random=True,
    distribution=distribution_of,
)
