"""Mini-batches: see ``mini_batches``."""

from collections.abc import Iterator

from tensorproof_reference.arguments import require
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def mini_batches(x: Array, *, batch_size: int, drop_remainder: bool = False) -> list[Array]:
    """The rows in order, ``batch_size`` at a time; what is left over is a smaller batch, or dropped (``drop_remainder``).

    Shapes: ``x`` has at least one axis, of which the first counts rows; the result is a list of arrays (batch_size, …), the last
    of them possibly shorter.
    Special values: elements are copied bit by bit.
    Raises: ``ValueError`` if ``x`` has no axis or ``batch_size`` is not positive.
    Source: Goodfellow, Bengio & Courville (2016), §8.1.3; the texts, 000 §4.1.3 (``batch_size=32``).
    """
    require(x.ndim >= 1, "x", "an array with at least one axis", f"shape {x.shape}")
    require(batch_size >= 1, "batch_size", "a positive integer", batch_size)
    rows = x.shape[0]
    end = rows - rows % batch_size if drop_remainder else rows
    return [x[start : start + batch_size] for start in range(0, end, batch_size)]


def samples(stream: Stream) -> Iterator[Sample]:
    """With and without a remainder, kept and dropped, and batches of one row and of all."""

    def sample(name: str, *shape: int, batch_size: int = 4, drop: bool = False, memory: str = "contiguous") -> Sample:
        keywords = {"batch_size": batch_size, "drop_remainder": drop} if drop else {"batch_size": batch_size}
        return Sample(name=name, inputs={"x": stream(name).normal(shape)}, keywords=keywords, memory=memory)

    yield sample("plain_with_remainder", 10, 3)
    yield sample("size_large", 100, 20, batch_size=32)
    yield sample("rank_one", 10)
    yield sample("rank_four", 6, 2, 3, 4)
    yield sample("unit_batches", 5, 3, batch_size=1)
    yield sample("unit_row", 1, 3)
    yield sample("unit_remainder", 9, 3)
    yield sample("unit_batches_drop_remainder", 5, 3, batch_size=1, drop=True)
    yield sample("unit_remainder_drop_remainder", 9, 3, drop=True)
    yield sample("empty_features", 10, 0)
    yield sample("strided_transposed", 10, 3, memory="transposed")
    yield sample("strided_sliced", 10, 3, memory="sliced")
    yield sample("bounds_no_remainder", 12, 3)
    yield sample("bounds_one_batch", 4, 3)
    yield sample("bounds_larger_than_all", 3, 3)
    yield sample("convention_remainder_dropped", 10, 3, drop=True)
    yield sample("convention_nothing_to_drop", 12, 3, drop=True)


OPERATION = Operation(
    function=mini_batches,
    vjp=None,
    samples=samples,
    family="sequence",
    differentiable=(),
    outputs=("batches",),
    cotangents=(),
    axes={"x": "n ...", "batches": "n ..."},
    documents=("000 §4.1.3",),
)
