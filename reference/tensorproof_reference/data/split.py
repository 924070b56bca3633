"""Training and validation data: see ``split``."""

import math
from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def split(x: Array, *, validation_fraction: float = 0.2) -> tuple[Array, Array]:
    r"""The first rows for training and the last ones for validation, in order: of n rows the first
    :math:`\lfloor n (1 - f) \rfloor` are for training, evaluated in double precision.

    Shapes: ``x`` has at least one axis, of which the first is split; the result is a pair, (k, …) and (n - k, …).
    Special values: elements are copied bit by bit.
    Raises: ``ValueError`` if ``x`` has no axis or ``validation_fraction`` is outside [0, 1].
    Source: the texts, 000 §4.2.1 (``X[:800], X[800:]``); the documentation of Keras's ``Model.fit``, ``validation_split``.
    """
    count = _training_rows(x, validation_fraction)
    return x[:count], x[count:]


def _training_rows(x: Array, validation_fraction: float) -> int:
    require(x.ndim >= 1, "x", "an array with at least one axis", f"shape {x.shape}")
    require(0 <= validation_fraction <= 1, "validation_fraction", "a fraction from 0 to 1", validation_fraction)
    rows: int = x.shape[0]
    return math.floor(rows * (1.0 - validation_fraction))


def vjp(cotangents: tuple[Array, Array], x: Array, *, validation_fraction: float = 0.2) -> Gradients:
    """Both cotangents, one after the other."""
    _training_rows(x, validation_fraction)
    return {"x": np.concatenate(cotangents)}


def samples(stream: Stream) -> Iterator[Sample]:
    """Fractions that give whole numbers of rows, those that do not, and the ends."""

    def sample(name: str, *shape: int, fraction: float = 0.2, memory: str = "contiguous") -> Sample:
        keywords = {"validation_fraction": fraction}
        return Sample(name=name, inputs={"x": stream(name).normal(shape)}, keywords=keywords, memory=memory)

    yield Sample(name="plain_ten_rows", inputs={"x": stream("plain_ten_rows").normal((10, 3))})
    yield sample("size_large", 1000, 20)
    yield sample("rank_one", 10)
    yield sample("rank_four", 10, 2, 3, 4)
    yield sample("unit_row", 1, 3)
    yield sample("unit_row_each", 2, 3, fraction=0.5)
    yield sample("empty_rows", 0, 3)
    yield sample("empty_features", 10, 0)
    yield sample("strided_transposed", 10, 3, memory="transposed")
    yield sample("strided_sliced", 10, 3, memory="sliced")
    yield sample("bounds_all_for_training", 10, 3, fraction=0.0)
    yield sample("bounds_all_for_validation", 10, 3, fraction=1.0)
    # The share of the rows is not whole: here rounding it down, up and to the nearest, or rounding the rest, differ.
    yield sample("convention_not_whole_above_half", 11, 3, fraction=0.3)
    yield sample("convention_not_whole_below_half", 11, 3, fraction=0.4)
    yield sample("convention_third", 10, 3, fraction=1 / 3)
    # 1 - 0.9 is below 0.1 in binary: one row less for training than in decimal.
    yield sample("convention_double_precision", 10, 3, fraction=0.9)


OPERATION = Operation(
    function=split,
    vjp=vjp,
    samples=samples,
    family="sequence",
    outputs=("training", "validation"),
    cotangents=("training", "validation"),
    axes={"x": "n ...", "training": "n ...", "validation": "n ..."},
    documents=("000 §4.2.1",),
)
