"""General matrix multiply: gemm."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_broadcast, require_choice
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._workloads import count, ordinary, products, weights
from tensorproof_reference.operations.matmul import WIDE_DTYPES
from tensorproof_reference.primitives._binary import of_shape
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.sample_kinds import long_samples
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

ZERO_BETA = ("unread", "multiplied")


def gemm(
    a: Array,
    b: Array,
    c: Array | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transpose_a: bool = False,
    transpose_b: bool = False,
    zero_beta: str = "unread",
) -> Array:
    r"""A scaled product of matrices, added to a scaled matrix: :math:`y = \alpha A B + \beta C`, where A and B are ``a`` and
    ``b``, or their transposes: :math:`y_{ij} = \alpha \sum_k A_{ik} B_{kj} + \beta C_{ij}`.

    Without ``c`` there is the scaled product alone. With ``beta`` = 0 BLAS does not read C (``zero_beta="unread"``), so that NaN
    in it leaves no trace; others compute the formula (``"multiplied"``), in which 0 · NaN and 0 · ∞ are NaN. With ``alpha`` = 0
    no sample has NaN or infinity in ``a`` or ``b``.

    Shapes: ``a`` (I, K), or with ``transpose_a`` (K, I); ``b`` (K, J), or with ``transpose_b`` (J, K); both may have one more
    axis in front, of as many matrices each; ``c`` broadcasts to the result (I, J) or (B, I, J).
    Special values: K = 0 gives βC. NaN reaches the rows of A and columns of B that hold it; ∞ · 0 and ∞ - ∞ are NaN.
    Raises: ``ValueError`` if an operand has other than two or three axes, if B or K differs, if ``c`` does not broadcast, or
    ``zero_beta`` is another.
    Source: Dongarra, Du Croz, Hammarling & Duff (1990), GEMM; the text of ``torch.addmm``; ONNX Gemm (opset 13).
    """
    left, right = _operands(a, b, c, transpose_a, transpose_b, zero_beta)
    product = alpha * np.matmul(left, right)
    return product if c is None or (beta == 0 and zero_beta == "unread") else product + beta * c


def _turned(x: Array, transposed: bool) -> Array:
    return np.swapaxes(x, -1, -2) if transposed else x


def _operands(a: Array, b: Array, c: Array | None, transpose_a: bool, transpose_b: bool, zero_beta: str) -> tuple[Array, Array]:
    """The factors A and B, once all arguments are known to fit."""
    require_choice(zero_beta, "zero_beta", ZERO_BETA)
    require(a.ndim in (2, 3), "a", "an array with 2 or 3 axes", f"shape {a.shape}")
    require(b.ndim == a.ndim, "b", f"an array with {a.ndim} axes", f"shape {b.shape}")
    left, right = _turned(a, transpose_a), _turned(b, transpose_b)
    fits = left.shape[-1] == right.shape[-2] and left.shape[:-2] == right.shape[:-2]
    require(fits, "b", f"a shape that fits that of a, {a.shape}", f"shape {b.shape}")
    if c is not None:
        require_broadcast(c, "c", (*left.shape[:-1], right.shape[-1]))
    return left, right


def _vjp(
    dy: Array,
    a: Array,
    b: Array,
    c: Array | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transpose_a: bool = False,
    transpose_b: bool = False,
    zero_beta: str = "unread",
) -> Gradients:
    r"""With the cotangent :math:`dP = \alpha\, dy` of the product: :math:`dA = dP\, B^T`, :math:`dB = A^T dP`, and
    :math:`dC = \beta\, dy`, summed over what C was broadcast to."""
    left, right = _operands(a, b, c, transpose_a, transpose_b, zero_beta)
    scaled = alpha * dy
    return {
        "a": _turned(np.matmul(scaled, np.swapaxes(right, -1, -2)), transpose_a),
        "b": _turned(np.matmul(np.swapaxes(left, -1, -2), scaled), transpose_b),
        "c": None if c is None else of_shape(beta * dy, c.shape),
    }


PRODUCTS: Mapping[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = {
    "plain_matrices": ((5, 7), (7, 3), (5, 3)),
    "size_large": ((64, 128), (128, 32), (32,)),
    "size_inner_256": ((16, 256), (256, 16), (16, 16)),
    **{f"width_inner_{width}": ((3, width), (width, 2), (3, 2)) for width in (1, 2, 3, 8, 9, 15, 16, 17, 127, 513)},
    **{f"width_outer_{width}": ((width, 3), (3, width + 1), (width, 1)) for width in (9, 17, 127)},
    "rank_three": ((4, 5, 7), (4, 7, 3), (4, 5, 3)),
    "broadcast_row": ((5, 7), (7, 3), (3,)),
    "broadcast_row_of_two_axes": ((5, 7), (7, 3), (1, 3)),
    "broadcast_column": ((5, 7), (7, 3), (5, 1)),
    # Square results, so that a column and a row fit in each other's place.
    "broadcast_row_of_a_square": ((5, 7), (7, 5), (5,)),
    "broadcast_row_of_two_axes_of_a_square": ((5, 7), (7, 5), (1, 5)),
    "broadcast_column_of_a_square": ((5, 7), (7, 5), (5, 1)),
    "broadcast_row_of_a_cube": ((5, 5, 7), (5, 7, 5), (5,)),
    "broadcast_column_of_a_cube": ((5, 5, 7), (5, 7, 5), (5, 1)),
    "broadcast_numbers_of_a_cube": ((5, 5, 7), (5, 7, 5), (5, 1, 1)),
    "broadcast_number": ((5, 7), (7, 3), ()),
    "broadcast_unit": ((5, 7), (7, 3), (1, 1)),
    "broadcast_matrix": ((4, 5, 7), (4, 7, 3), (5, 3)),
    "broadcast_row_of_three_axes": ((4, 5, 7), (4, 7, 3), (1, 1, 3)),
    "unit_row": ((1, 7), (7, 3), (1, 3)),
    "unit_column": ((5, 7), (7, 1), (5, 1)),
    "unit_outer_product": ((5, 1), (1, 3), (5, 3)),
    "empty_rows": ((0, 7), (7, 3), (3,)),
    "empty_inner": ((5, 0), (0, 3), (5, 3)),
    "empty_batch": ((0, 5, 7), (0, 7, 3), (5, 3)),
}
"""The shapes of A, B and C by sample. Factors are ``FACTORS`` in all but the plain one."""
FACTORS: Mapping[str, float] = {"alpha": 0.75, "beta": -1.5}


def _samples(stream: Stream) -> Iterator[Sample]:
    """Matrices and stacks of them, every kind of broadcasting, transposes, factors of 0 and others, long sums."""

    def normal(name: str, *shapes: tuple[int, ...], scale: float = 1.0, of: str = "abc") -> dict[str, Array]:
        shapes = shapes or ((5, 7), (7, 3), (5, 3))
        return {
            letter: stream(name)(letter).normal(shape, deviation=scale if letter in of else 1.0)
            for letter, shape in zip("abc", shapes, strict=True)
        }

    def sample(name: str, *shapes: tuple[int, ...], **keywords: Any) -> Sample:
        return Sample(name=name, inputs=normal(name, *shapes), keywords=keywords)

    for name, shapes in PRODUCTS.items():
        yield sample(name, *shapes, **({} if name == "plain_matrices" else FACTORS))
    yield sample("plain_factors", **FACTORS)
    alone = normal("optional_no_c")
    yield Sample(name="optional_no_c", inputs={**alone, "c": None}, keywords={"alpha": 0.75})
    yield sample("optional_alpha", alpha=-2.5)
    yield sample("optional_beta", beta=0.375)
    yield sample("zero_alpha", **{**FACTORS, "alpha": 0.0})
    yield sample("zero_both", alpha=0.0, beta=0.0)
    turned = {"transpose_a": ((7, 5), (7, 3)), "transpose_b": ((5, 7), (3, 7)), "transpose_both": ((7, 5), (3, 7))}
    for word, (first, second) in turned.items():
        both = {"transpose_a": word != "transpose_b", "transpose_b": word != "transpose_a"}
        yield sample(f"optional_{word}", first, second, (5, 3), **both, **FACTORS)
        yield sample(f"rank_three_{word}", (4, *first), (4, *second), (4, 5, 3), **both, **FACTORS)
    # Square, so that a transpose that is left out shows in values only.
    square = ((6, 6), (6, 6), (6, 6))
    yield sample("optional_transpose_both_of_squares", *square, transpose_a=True, transpose_b=True, **FACTORS)
    for memory in ("transposed", "sliced"):
        name = f"strided_{memory}"
        yield Sample(name=name, inputs=normal(name), keywords=FACTORS, memory=memory)
        name = f"strided_{memory}_stack"
        stacks = normal(name, (4, 5, 7), (4, 7, 3), (4, 5, 3))
        yield Sample(name=name, inputs=stacks, keywords=FACTORS, memory=memory, dtypes=SINGLE)
    yield from long_samples(lambda name, length: normal(name, (length, 3), (3, 3), (3,)), "rows", keywords=FACTORS)
    yield sample("long_zero_mean", (2, 16384), (16384, 3), (2, 3), **FACTORS)
    positive = {letter: np.abs(array) for letter, array in normal("long_positive", (2, 16384), (16384, 3), (3,)).items()}
    yield Sample(name="long_positive", inputs=positive, keywords={"alpha": 0.125, "beta": 2.0})

    for word, scale in (("hundred", 100.0), ("hundredth", 0.01)):
        yield Sample(name=f"magnitude_{word}", inputs=normal(f"magnitude_{word}", scale=scale, of="ac"), keywords=FACTORS)
    for word, scale in (("1e15", 1e15), ("1e_minus_15", 1e-15)):
        name = f"magnitude_{word}"
        yield Sample(name=name, inputs=normal(name, scale=scale, of="ab"), keywords=FACTORS, dtypes=WIDE_DTYPES)
    small = normal("magnitude_small_alpha", scale=1e10, of="ab")
    yield Sample(name="magnitude_small_alpha", inputs=small, keywords={"alpha": 2.0**-66}, dtypes=WIDE_DTYPES)

    for name, letter, value in (
        ("nan_rows", "a", np.nan),
        ("infinity_rows", "a", np.inf),
        ("nan_columns", "b", np.nan),
        ("infinity_columns", "b", -np.inf),
        ("nan_added", "c", np.nan),
        ("infinity_added", "c", np.inf),
    ):
        inputs = normal(name, (9, 9), (9, 9), (9, 9))
        inputs[letter][np.arange(0, 8, 2), np.arange(1, 8, 2)] = value
        yield Sample(name=name, inputs=inputs, keywords=FACTORS)
    for choice in ZERO_BETA:
        keywords = {"alpha": 0.75, "beta": 0.0, "zero_beta": choice}
        yield sample(f"convention_{choice}", **keywords)
        yield sample(f"convention_{choice}_stack", (4, 5, 7), (4, 7, 3), (5, 3), **keywords)
        for word, value in (("nan", np.nan), ("infinity", np.inf)):
            name = f"convention_{choice}_{word}"
            inputs = normal(name)
            inputs["c"][[0, 2, 4], [1, 0, 2]] = value
            yield Sample(name=name, inputs=inputs, keywords=keywords)
            inputs = normal(f"{name}_row", (5, 7), (7, 3), (3,))
            inputs["c"][1] = value
            yield Sample(name=f"{name}_row", inputs=inputs, keywords=keywords)


SIZES = {"S": (32, 32, 32), "M": (256, 256, 256), "L": (1024, 512, 1024)}
"""Rows, inner size and columns of what is timed."""


def _workload(stream: Stream, size: str) -> Sample:
    """A product by a transposed matrix, scaled and added to half of another matrix."""
    rows, inner, columns = SIZES[size]
    inputs = {
        "a": ordinary(stream("a"), (rows, inner)),
        "b": weights(stream("b"), (columns, inner), fan_in=inner),
        "c": ordinary(stream("c"), (rows, columns)),
    }
    return Sample(name=size, inputs=inputs, keywords={"alpha": 1.5, "beta": 0.5, "transpose_b": True})


def _work(
    a: Array,
    b: Array,
    c: Array | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transpose_a: bool = False,
    transpose_b: bool = False,
    zero_beta: str = "unread",
) -> Work:
    """A product and a sum for each row, inner index and column; a product of each result with α, unless that is 1, and of each
    number of C with β, and a sum for each result. Back twice the products of matrices, a product of each cotangent with α, of
    each number of C with β, and the sums over what was broadcast."""
    inner, rows = (a.shape[-2], a.shape[-1]) if transpose_a else (a.shape[-1], a.shape[-2])
    results = math.prod(a.shape[:-2]) * rows * (b.shape[-2] if transpose_b else b.shape[-1])
    scaled = results if alpha != 1 else 0
    read = c is not None and not (beta == 0 and zero_beta == "unread")
    added = count(c) if read and beta != 1 else 0
    return products(results * inner) + Work(
        flops=scaled + added + (results if read else 0),
        backward_flops=scaled + added + (results - count(c) if read else 0),
        untouched=0 if read else count(c),
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        function=gemm,
        vjp=_vjp,
        samples=_samples,
        family="product",
        profile=EXTENDED,
        differentiable=("a", "b", "c"),
        conventions={"zero_beta": ZERO_BETA},
        workload=_workload,
        work=_work,
    ),
)
