"""Weight normalization: see ``weight_norm``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require, require_axis, require_shape
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work, asarray
from tensorproof_reference.operations._workloads import PLANES, count, ordinary
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def weight_norm(direction: Array, scale: Array, *, axis: int | None = 0) -> Array:
    r"""A weight by its direction and its length, so that each can learn apart:

    .. math:: w = g\, v / \lVert v \rVert

    with a norm and a scale g for each place along ``axis``, over all other axes; or one norm of all numbers if it is ``None``.

    Shapes: ``direction`` v any shape of rank ≥ 1; ``scale`` one number for each place along ``axis``, or none of any axis; the
    result as ``direction``.
    Special values: NaN makes all that shares its norm NaN. ±∞ is NaN itself (∞/∞) and makes the rest of its norm 0.
    Raises: ``ValueError`` if there are no axes, ``axis`` is none of them, or ``scale`` has another shape.
    Source: Salimans & Kingma (2016), eq. 2.
    """
    norm, scales, _ = _parts(direction, scale, axis)
    return direction * scales / norm


def _parts(direction: Array, scale: Array, axis: int | None) -> tuple[Array, Array, tuple[int, ...]]:
    """Norms and scales with as many axes as ``direction``, and the axes that a norm is over."""
    require(direction.ndim > 0, "direction", "at least one axis", f"shape {direction.shape}")
    if axis is not None:
        require_axis(direction, "axis", axis)
    kept = () if axis is None else (axis % direction.ndim,)
    others = tuple(other for other in range(direction.ndim) if other not in kept)
    require_shape(scale, "scale", tuple(direction.shape[place] for place in kept))
    scales = scale.reshape(tuple(size if place in kept else 1 for place, size in enumerate(direction.shape)))
    return np.sqrt(np.sum(np.square(direction), axis=others, keepdims=True)), scales, others


def vjp(dw: Array, direction: Array, scale: Array, *, axis: int | None = 0) -> Gradients:
    r"""With :math:`\hat v = v / \lVert v \rVert` and p the sum of :math:`dw\, \hat v` over a norm:
    :math:`dg = p` and :math:`dv = (dw - \hat v p)\, g / \lVert v \rVert`."""
    norm, scales, others = _parts(direction, scale, axis)
    unit = direction / norm
    projection = np.sum(dw * unit, axis=others, keepdims=True)
    return {"direction": (dw - unit * projection) * scales / norm, "scale": projection.reshape(scale.shape)}


def samples(stream: Stream) -> Iterator[Sample]:
    """Norms along each axis and over all, matrices and kernels, scales of both signs, long and small ones."""

    def drawn(name: str, *shape: int, axis: int | None = 0, deviation: float = 1.0) -> dict[str, Array]:
        numbers = stream(name)
        scale = numbers("scale").normal(() if axis is None else (shape[axis],))
        return {"direction": numbers("direction").normal(shape, deviation=deviation), "scale": scale}

    def along(name: str, axis: int | None, *shape: int) -> Sample:
        return Sample(name=name, inputs=drawn(name, *shape, axis=axis), keywords={"axis": axis}, dtypes=SINGLE)

    yield Sample(name="plain_rows", inputs=drawn("plain_rows", 4, 7))
    yield Sample(name="size_large", inputs=drawn("size_large", 64, 129), dtypes=SINGLE)
    for width in (2, 3, 8, 17, 127):
        yield Sample(name=f"width_{width}", inputs=drawn(f"width_{width}", 3, width), dtypes=SINGLE)
    yield Sample(name="rank_kernel", inputs=drawn("rank_kernel", 4, 3, 2, 5))
    yield along("rank_one_of_all", None, 7)
    yield Sample(name="unit_row", inputs=drawn("unit_row", 1, 7), dtypes=SINGLE)
    one = drawn("unit_of_one_number", 5, 1)
    yield Sample(name="unit_of_one_number", inputs=one, gradient=False, dtypes=SINGLE)
    yield along("axis_last", -1, 4, 7)
    yield along("axis_middle", 1, 3, 4, 5)
    yield along("axis_last_of_three", -1, 3, 4, 5)
    yield along("axis_middle_from_the_end", -2, 3, 4, 5)
    yield along("axis_second_of_a_kernel", 1, 4, 3, 2, 5)
    yield along("axis_third_of_a_kernel_from_the_end", -2, 4, 3, 2, 5)
    # As long as the others, so that another axis fits as well.
    for axis in (-3, -2, -1):
        yield along(f"axis_minus_{-axis}_of_a_cube", axis, 4, 4, 4)
    yield along("axis_none", None, 4, 7)
    yield along("axis_none_of_a_kernel", None, 4, 3, 2)
    yield Sample(name="strided_transposed", inputs=drawn("strided_transposed", 4, 7), memory="transposed", dtypes=SINGLE)
    yield Sample(name="strided_sliced", inputs=drawn("strided_sliced", 4, 7), memory="sliced", dtypes=SINGLE)
    high = ("float64", "float32", "bfloat16")
    yield Sample(name="magnitude_100", inputs=drawn("magnitude_100", 4, 7, deviation=100.0), dtypes=high)
    yield Sample(name="magnitude_1e10", inputs=drawn("magnitude_1e10", 4, 7, deviation=1e10), dtypes=high)
    yield Sample(name="magnitude_1e_minus_10", inputs=drawn("magnitude_1e_minus_10", 4, 7, deviation=1e-10), dtypes=high)
    yield Sample(name="long_4097", inputs=drawn("long_4097", 2, 4097), dtypes=SINGLE)
    lanes = drawn("nan_one_number", 4, 7)
    lanes["direction"][1, 2] = np.nan
    yield Sample(name="nan_one_number", inputs=lanes, dtypes=SINGLE)
    infinite = drawn("infinity_one_number", 4, 7)
    infinite["direction"][2, 3] = np.inf
    yield Sample(name="infinity_one_number", inputs=infinite, gradient=False, dtypes=SINGLE)
    zero = drawn("zero_scale", 3, 5)
    zero["scale"] = asarray([1.5, 0.0, -2.0])
    yield Sample(name="zero_scale", inputs=zero, dtypes=SINGLE)


def workload(stream: Stream, size: str) -> Sample:
    """A matrix, a scale for each row."""
    rows, columns = PLANES[size]
    inputs = {"direction": ordinary(stream("direction"), (rows, columns)), "scale": stream("scale").uniform((rows,), 0.5, 1.5)}
    return Sample(name=size, inputs=inputs)


def work(direction: Array, scale: Array, *, axis: int | None = 0) -> Work:
    """For each number a square and the sum of these, and a product; for each norm its root, and a quotient of the scale by it.

    Back, for each number its unit, a product and the sum of these, a product, a difference and a product."""
    numbers, norms = count(direction), count(scale)
    return Work(
        flops=3 * numbers,
        transcendentals=norms,
        backward_flops=6 * numbers - norms,
    )


OPERATION = Operation(
    function=weight_norm,
    vjp=vjp,
    samples=samples,
    family="reparameterization",
    profile=EXTENDED,
    differentiable=("direction", "scale"),
    outputs=("w",),
    cotangents=("w",),
    workload=workload,
    work=work,
)
