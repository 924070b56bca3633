"""Shuffling: see ``shuffle``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require
from tensorproof_reference.initializers._draws import require_seed
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def shuffle(x: Array, *, seed: int = 0) -> Array:
    r"""The rows of ``x`` in random order: :math:`y_j = x_{\pi(j)}`, with each permutation :math:`\pi` equally probable.

    Rows (all that lies behind the first axis) stay whole, and are copied bit by bit. The same seed draws the same permutation;
    the draw itself is free, and judged as a distribution.

    Shapes: ``x`` and the result are any shape of rank ≥ 1.
    Special values: none.
    Raises: ``ValueError`` if ``x`` has no axis or ``seed`` is negative.
    Source: Bottou (2012); the texts, 000 §4.2.1.
    """
    require(x.ndim >= 1, "x", "an array with at least 1 axis", f"shape {x.shape}")
    require_seed(seed)
    return x[Stream(seed)("shuffle").permutation(x.shape[0])]


def samples(stream: Stream) -> Iterator[Sample]:
    """Numbers, and rows of several; the first of each row says which row it is, exactly in 24 bits."""
    numbers = np.arange(100_000.0)
    yield Sample(name="statistics_numbers", inputs={"x": numbers}, keywords={"seed": 1}, gradient=False)
    rows = np.arange(60_006.0).reshape(10_001, 2, 3)
    yield Sample(name="statistics_rows", inputs={"x": rows}, keywords={"seed": 2}, gradient=False)


OPERATION = Operation(
    function=shuffle,
    vjp=None,
    samples=samples,
    family="initializer",
    differentiable=(),
    cotangents=(),
    random=True,
    documents=("000 §4.2.1",),
)
