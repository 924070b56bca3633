"""Matrix product: see ``matmul``."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require
from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.operations._workloads import count, ordinary, products, weights
from tensorproof_reference.sample_kinds import long_samples
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

WIDE_DTYPES = ("float64", "float32", "bfloat16")
"""The dtypes that hold 1e20."""


def matmul(a: Array, b: Array) -> Array:
    r"""The product of matrices, over leading axes that broadcast: :math:`y_{…ij} = \sum_k a_{…ik} b_{…kj}`.

    Shapes: ``a`` (…, I, K), ``b`` (…, K, J), result (…, I, J); the leading axes follow NumPy's broadcasting.
    Special values: K = 0 gives 0. NaN reaches the rows of ``a`` and columns of ``b`` that hold it; ∞ · 0 and ∞ - ∞ are NaN.
    Raises: ``ValueError`` if an operand has fewer than two axes, if K differs, or if leading axes do not broadcast.
    Source: Goodfellow, Bengio & Courville (2016), eq. 2.5.
    """
    _require_operands(a, b)
    return np.matmul(a, b)


def vjp(dy: Array, a: Array, b: Array) -> Gradients:
    r""":math:`da = dy \, b^T` and :math:`db = a^T dy`, each summed over the leading axes along which it was broadcast."""
    _require_operands(a, b)
    return {
        "a": _summed_to(np.matmul(dy, np.swapaxes(b, -1, -2)), a.shape),
        "b": _summed_to(np.matmul(np.swapaxes(a, -1, -2), dy), b.shape),
    }


def _require_operands(a: Array, b: Array) -> None:
    require(a.ndim >= 2, "a", "an array with at least 2 axes", f"shape {a.shape}")
    require(b.ndim >= 2, "b", "an array with at least 2 axes", f"shape {b.shape}")
    require(a.shape[-1] == b.shape[-2], "b", f"{a.shape[-1]} rows, as a has columns", f"shape {b.shape}")
    pairs = zip(a.shape[-3::-1], b.shape[-3::-1], strict=False)
    broadcasts = all(m == n or 1 in (m, n) for m, n in pairs)
    require(broadcasts, "b", f"leading axes that broadcast with those of {a.shape}", f"shape {b.shape}")


def _summed_to(array: Array, shape: tuple[int, ...]) -> Array:
    """The adjoint of broadcasting from ``shape``: the sum over the axes that it added or repeated."""
    added = array.ndim - len(shape)
    repeated = (axis for axis in range(added, array.ndim) if shape[axis - added] == 1 and array.shape[axis] != 1)
    axes = (*range(added), *repeated)
    return np.sum(array, axis=axes).reshape(shape) if axes else array


def samples(stream: Stream) -> Iterator[Sample]:
    """Matrices and stacks of them, every kind of broadcasting, inner sizes around vector widths, long sums."""

    def normal(name: str, a: tuple[int, ...], b: tuple[int, ...], scale_a: float = 1.0, scale_b: float = 1.0) -> dict[str, Array]:
        inputs = stream(name)
        return {"a": inputs("a").normal(a, deviation=scale_a), "b": inputs("b").normal(b, deviation=scale_b)}

    def case(name: str, a: tuple[int, ...], b: tuple[int, ...], **others: Any) -> Sample:
        return Sample(name=name, inputs=normal(name, a, b), **others)

    yield case("plain_matrices", (5, 7), (7, 3))
    yield case("size_large", (64, 128), (128, 32))
    yield case("size_inner_256", (16, 256), (256, 16))
    for width in (1, 2, 3, 8, 9, 15, 16, 17, 127, 513):
        yield case(f"width_inner_{width}", (3, width), (width, 2))
    for width in (9, 17, 127):
        yield case(f"width_outer_{width}", (width, 3), (3, width + 1))
    yield case("rank_three", (4, 5, 7), (4, 7, 3))
    yield case("rank_four", (2, 3, 5, 7), (2, 3, 7, 3))
    yield case("broadcast_left", (5, 7), (4, 7, 3))
    yield case("broadcast_right", (4, 5, 7), (7, 3))
    yield case("broadcast_units", (2, 1, 5, 7), (1, 3, 7, 3))
    yield case("broadcast_unit_of_both", (1, 3, 5, 7), (1, 1, 7, 3))
    yield case("unit_row", (1, 7), (7, 3))
    yield case("unit_column", (5, 7), (7, 1))
    yield case("unit_outer_product", (5, 1), (1, 3))
    yield case("empty_rows", (0, 7), (7, 3))
    yield case("empty_inner", (5, 0), (0, 3))
    yield case("empty_batch", (0, 5, 7), (0, 7, 3))
    yield case("strided_transposed", (5, 7), (7, 3), memory="transposed")
    yield case("strided_sliced", (5, 7), (7, 3), memory="sliced")
    yield case("strided_transposed_stack", (4, 5, 7), (4, 7, 3), memory="transposed")
    yield from long_samples(lambda name, length: normal(name, (length, 3), (3, 3)), "rows")
    yield case("long_zero_mean", (2, 16384), (16384, 3))
    positive = {name: stream("long_positive")(name).uniform(shape) for name, shape in (("a", (2, 16384)), ("b", (16384, 3)))}
    yield Sample(name="long_positive", inputs=positive)

    for name, scale_a, scale_b in (("magnitude_hundred", 100.0, 0.01), ("magnitude_hundredth", 0.01, 0.1)):
        yield Sample(name=name, inputs=normal(name, (5, 7), (7, 3), scale_a, scale_b))
    for name, scale_a, scale_b in (
        ("magnitude_1e20", 1e20, 1e-20),
        ("magnitude_1e13", 1e13, 1e7),
        ("magnitude_1e_20", 1e-20, 1e-13),
    ):
        yield Sample(name=name, inputs=normal(name, (5, 7), (7, 3), scale_a, scale_b), dtypes=WIDE_DTYPES)
    large = stream("magnitude_overflow")
    overflow = {"a": large("a").uniform((5, 7), 1e20, 2e20), "b": large("b").uniform((7, 3), 1e20, 2e20)}
    yield Sample(name="magnitude_overflow", inputs=overflow, dtypes=WIDE_DTYPES)

    for name, value in (("nan_rows", np.nan), ("infinity_rows", np.inf), ("infinity_negative_rows", -np.inf)):
        inputs = normal(name, (9, 9), (9, 9))
        inputs["a"][np.arange(0, 8, 2), np.arange(1, 8, 2)] = value
        yield Sample(name=name, inputs=inputs)
    for name, value in (("nan_columns", np.nan), ("infinity_columns", np.inf)):
        inputs = normal(name, (9, 9), (9, 9))
        inputs["b"][np.arange(1, 9, 2), np.arange(0, 8, 2)] = value
        yield Sample(name=name, inputs=inputs)
    indefinite = {
        "a": np.array([[np.inf, 1.0], [np.inf, -np.inf], [2.0, 1.0]]),
        "b": np.array([[0.0, 1.0, -1.0], [1.0, 1.0, 1.0]]),
    }
    product = np.array([[np.nan, np.inf, -np.inf], [np.nan, np.nan, -np.inf], [1.0, 3.0, -1.0]])
    yield Sample(name="infinity_indefinite", inputs=indefinite, expected={"y": product})


SIZES = {"S": (32, 32, 32), "M": (256, 256, 256), "L": (1024, 512, 1024)}
"""Rows, inner size and columns of what is timed."""


def workload(stream: Stream, size: str) -> Sample:
    """Two matrices."""
    rows, inner, columns = SIZES[size]
    inputs = {"a": ordinary(stream("a"), (rows, inner)), "b": weights(stream("b"), (inner, columns), fan_in=inner)}
    return Sample(name=size, inputs=inputs)


def work(a: Array, b: Array) -> Work:
    """A product and a sum for each row, inner index and column; back twice that, and the sums over what was broadcast."""
    stack = math.prod(np.broadcast_shapes(tuple(a.shape[:-2]), tuple(b.shape[:-2])))
    (rows, inner), columns = a.shape[-2:], b.shape[-1]
    broadcast = stack * rows * inner - count(a) + stack * inner * columns - count(b)
    return products(stack * rows * inner * columns) + Work(flops=0, backward_flops=broadcast)


OPERATION = Operation(
    function=matmul,
    vjp=vjp,
    samples=samples,
    family="product",
    differentiable=("a", "b"),
    workload=workload,
    work=work,
)
