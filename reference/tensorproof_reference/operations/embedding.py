"""Embedding: see ``embedding``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require, require_choice, require_rank
from tensorproof_reference.operation import Operation, Sample, Work, asarray
from tensorproof_reference.operations._workloads import count
from tensorproof_reference.sample_kinds import long_samples
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

OUT_OF_RANGE = ("error", "zeros", "clamp", "nan")


def embedding(indices: Array, weight: Array, *, out_of_range: str = "error") -> Array:
    r"""The rows of a table: :math:`y_{\ldots k} = W_{i_{\ldots} k}`.

    Indices run from 0 to V - 1; others, negative ones included, raise (``out_of_range="error"``), or give a row of zeros
    (``"zeros"``), the nearest row of the table (``"clamp"``) or a row of NaN (``"nan"``).

    Shapes: ``indices`` any shape, of integers; ``weight`` (V, E); the result has E appended to the shape of ``indices``.
    Special values: rows of ``weight`` are copied bit by bit, and rows that are not asked for do not matter.
    Raises: ``ValueError`` if ``weight`` has not two axes, ``indices`` are not integers, the convention is unknown, or an index
    is out of range under ``"error"``; under the other conventions also if the table has no rows.
    Source: Bengio et al. (2003), §2, the mapping C; the texts, 000 §4.2.2.
    """
    valid = _in_range(indices, weight, out_of_range)
    rows = np.take(weight, _clamped(indices, weight), axis=0)
    if out_of_range in ("error", "clamp"):
        return rows
    return np.where(valid[..., None], rows, 0.0 if out_of_range == "zeros" else np.nan)


def _in_range(indices: Array, weight: Array, out_of_range: str) -> Array:
    """Which indices are rows of the table, once the arguments are checked."""
    require_rank(weight, "weight", 2)
    require(np.issubdtype(indices.dtype, np.integer), "indices", "integers", f"dtype {indices.dtype}")
    require_choice(out_of_range, "out_of_range", OUT_OF_RANGE)
    vocabulary = weight.shape[0]
    valid = (indices >= 0) & (indices < vocabulary)
    if out_of_range == "error":
        require(bool(np.all(valid)), "indices", f"indices from 0 to {vocabulary - 1}", indices[~valid][:3].tolist())
    require(vocabulary > 0 or indices.size == 0, "weight", "at least one row", f"shape {weight.shape}")
    return valid


def _clamped(indices: Array, weight: Array) -> Array:
    return np.clip(indices, 0, max(weight.shape[0] - 1, 0))


def vjp(dy: Array, indices: Array, weight: Array, *, out_of_range: str = "error") -> Gradients:
    r""":math:`dW_v = \sum_{i = v} dy_i`: added up where an index is repeated. What became zeros or NaN adds to no row, what was
    clamped adds to the row that it was clamped to.
    """
    valid = _in_range(indices, weight, out_of_range)
    if out_of_range in ("error", "clamp"):
        valid = np.ones(indices.shape, dtype=bool)
    dweight = np.zeros_like(weight)
    np.add.at(dweight, _clamped(indices, weight)[valid], dy[valid])
    return {"weight": dweight}


def samples(stream: Stream) -> Iterator[Sample]:
    """Indices of rank 0 to 3, none, all the same, at the ends of the range and beyond."""

    def arguments(name: str, *shape: int, rows: int = 10, width: int = 4) -> dict[str, Array]:
        numbers = stream(name)
        return {"indices": numbers("indices").integers(shape, 0, rows), "weight": numbers("weight").normal((rows, width))}

    def table(name: str, indices: Array) -> dict[str, Array]:
        return {"indices": np.asarray(indices, dtype=np.int64), "weight": stream(name)("weight").normal((10, 4))}

    yield Sample(name="plain_sequences", inputs=arguments("plain_sequences", 3, 5))
    yield Sample(name="size_large", inputs=arguments("size_large", 16, 20, rows=100, width=32))
    for width in (1, 3, 17, 127):
        yield Sample(name=f"width_{width}", inputs=arguments(f"width_{width}", 3, 5, width=width))
    yield Sample(name="rank_zero", inputs=arguments("rank_zero"))
    yield Sample(name="rank_one", inputs=arguments("rank_one", 6))
    yield Sample(name="rank_three", inputs=arguments("rank_three", 2, 3, 4))
    yield Sample(name="unit_axes", inputs=arguments("unit_axes", 1, 1))
    yield Sample(name="unit_row", inputs=arguments("unit_row", 3, 5, rows=1))
    for name, shape in (("empty_batch", (0, 5)), ("empty_sequences", (3, 0)), ("empty_indices", (0,))):
        yield Sample(name=name, inputs=arguments(name, *shape), exact_zero=("d_weight",))
    yield Sample(name="strided_transposed", inputs=arguments("strided_transposed", 3, 5), memory="transposed")
    yield Sample(name="strided_sliced", inputs=arguments("strided_sliced", 3, 5), memory="sliced")
    yield Sample(name="repeated_pairs", inputs=table("repeated_pairs", [[1, 3, 1, 0, 3], [3, 3, 9, 1, 0], [5, 5, 5, 5, 5]]))
    yield Sample(name="repeated_all_the_same", inputs=table("repeated_all_the_same", np.full((3, 5), 7)))
    few = arguments("repeated_often", 16, 20, rows=3)
    yield Sample(name="repeated_often", inputs=few)
    # More indices than a kernel may add up in one go, of which those at the end matter as much as those at the beginning.
    yield Sample(name="repeated_over_1024_indices", inputs=arguments("repeated_over_1024_indices", 5, 210, rows=100))
    yield Sample(name="repeated_over_2048_indices", inputs=arguments("repeated_over_2048_indices", 2100, rows=700))
    yield from long_samples(lambda name, length: arguments(name, length, rows=1000, width=2), "indices")
    ordered = table("repeated_nowhere", np.arange(10).reshape(2, 5))
    yield Sample(name="repeated_nowhere", inputs=ordered)
    yield Sample(name="bounds_first_and_last", inputs=table("bounds_first_and_last", [[0, 9, 0, 9, 5]] * 3))
    # Numbers that 16 bits, 8 or 11 bits of significand, or both do not hold.
    far = {"indices": np.asarray([65536, 69999, 257, 4097, 65535]), "weight": stream("bounds_long_table").normal((70000, 1))}
    yield Sample(name="bounds_long_table", inputs=far)
    unused = arguments("nan_row_not_used", 3, 5)
    unused["indices"] %= 9
    unused["weight"][9] = np.nan
    yield Sample(name="nan_row_not_used", inputs=unused)
    used = table("nan_rows_used", [[0, 3, 1, 4, 3], [2, 2, 1, 0, 5], [9, 3, 3, 8, 7]])
    np.fill_diagonal(used["weight"], np.nan)
    used["weight"][5] = [np.inf, -np.inf, 0.0, 1.0]
    yield Sample(name="nan_rows_used", inputs=used)
    signed = {"indices": np.asarray([1, 0, 1]), "weight": asarray([[0.0, -0.0], [-0.0, 1.0]])}
    yield Sample(name="zero_signs", inputs=signed, sign_of_zero=True)

    beyond = {"beyond_end": [[0, 10, 3, 2, 12]] * 3, "negative": [[0, -1, 3, 2, -10]] * 3}
    for where, indices in beyond.items():
        name = f"bounds_error_{where}"
        yield Sample(
            name=name,
            inputs=table(name, asarray(indices)),
            keywords={"out_of_range": "error"},
            required=False,
            raises=True,
            gradient=False,
            version=2,
        )
        for convention in OUT_OF_RANGE[1:]:
            name = f"bounds_{convention}_{where}"
            keywords = {"out_of_range": convention}
            yield Sample(name=name, inputs=table(name, asarray(indices)), keywords=keywords, required=False)


SIZES = {"S": ((2, 20), 100, 16), "M": ((32, 20), 10_000, 64), "L": ((128, 50), 60_000, 64)}
"""The shape of the indices, and the rows and columns of the table, of what is timed."""


def workload(stream: Stream, size: str) -> Sample:
    """Sequences of indices, uniform over the table, so that few are repeated."""
    shape, rows, width = SIZES[size]
    inputs = {"indices": stream("indices").integers(shape, 0, rows), "weight": stream("weight").uniform((rows, width), -0.5, 0.5)}
    return Sample(name=size, inputs=inputs)


def work(indices: Array, weight: Array, *, out_of_range: str = "error") -> Work:
    """Numbers are copied; back, each is added to its row. What is not looked up, as if no index were repeated, is not read."""
    (rows, width), looked_up = weight.shape, count(indices)
    return Work(flops=0, backward_flops=looked_up * width, untouched=max(rows - looked_up, 0) * width)


OPERATION = Operation(
    function=embedding,
    vjp=vjp,
    samples=samples,
    family="lookup",
    differentiable=("weight",),
    axes={"indices": "...", "weight": "v e", "y": "... e"},
    conventions={"out_of_range": OUT_OF_RANGE},
    documents=("000 §4.2.2",),
    workload=workload,
    work=work,
)
