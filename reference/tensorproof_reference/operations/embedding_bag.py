"""Bags of rows of a table: see ``embedding_bag``."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_choice, require_rank, require_shape
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._workloads import count
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

REDUCED: dict[str, Callable[..., Array]] = {"sum": np.sum, "mean": np.mean, "max": np.max}
MODES = tuple(REDUCED)


def embedding_bag(
    indices: Array, weight: Array, offsets: Array | None = None, scales: Array | None = None, *, mode: str = "mean"
) -> Array:
    r"""The rows of a table that each bag names, as their sum, mean or maximum:

    .. math:: y_b = \sum_{i \in B_b} s_i W_i, \quad y_b = \frac{1}{|B_b|} \sum_{i \in B_b} W_i, \quad
        y_{bk} = \max_{i \in B_b} W_{ik}

    A bag is a row of ``indices``; or ``indices`` hold one bag after the other, and ``offsets`` say where each begins. An empty
    bag is zero. ``scales`` s multiply the rows of a sum, and are 1 without.

    Shapes: ``indices`` (B, N), or (N) with ``offsets`` (B), of integers; ``weight`` (V, E); ``scales`` as ``indices``; the
    result (B, E).
    Special values: NaN and infinity in a row that a bag names are in the bag's sum and mean; no sample has them in a maximum.
    Where several rows have the maximum, so that their gradients are free, no sample asks; a row that a bag names twice has all.
    Raises: ``ValueError`` if shapes do not fit, ``indices`` or ``offsets`` are not integers, an index is no row, ``offsets`` do
    not begin with 0 or fall, ``mode`` is unknown, or there are ``scales`` but no sum.
    Source: Joulin et al. (2017), section 2.1, the mean of a bag of words; Iyyer et al. (2015).
    """
    rows, bags = _rows(indices, weight, offsets, scales, mode)
    scaled = rows if scales is None else rows * scales.reshape(-1)[:, None]
    return np.stack([_reduced(scaled[bag], mode) for bag in bags]) if bags else np.zeros_like(weight, shape=(0, weight.shape[1]))


def _reduced(rows: Array, mode: str) -> Array:
    """A bag's rows as one."""
    if rows.shape[0] == 0:
        return np.zeros_like(rows, shape=rows.shape[1:])
    return REDUCED[mode](rows, axis=0)


def _rows(indices: Array, weight: Array, offsets: Array | None, scales: Array | None, mode: str) -> tuple[Array, list[slice]]:
    """All rows, one bag after the other, and the places of each bag, once the arguments are checked."""
    require_rank(weight, "weight", 2)
    require(np.issubdtype(indices.dtype, np.integer), "indices", "integers", f"dtype {indices.dtype}")
    require_rank(indices, "indices", 2 if offsets is None else 1)
    require_choice(mode, "mode", MODES)
    require(scales is None or mode == "sum", "scales", "None but for a sum", f"mode {mode!r}")
    if scales is not None:
        require_shape(scales, "scales", indices.shape)
    valid = bool(np.all((indices >= 0) & (indices < weight.shape[0])))
    require(valid, "indices", f"indices from 0 to {weight.shape[0] - 1}", f"{indices.reshape(-1)[:5].tolist()}, …")
    if offsets is None:
        begins = np.arange(indices.shape[0]) * indices.shape[1]
    else:
        require(np.issubdtype(offsets.dtype, np.integer), "offsets", "integers", f"dtype {offsets.dtype}")
        require_rank(offsets, "offsets", 1)
        rising = offsets.size > 0 and offsets[0] == 0 and bool(np.all(np.diff(offsets) >= 0)) and offsets[-1] <= indices.size
        require(bool(rising), "offsets", f"numbers from 0 to {indices.size} that do not fall", offsets.tolist())
        begins = offsets
    ends = [*begins[1:], indices.size]
    return np.take(weight, indices.reshape(-1), axis=0), [slice(int(a), int(b)) for a, b in zip(begins, ends, strict=True)]


def vjp(
    dy: Array, indices: Array, weight: Array, offsets: Array | None = None, scales: Array | None = None, *, mode: str = "mean"
) -> Gradients:
    r""":math:`dW_v = \sum_{i = v} s_i\, dy_{b(i)}`, divided by the size of the bag for a mean, and for a maximum of each column
    only the row that has it; :math:`ds_i = dy_{b(i)} \cdot W_i`."""
    rows, bags = _rows(indices, weight, offsets, scales, mode)
    given = np.concatenate([np.zeros_like(rows[:0]), *(_given(dy[number], rows[bag], mode) for number, bag in enumerate(bags))])
    dweight = np.zeros_like(weight)
    if scales is None:
        np.add.at(dweight, indices.reshape(-1), given)
        return {"weight": dweight, "scales": None}
    np.add.at(dweight, indices.reshape(-1), given * scales.reshape(-1)[:, None])
    return {"weight": dweight, "scales": np.sum(given * rows, axis=1).reshape(indices.shape)}


def _given(dy: Array, rows: Array, mode: str) -> Array:
    """What each row of a bag gets of the bag's cotangent."""
    whole = np.broadcast_to(dy, rows.shape)
    if mode == "max" and rows.shape[0]:
        return np.where(np.arange(rows.shape[0])[:, None] == np.argmax(rows, axis=0), whole, 0.0)
    return whole / max(rows.shape[0], 1) if mode == "mean" else whole


OFFSETS = [0, 3, 3, 7, 8]
"""Of bags of three, no, four, one and two rows."""


def samples(stream: Stream) -> Iterator[Sample]:
    """Bags of one size and of several, empty ones, the same row twice, scales, and the ends of the table."""

    def drawn(name: str, shape: tuple[int, ...], offsets: Any = None, rows: int = 16, width: int = 4) -> dict[str, Array]:
        numbers = stream(name)
        # Every number of a column is another, by more than a rounding to 8 bits: no two rows share a maximum.
        order = np.argsort(numbers("order").uniform((rows, width), 0.0, 1.0), axis=0, kind="stable")
        table = (order - (rows - 1) / 2 + numbers("weight").uniform((rows, width), -0.25, 0.25)) * (4.0 / rows)
        given = {"indices": numbers("indices").integers(shape, 0, rows), "weight": table}
        return given if offsets is None else {**given, "offsets": np.asarray(offsets, np.int64)}

    def scaled(name: str, *arguments: Any, **others: Any) -> dict[str, Array]:
        inputs = drawn(name, *arguments, **others)
        return {**inputs, "scales": stream(name)("scales").normal(inputs["indices"].shape)}

    total: dict[str, Any] = {"mode": "sum"}
    most: dict[str, Any] = {"mode": "max"}
    yield Sample(name="plain_offsets", inputs=drawn("plain_offsets", (10,), OFFSETS))
    yield Sample(name="plain_sum", inputs=drawn("plain_sum", (10,), OFFSETS), keywords=total)
    yield Sample(name="plain_max", inputs=drawn("plain_max", (10,), OFFSETS), keywords=most)
    for mode in MODES:
        inputs = drawn(f"rank_bags_of_one_size_{mode}", (3, 5))
        yield Sample(name=f"rank_bags_of_one_size_{mode}", inputs=inputs, keywords={"mode": mode}, dtypes=SINGLE)
    yield Sample(name="optional_scales", inputs=scaled("optional_scales", (10,), OFFSETS), keywords=total)
    yield Sample(name="optional_scales_of_one_size", inputs=scaled("optional_scales_of_one_size", (3, 5)), keywords=total)
    for mode in MODES:
        large = drawn(f"size_large_{mode}", (320,), [0, 100, 130, 131, 131, 290], rows=400, width=33)
        # No row comes twice: a maximum may give each of several places a part of the gradient, which is rounded.
        large["indices"] = np.argsort(stream(f"size_large_{mode}")("places").uniform((400,), 0.0, 1.0), kind="stable")[:320]
        yield Sample(name=f"size_large_{mode}", inputs=large, keywords={"mode": mode}, dtypes=SINGLE)
    for width in (1, 3, 17, 127):
        yield Sample(name=f"width_{width}", inputs=drawn(f"width_{width}", (10,), OFFSETS, width=width), dtypes=SINGLE)
    yield Sample(name="unit_bag", inputs=drawn("unit_bag", (5,), [0]), dtypes=SINGLE)
    yield Sample(name="unit_row_of_the_table", inputs=drawn("unit_row_of_the_table", (10,), OFFSETS, rows=1), dtypes=SINGLE)
    yield Sample(name="unit_bags_of_one", inputs=drawn("unit_bags_of_one", (4, 1)), dtypes=SINGLE)
    for mode in MODES:
        empty = drawn(f"empty_last_bag_{mode}", (7,), [0, 3, 3, 7])
        yield Sample(name=f"empty_last_bag_{mode}", inputs=empty, keywords={"mode": mode}, dtypes=SINGLE)
    first = drawn("empty_first_bag", (7,), [0, 0, 4])
    yield Sample(name="empty_first_bag", inputs=first, dtypes=SINGLE)
    nothing = drawn("empty_bags_only", (0,), [0, 0, 0])
    yield Sample(name="empty_bags_only", inputs=nothing, exact_zero=("y", "d_weight"), dtypes=SINGLE)
    for mode in MODES:
        repeated = drawn(f"repeated_rows_{mode}", (10,), OFFSETS)
        repeated["indices"] = np.asarray([1, 3, 1, 0, 3, 3, 15, 1, 5, 5])
        yield Sample(name=f"repeated_rows_{mode}", inputs=repeated, keywords={"mode": mode})
    twice = scaled("repeated_rows_with_scales", (10,), OFFSETS)
    twice["indices"] = np.full(10, 7)
    yield Sample(name="repeated_rows_with_scales", inputs=twice, keywords=total, dtypes=SINGLE)
    ends = drawn("bounds_first_and_last_row", (6,), [0, 2, 4])
    ends["indices"] = np.asarray([0, 15, 15, 0, 0, 15])
    yield Sample(name="bounds_first_and_last_row", inputs=ends, dtypes=SINGLE)
    yield Sample(name="strided_transposed", inputs=drawn("strided_transposed", (3, 5)), memory="transposed", dtypes=SINGLE)
    yield Sample(name="strided_sliced", inputs=drawn("strided_sliced", (10,), OFFSETS), memory="sliced", dtypes=SINGLE)
    unused = drawn("nan_row_not_used", (10,), OFFSETS)
    unused["indices"] %= 15
    unused["weight"][15] = np.nan
    yield Sample(name="nan_row_not_used", inputs=unused, dtypes=SINGLE)
    used = drawn("nan_and_infinity_in_rows", (10,), OFFSETS)
    used["weight"][used["indices"][0], 1] = np.nan
    used["weight"][used["indices"][4], 2] = np.inf
    yield Sample(name="nan_and_infinity_in_rows", inputs=used, dtypes=SINGLE)


SIZES = {"S": (8, 5, 100, 16), "M": (64, 20, 10_000, 64), "L": (512, 50, 60_000, 64)}
"""Bags, rows in each, and rows and columns of the table, of what is timed."""


def workload(stream: Stream, size: str) -> Sample:
    """Means of bags of one size, of indices that are uniform over the table."""
    bags, each, rows, width = SIZES[size]
    indices = stream("indices").integers((bags * each,), 0, rows)
    inputs = {"indices": indices, "weight": stream("weight").uniform((rows, width), -0.5, 0.5), "offsets": np.arange(bags) * each}
    return Sample(name=size, inputs=inputs)


def work(indices: Array, weight: Array, offsets: Array | None = None, scales: Array | None = None, *, mode: str = "mean") -> Work:
    """A sum or comparison for each number but the first of a bag, a quotient for each of a mean, a product for each with a scale.
    Back, each number is added to its row; a quotient for each of a mean; two products and a sum for each with a scale. What is
    not looked up, as if no index were repeated, is not read."""
    (rows, width), looked_up = weight.shape, count(indices)
    bags = (indices if offsets is None else offsets).shape[0]
    quotients = bags * width if mode == "mean" else 0
    products = 0 if scales is None else looked_up * width
    return Work(
        flops=max(looked_up - bags, 0) * width + quotients + products,
        backward_flops=looked_up * width + quotients + 3 * products,
        untouched=max(rows - looked_up, 0) * width,
    )


OPERATION = Operation(
    function=embedding_bag,
    vjp=vjp,
    samples=samples,
    family="lookup",
    profile=EXTENDED,
    differentiable=("weight", "scales"),
    axes={"indices": "...", "weight": "v e", "offsets": "b", "scales": "...", "y": "b e"},
    workload=workload,
    work=work,
)
