"""Spectral normalization: see ``spectral_norm``."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_shape
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._workloads import PLANES, count, ordinary, products
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def spectral_norm(weight: Array, vector: Array) -> tuple[Array, Array]:
    r"""A weight divided by what one step of the power iteration takes for its largest singular value:

    .. math:: v = \frac{W^\top \tilde u}{\lVert W^\top \tilde u \rVert}, \quad u = \frac{W v}{\lVert W v \rVert}, \quad
        \sigma = u^\top W v, \quad y = W / \sigma

    W is the weight as a matrix with its first axis as rows; ũ is the ``vector`` that the step before left, and u the one that
    this step leaves. No gradient flows through u and v: they are constants of the gradient.

    Shapes: ``weight`` (A, …) with at least two axes; ``vector`` (A); returns y as ``weight``, and u (A).
    Special values: NaN in the weight makes everything NaN.
    Raises: ``ValueError`` if the weight has fewer axes, is empty, or the vector does not fit.
    Source: Miyato et al. (2018), section 2.1 and algorithm 1.
    """
    matrix, _, u, sigma = _step(weight, vector)
    return (matrix / sigma).reshape(weight.shape), u


def _step(weight: Array, vector: Array) -> tuple[Array, Array, Array, Array]:
    """The weight as a matrix, v, u and σ."""
    require(weight.ndim >= 2 and 0 not in weight.shape, "weight", "two axes or more, none empty", f"shape {weight.shape}")
    require_shape(vector, "vector", (weight.shape[0],))
    matrix = weight.reshape((weight.shape[0], -1))
    v = _normalized(np.transpose(matrix) @ vector)
    forward = matrix @ v
    u = _normalized(forward)
    return matrix, v, u, np.sum(u * forward)


def _normalized(vector: Array) -> Array:
    return vector / np.sqrt(np.sum(np.square(vector)))


def vjp(dy: Array, weight: Array, vector: Array) -> Gradients:
    r""":math:`dW = (dy - u v^\top \langle dy, y \rangle) / \sigma`, with u and v constant."""
    matrix, v, u, sigma = _step(weight, vector)
    upstream = dy.reshape(matrix.shape)
    projection = np.sum(upstream * (matrix / sigma))
    return {"weight": ((upstream - u[:, None] * v * projection) / sigma).reshape(weight.shape)}


def samples(stream: Stream) -> Iterator[Sample]:
    """Matrices that are high and wide, kernels, vectors near to and far from the singular one, large and small weights."""

    def drawn(name: str, *shape: int, deviation: float = 1.0) -> dict[str, Array]:
        numbers = stream(name)
        # The middle of the weight is not zero, so that one direction is longer than the others and σ is no difference.
        weight = numbers("weight").normal(shape, mean=0.5, deviation=0.5) * deviation
        vector = numbers("vector").uniform(shape[:1], 0.25, 1.0)
        return {"weight": weight, "vector": vector / np.sqrt(np.sum(np.square(vector)))}

    def single(name: str, *shape: int, **others: Any) -> Sample:
        return Sample(name=name, inputs=drawn(name, *shape), dtypes=SINGLE, **others)

    yield Sample(name="plain_wide", inputs=drawn("plain_wide", 4, 7))
    yield Sample(name="plain_high", inputs=drawn("plain_high", 7, 4))
    yield single("size_large", 33, 64)
    yield single("size_square", 16, 16)
    for width in (2, 3, 8, 17, 127):
        yield single(f"width_{width}", 3, width)
    yield Sample(name="rank_kernel", inputs=drawn("rank_kernel", 4, 3, 2, 5))
    yield single("rank_three", 3, 4, 5)
    yield single("unit_row", 1, 7)
    yield single("unit_column", 7, 1)
    yield single("strided_transposed", 4, 7, memory="transposed")
    yield single("strided_sliced", 4, 7, memory="sliced")
    high = ("float64", "float32", "bfloat16")
    for word, deviation in (("100", 100.0), ("1e10", 1e10), ("1e_minus_3", 1e-3)):
        name = f"magnitude_{word}"
        yield Sample(name=name, inputs=drawn(name, 4, 7, deviation=deviation), dtypes=high)
    yield single("long_4097", 2, 4097)
    far = drawn("state_far_vector", 4, 7)
    far["vector"] = np.asarray([1.0, 0.0, 0.0, 0.0])
    yield Sample(name="state_far_vector", inputs=far, dtypes=SINGLE)
    longer = drawn("state_vector_of_another_length", 4, 7)
    longer["vector"] *= 3.0
    yield Sample(name="state_vector_of_another_length", inputs=longer, dtypes=SINGLE)
    undefined = drawn("nan_one_number", 4, 7)
    undefined["weight"][1, 2] = np.nan
    yield Sample(name="nan_one_number", inputs=undefined, dtypes=SINGLE)


def workload(stream: Stream, size: str) -> Sample:
    """A matrix, and a vector of equal numbers."""
    rows, columns = PLANES[size]
    return Sample(name=size, inputs={"weight": ordinary(stream("weight"), (rows, columns)), "vector": np.full(rows, rows**-0.5)})


def work(weight: Array, vector: Array) -> Work:
    """Two products with the matrix; two norms, each a square and a sum for each number, a root and the quotients; the sum of
    products σ; and a quotient for each number. Back, for each number a product and the sum of these, two products, a difference
    and a quotient."""
    numbers, rows = count(weight), weight.shape[0]
    columns = numbers // rows
    matrices = 2 * products(numbers).flops - rows - columns
    return Work(
        flops=matrices + 3 * (rows + columns) - 2 + 2 * rows - 1 + numbers,
        transcendentals=2,
        backward_flops=6 * numbers - 1,
    )


OPERATION = Operation(
    function=spectral_norm,
    vjp=vjp,
    samples=samples,
    family="reparameterization",
    profile=EXTENDED,
    differentiable=("weight",),
    outputs=("y", "u"),
    cotangents=("y",),
    axes={"weight": "a ...", "vector": "a", "y": "a ...", "u": "a"},
    workload=workload,
    work=work,
)
