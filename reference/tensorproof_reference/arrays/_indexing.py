"""The samples of operations that take numbers from places, or put them there: see ``taken_samples``, ``scatter_samples``."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tensorproof_reference.operation import DTYPES, Sample
from tensorproof_reference.operations._elementwise_samples import ordinary
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.sample_kinds import long_samples
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

NEGATIVE = ("from_the_end", "error")
BEYOND = ("error", "nan", "clip")
OUTSIDE = ("error", "ignored")
"""What indices below 0, and beyond the end, are: where numbers are taken, and where slices are put."""


def integers(values: Any) -> Array:
    """Indices."""
    return np.asarray(values, np.int64)


TAKEN: Mapping[str, tuple[tuple[int, ...], tuple[int, ...], int]] = {
    "plain_rows": ((7, 4), (5,), 0),
    "size_large": ((64, 128), (100,), 1),
    "rank_one": ((9,), (4,), 0),
    "rank_of_indices_zero": ((7, 4), (), 0),
    "rank_of_indices_two": ((7, 4), (2, 3), 0),
    "rank_four": ((2, 5, 3, 4), (6,), 1),
    "axis_last": ((3, 4, 5), (6,), 2),
    "axis_negative": ((3, 4, 5), (2, 2), -2),
    "unit_axis": ((1, 4), (3,), 0),
    "unit_index": ((7, 4), (1,), 0),
    "empty_indices": ((7, 4), (0,), 0),
    "empty_batch": ((7, 0), (3,), 0),
}
"""The shapes of the array and the indices, and the axis."""

ALONG: Mapping[str, tuple[tuple[int, ...], tuple[int, ...], int]] = {
    "plain_rows": ((6, 7), (6, 4), -1),
    "size_large": ((64, 128), (64, 100), 1),
    "rank_one": ((9,), (4,), 0),
    "rank_four": ((2, 5, 3, 4), (2, 6, 3, 4), 1),
    "axis_first": ((7, 4), (9, 4), 0),
    "axis_negative": ((3, 4, 5), (3, 2, 5), -2),
    "unit_axis": ((6, 1), (6, 3), -1),
    "unit_index": ((6, 7), (6, 1), -1),
    "empty_indices": ((6, 7), (6, 0), -1),
    "empty_batch": ((0, 7), (0, 3), -1),
}


def _among(x: Array, values: tuple[float, ...]) -> Array:
    """The array with these values in turn at every third place."""
    flat = x.reshape(-1).copy()
    flat[::3] = np.resize(np.array(values), len(flat[::3]))
    return flat.reshape(x.shape)


SPECIAL = {"nan_each_lane": (np.nan,), "infinity_each_lane": (-np.inf, np.inf), "zero_signed": (-0.0, 0.0, -0.0)}


def _taken_samples(stream: Stream, cases: Mapping[str, Any], beyond: Mapping[str, Array]) -> Iterator[Sample]:
    """The cases; the plain one with special numbers, repeated indices, and indices at and beyond the ends."""

    def drawn(name: str, shape: tuple[int, ...], indices: tuple[int, ...], axis: int) -> dict[str, Array]:
        x = np.asarray(ordinary(stream(name)("x"), shape))
        return {"x": x, "indices": stream(name)("indices").integers(indices, 0, shape[axis])}

    for place, (name, (shape, indices, axis)) in enumerate(cases.items()):
        dtypes = DTYPES if place == 0 or name == "size_large" else SINGLE
        yield Sample(name=name, inputs=drawn(name, shape, indices, axis), keywords={"axis": axis}, dtypes=dtypes)
    shape, indices, axis = cases["plain_rows"]
    keywords = {"axis": axis}
    for memory in ("transposed", "sliced"):
        name = f"strided_{memory}"
        yield Sample(name=name, inputs=drawn(name, shape, indices, axis), keywords=keywords, memory=memory)
    for name, values in SPECIAL.items():
        inputs = drawn(name, shape, indices, axis)
        inputs["x"] = _among(inputs["x"], values)
        yield Sample(name=name, inputs=inputs, keywords=keywords, sign_of_zero=True)
    for name, row in (
        ("repeated_pairs", [3, 1, 3, 0, 1]),
        ("repeated_all_the_same", [2] * 5),
        ("bounds_first_and_last", [0, 6, 6, 0, 3]),
    ):
        inputs = drawn(name, shape, indices, axis)
        inputs["indices"] = np.broadcast_to(integers(row[: indices[-1]]), indices).copy()
        yield Sample(name=name, inputs=inputs, keywords=keywords)
    for where, far in beyond.items():
        x = {"x": np.asarray(ordinary(stream("bounds")("x"), shape)), "indices": far}
        words = {"negative": NEGATIVE} if where == "negative" else {"out_of_range": BEYOND}
        for keyword, choices in words.items():
            for word in choices:
                error = word == "error"
                yield Sample(
                    name=f"bounds_{where}_{word}",
                    inputs=x,
                    keywords={**keywords, keyword: word},
                    dtypes=SINGLE,
                    required=False,
                    raises=error,
                    gradient=not error,
                )


def take_samples(stream: Stream) -> Iterator[Sample]:
    """Those of slices along an axis, many indices, and far ones."""
    beyond = {"negative": integers([0, -1, 3, -7, -2]), "beyond": integers([0, 7, 3, 12, 6])}
    yield from _taken_samples(stream, TAKEN, beyond)

    def rows(name: str, length: int) -> dict[str, Array]:
        x = np.asarray(ordinary(stream(name)("x"), (1000, 2)))
        return {"x": x, "indices": stream(name)("indices").integers((length,), 0, 1000)}

    yield from long_samples(rows, "indices")
    # Numbers that 16 bits, 8 or 11 bits of significand, or both do not hold.
    far = {"x": ordinary(stream("bounds_long")("x"), (70_000, 1)), "indices": integers([65536, 69999, 257, 4097, 65535])}
    yield Sample(name="bounds_long", inputs=far, dtypes=SINGLE)


def along_samples(stream: Stream) -> Iterator[Sample]:
    """Those of numbers along an axis, one index for each."""
    negative, beyond = (np.broadcast_to(integers(row), (6, 4)).copy() for row in ([0, -1, 3, -7], [0, 7, 3, 12]))
    yield from _taken_samples(stream, ALONG, {"negative": negative, "beyond": beyond})


SCATTERED: Mapping[str, tuple[tuple[int, ...], int]] = {
    "plain_rows": ((7, 4), 5),
    "size_large": ((64, 128), 50),
    "rank_one": ((9,), 4),
    "rank_four": ((6, 2, 3, 4), 5),
    "unit_row": ((1, 4), 1),
    "unit_index": ((7, 4), 1),
    "empty_indices": ((7, 4), 0),
    "empty_batch": ((7, 0), 3),
}
"""The shape of the array, and how many slices there are."""


def scatter_samples(stream: Stream, adds: bool) -> Iterator[Sample]:
    """The cases, special numbers in all rows and in all slices, indices beyond the ends, and repeated ones where they add up."""

    def drawn(name: str, shape: tuple[int, ...], slices: int) -> dict[str, Array]:
        numbers = stream(name)
        return {
            "x": np.asarray(ordinary(numbers("x"), shape)),
            "indices": numbers("indices").permutation(shape[0])[:slices],
            "updates": np.asarray(ordinary(numbers("updates"), (slices, *shape[1:]))),
        }

    for place, (name, (shape, slices)) in enumerate(SCATTERED.items()):
        dtypes = DTYPES if place == 0 or name == "size_large" else SINGLE
        yield Sample(name=name, inputs=drawn(name, shape, slices), dtypes=dtypes)
    shape, slices = SCATTERED["plain_rows"]
    for memory in ("transposed", "sliced"):
        yield Sample(name=f"strided_{memory}", inputs=drawn(f"strided_{memory}", shape, slices), memory=memory)
    for name, values in SPECIAL.items():
        for argument in ("x", "updates"):
            inputs = drawn(f"{name}_{argument}", shape, slices)
            inputs[argument] = _among(inputs[argument], values)
            yield Sample(name=f"{name}_of_{argument}", inputs=inputs, sign_of_zero=not adds)
    ends = drawn("bounds_first_and_last", shape, slices)
    ends["indices"] = integers([6, 0, 3, 2, 1])
    yield Sample(name="bounds_first_and_last", inputs=ends)
    for word in OUTSIDE:
        inputs = drawn("bounds_beyond", shape, slices)
        inputs["indices"] = integers([6, 7, 3, 12, 1])
        error = word == "error"
        yield Sample(
            name=f"bounds_beyond_{word}",
            inputs=inputs,
            keywords={"out_of_range": word},
            dtypes=SINGLE,
            required=False,
            raises=error,
            gradient=not error,
        )
    if not adds:
        return
    for name, row in (("repeated_pairs", [3, 1, 3, 0, 1]), ("repeated_all_the_same", [2] * 5)):
        inputs = drawn(name, shape, slices)
        inputs["indices"] = integers(row)
        yield Sample(name=name, inputs=inputs)
    for name, rows, many in (("repeated_often", 3, 300), ("repeated_over_2048_indices", 700, 2100)):
        inputs = {
            "x": ordinary(stream(name)("x"), (rows, 4)),
            "indices": stream(name)("indices").integers((many,), 0, rows),
            "updates": ordinary(stream(name)("updates"), (many, 4)),
        }
        yield Sample(name=name, inputs=inputs)
