"""Sequences brought to one length: see ``pad_sequences``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require, require_choice, require_rank
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

SIDES = ("before", "after")


def pad_sequences(
    sequences: list[Array], *, maxlen: int, padding: str = "before", truncating: str = "before", value: int = 0
) -> Array:
    """Sequences of different lengths as the rows of one array, of ``maxlen`` columns.

    What is shorter is filled up with ``value`` at its beginning (``padding="before"``) or end (``"after"``); what is longer loses
    its beginning (``truncating="before"``) or end (``"after"``).

    Shapes: ``sequences`` is a list of N arrays of integers of rank 1; the result is (N, maxlen), of int64.
    Special values: an empty sequence becomes a row of ``value``.
    Raises: ``ValueError`` if a sequence has not one axis or does not hold integers, ``maxlen`` is negative, or a side is unknown.
    Source: the texts, 000 §4.2.1; the documentation of ``keras.utils.pad_sequences``.
    """
    require(maxlen >= 0, "maxlen", "an integer that is not negative", maxlen)
    require_choice(padding, "padding", SIDES)
    require_choice(truncating, "truncating", SIDES)
    rows = np.full((len(sequences), maxlen), value, np.int64)
    for row, sequence in zip(rows, sequences, strict=True):
        require_rank(sequence, "sequences", 1)
        require(np.issubdtype(sequence.dtype, np.integer), "sequences", "integers", f"dtype {sequence.dtype}")
        kept = sequence[:maxlen] if truncating == "after" else sequence[max(len(sequence) - maxlen, 0) :]
        start = 0 if padding == "after" else maxlen - len(kept)
        row[start : start + len(kept)] = kept
    return rows


def samples(stream: Stream) -> Iterator[Sample]:
    """Shorter, longer, empty and just right, on all four pairs of sides."""

    def sample(name: str, lengths: tuple[int, ...], **keywords: object) -> Sample:
        sequences = [stream(name)(str(index)).integers((length,), 1, 1000) for index, length in enumerate(lengths)]
        return Sample(name=name, inputs={"sequences": sequences}, keywords=keywords)

    mixed = (3, 7, 5, 1)
    yield sample("plain_mixed", mixed, maxlen=5)
    yield sample("size_large", tuple(range(1, 41)), maxlen=20)
    yield sample("unit_sequence", (4,), maxlen=6)
    yield sample("unit_length", mixed, maxlen=1)
    for padding in SIDES:
        for truncating in SIDES:
            keywords = {"padding": padding, "truncating": truncating}
            yield sample(f"unit_sequence_pad_{padding}_truncate_{truncating}", (4,), maxlen=6, **keywords)
            yield sample(f"unit_length_pad_{padding}_truncate_{truncating}", mixed, maxlen=1, **keywords)
    yield sample("empty_sequence", (3, 0, 7), maxlen=5)
    yield sample("empty_sequences_only", (0, 0), maxlen=5)
    yield sample("bounds_all_shorter", mixed, maxlen=9)
    yield sample("bounds_all_longer", (7, 9, 8), maxlen=4)
    yield sample("bounds_all_alike", (20, 20, 20), maxlen=20)
    yield sample("bounds_no_columns", mixed, maxlen=0)
    for padding in SIDES:
        for truncating in SIDES:
            name = f"convention_pad_{padding}_truncate_{truncating}"
            yield sample(name, mixed, maxlen=5, padding=padding, truncating=truncating)
    yield sample("optional_value", mixed, maxlen=5, value=-7)
    yield sample("optional_value_after", mixed, maxlen=5, padding="after", value=3)
    # Numbers that floating numbers of 16 bits do not hold.
    wide = [np.asarray([2**24, 2**31 - 128]), np.asarray([-(2**31), 65537, 5])]
    yield Sample(name="magnitude_near_32_bits", inputs={"sequences": wide}, keywords={"maxlen": 4})


OPERATION = Operation(
    function=pad_sequences,
    vjp=None,
    samples=samples,
    family="sequence",
    differentiable=(),
    cotangents=(),
    output_dtype="any",
    conventions={"padding": SIDES, "truncating": SIDES},
    documents=("000 §4.2.1",),
)
