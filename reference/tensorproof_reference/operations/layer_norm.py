"""Layer normalization: see ``layer_norm``."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_last_axes, require_shape
from tensorproof_reference.operation import DTYPES, Operation, Sample, Work, asarray
from tensorproof_reference.operations._workloads import PLANES, count, ordinary
from tensorproof_reference.sample_kinds import long_samples
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def layer_norm(
    x: Array,
    scale: Array | None = None,
    offset: Array | None = None,
    *,
    axes: tuple[int, ...] = (-1,),
    epsilon: float = 1e-5,
) -> Array:
    r"""Each example brought to mean 0 and variance 1 over ``axes``, then scaled and shifted:
    :math:`y = \gamma (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta`.

    :math:`\mu` is the mean over ``axes``, m values, and :math:`\sigma^2 = \frac{1}{m} \sum (x - \mu)^2`, in two passes.

    Shapes: ``x`` and the result are any shape of rank ≥ 1; ``axes`` are its last ones, each counted from either end;
    ``scale`` and ``offset`` have the shape of ``x`` along these axes, and may be ``None``: 1 and 0.
    Special values: NaN makes its whole example NaN, as does ±∞. Over one value the result is the offset.
    Raises: ``ValueError`` if ``axes`` are not the last axes, there is nothing along them, shapes do not fit, or ``epsilon`` is
    negative.
    Source: Ba, Kiros & Hinton (2016), eq. 3.
    """
    _check(x, scale, offset, axes, epsilon)
    normalized, _ = _normalize(x, axes, epsilon)
    scaled = normalized if scale is None else normalized * scale
    return scaled if offset is None else scaled + offset


def _check(x: Array, scale: Array | None, offset: Array | None, axes: tuple[int, ...], epsilon: float) -> None:
    shape = require_last_axes(x, axes)
    for name, array in (("scale", scale), ("offset", offset)):
        if array is not None:
            require_shape(array, name, shape)
    require(epsilon >= 0, "epsilon", "a number that is not negative", epsilon)


def _normalize(x: Array, axes: tuple[int, ...], epsilon: float) -> tuple[Array, Array]:
    """The normalized input, and the root that it was divided by."""
    normalized = x - np.mean(x, axis=tuple(axes), keepdims=True)
    deviation = np.sqrt(np.mean(np.square(normalized), axis=tuple(axes), keepdims=True) + epsilon)
    normalized /= deviation
    return normalized, deviation


def vjp(
    dy: Array,
    x: Array,
    scale: Array | None = None,
    offset: Array | None = None,
    *,
    axes: tuple[int, ...] = (-1,),
    epsilon: float = 1e-5,
) -> Gradients:
    r"""With :math:`\hat x` the normalized input, :math:`g = \gamma\, dy` and means over ``axes``:
    :math:`dx = (g - \overline{g} - \hat x\, \overline{g \hat x}) / \sqrt{\sigma^2 + \epsilon}`;
    :math:`d\gamma = \sum dy\, \hat x` and :math:`d\beta = \sum dy` over the other axes.
    """
    normalized, deviation = _normalize(x, axes, epsilon)
    others = tuple(range(x.ndim - len(axes)))
    dscale = None if scale is None else np.sum(dy * normalized, axis=others)
    doffset = None if offset is None else np.sum(dy, axis=others)
    dnormalized = dy if scale is None else dy * scale
    projection = np.mean(dnormalized * normalized, axis=tuple(axes), keepdims=True)
    dx = dnormalized - np.mean(dnormalized, axis=tuple(axes), keepdims=True)
    normalized *= projection
    dx -= normalized
    dx /= deviation
    return {"x": dx, "scale": dscale, "offset": doffset}


def samples(stream: Stream) -> Iterator[Sample]:
    """One to three axes, with and without scale and offset, small inputs, cancellation, odd widths."""

    def arguments(
        name: str, *shape: int, last: int = 1, mean: float = 0.0, deviation: float = 1.0, **given: Any
    ) -> dict[str, Array]:
        numbers, features = stream(name), shape[len(shape) - last :]
        return {
            "x": numbers("x").normal(shape, mean, deviation),
            "scale": numbers("scale").uniform(features, 0.5, 1.5),
            "offset": numbers("offset").normal(features),
            **given,
        }

    rows = (5, 7)
    high = ("float64", "float32")
    fine = (*high, "float16")
    wide = (*high, "bfloat16")
    yield Sample(name="plain_rows", inputs=arguments("plain_rows", *rows))
    yield Sample(name="size_large", inputs=arguments("size_large", 64, 128))
    yield Sample(name="width_3", inputs=arguments("width_3", 2, 3), dtypes=fine)
    for width in (8, 9, 17, 127):
        yield Sample(name=f"width_{width}", inputs=arguments(f"width_{width}", 2, width))
    yield Sample(name="rank_one", inputs=arguments("rank_one", 7))
    yield Sample(name="rank_four", inputs=arguments("rank_four", 2, 3, 4, 5))
    yield Sample(name="unit_batch", inputs=arguments("unit_batch", 1, 7))
    single = arguments("unit_axis", 5, 1)
    yield Sample(
        name="unit_axis",
        inputs=single,
        keywords={"epsilon": 0.1},
        expected={"y": np.repeat(single["offset"][None], 5, axis=0), "d_x": np.zeros((5, 1))},
        exact_zero=("d_x", "d_scale"),
        dtypes=fine,
    )
    for name, last in (("unit_axis_no_scale", 1), ("unit_axis_no_offset", 1), ("unit_two_axes", 2), ("unit_three_axes", 3)):
        inputs = arguments(name, 5, *(1,) * last, last=last)
        inputs |= {"scale": None} if "no_scale" in name else {}
        inputs |= {"offset": None} if "no_offset" in name else {}
        keywords = {"epsilon": 0.1, "axes": tuple(range(-last, 0))}
        zeros = ("d_x", "d_scale") if inputs["offset"] is not None else ("y", "d_x", "d_scale")
        yield Sample(name=name, inputs=inputs, keywords=keywords, exact_zero=zeros, dtypes=fine)
    # The mean of one number is that number: the offset is exact and the scale has no gradient, however large the number is.
    given = {"scale": asarray([2.0]), "offset": asarray([3.0])}
    for name, values, dtypes in (
        ("cancellation_of_one_number", [10000 / 3, 1023.7, -60000.0, 333.3, 7.1], DTYPES),
        ("cancellation_of_one_number_1e6", [1e6, 1e6 + 0.7, -12345678.9, 3e20, 1.1e-20], wide),
    ):
        x = asarray(values)[:, None]
        expected = {"y": np.full((5, 1), 3.0), "d_scale": np.zeros(1)}
        yield Sample(name=name, inputs={"x": x, **given}, expected=expected, exact_zero=("d_x", "d_scale"), dtypes=dtypes)
    yield Sample(name="empty_batch", inputs=arguments("empty_batch", 0, 7))
    yield Sample(name="strided_transposed", inputs=arguments("strided_transposed", *rows), memory="transposed")
    yield Sample(name="strided_sliced", inputs=arguments("strided_sliced", *rows), memory="sliced")
    yield Sample(name="axis_two", inputs=arguments("axis_two", 3, 4, 5, last=2), keywords={"axes": (-2, -1)})
    yield Sample(name="axis_two_positive", inputs=arguments("axis_two_positive", 3, 4, 5, last=2), keywords={"axes": (1, 2)})
    yield Sample(name="axis_three", inputs=arguments("axis_three", 2, 3, 4, 5, last=3), keywords={"axes": (-3, -2, -1)})
    yield Sample(name="axis_all", inputs=arguments("axis_all", *rows, last=2), keywords={"axes": (-2, -1)})

    for name, deviation in (("epsilon_inputs_3_milli", 3e-3), ("epsilon_inputs_10_micro", 1e-5)):
        yield Sample(name=name, inputs=arguments(name, *rows, deviation=deviation, offset=np.zeros(7)))
    name = "epsilon_inputs_10_micro_wide"
    yield Sample(name=name, inputs=arguments(name, 2, 127, deviation=1e-5, offset=np.zeros(127)))
    yield Sample(name="epsilon_large", inputs=arguments("epsilon_large", *rows, deviation=0.3), keywords={"epsilon": 0.1})
    two = arguments("epsilon_two_values", 5, 2)
    yield Sample(name="epsilon_two_values", inputs=two, keywords={"epsilon": 0.1}, dtypes=fine)
    constant = arguments("epsilon_constant_row", *rows)
    constant["x"][1] = 0.5
    yield Sample(name="epsilon_constant_row", inputs=constant, dtypes=high)

    yield Sample(name="magnitude_100", inputs=arguments("magnitude_100", *rows, deviation=100.0))
    yield Sample(name="magnitude_300", inputs=arguments("magnitude_300", *rows, deviation=300.0))
    yield Sample(name="magnitude_1e10", inputs=arguments("magnitude_1e10", *rows, deviation=1e10), dtypes=wide)
    extreme = arguments("magnitude_1e15", *rows, deviation=1e15)
    yield Sample(name="magnitude_1e15", inputs=extreme, dtypes=wide)
    overflowing = arguments("magnitude_squares_overflow", *rows, deviation=1e25)
    yield Sample(name="magnitude_squares_overflow", inputs=overflowing, dtypes=wide, required=False)
    yield Sample(name="cancellation_mean_2", inputs=arguments("cancellation_mean_2", *rows, mean=2.0))
    yield Sample(name="cancellation_mean_100", inputs=arguments("cancellation_mean_100", *rows, mean=100.0), dtypes=high)
    cancelling = arguments("cancellation_mean_1000", *rows, mean=1000.0, deviation=0.01)
    yield Sample(name="cancellation_mean_1000", inputs=cancelling, dtypes=("float64",))
    yield Sample(name="long_513", inputs=arguments("long_513", 2, 513))
    yield Sample(name="long_5000", inputs=arguments("long_5000", 2, 5000))
    yield from long_samples(lambda name, length: arguments(name, 2, length), "axis")
    yield Sample(name="bounds_epsilon_zero", inputs=arguments("bounds_epsilon_zero", *rows), keywords={"epsilon": 0.0})

    yield Sample(name="optional_no_scale", inputs=arguments("optional_no_scale", *rows, scale=None))
    yield Sample(name="optional_no_offset", inputs=arguments("optional_no_offset", *rows, offset=None))
    yield Sample(name="optional_neither", inputs=arguments("optional_neither", *rows, scale=None, offset=None))
    two = arguments("optional_neither_two_axes", 3, 4, 5, scale=None, offset=None)
    yield Sample(name="optional_neither_two_axes", inputs=two, keywords={"axes": (-2, -1)})

    lanes = arguments("nan_each_lane", 9, 8)
    np.fill_diagonal(lanes["x"], np.nan)
    yield Sample(name="nan_each_lane", inputs=lanes)
    infinite = arguments("infinity_one_row", *rows)
    infinite["x"][2, 3] = np.inf
    yield Sample(name="infinity_one_row", inputs=infinite)


def workload(stream: Stream, size: str) -> Sample:
    """Rows with scale and offset."""
    rows, features = PLANES[size]
    inputs = {
        "x": ordinary(stream("x"), (rows, features)),
        "scale": stream("scale").uniform((features,), 0.5, 1.5),
        "offset": stream("offset").uniform((features,), -0.5, 0.5),
    }
    return Sample(name=size, inputs=inputs)


def work(
    x: Array,
    scale: Array | None = None,
    offset: Array | None = None,
    *,
    axes: tuple[int, ...] = (-1,),
    epsilon: float = 1e-5,
) -> Work:
    """For each number: the sum for the mean, the difference from it, its square and the sum of these, and a quotient by the root;
    then a product and a sum. For each example: two quotients, the sum with ε and its root.

    Back, for each number the product with the scale, the sum of these, a product with x̂ and the sum of these, two differences, a
    product and a quotient; a product and a sum for dγ, and a sum for dβ. For each example: two quotients.
    """
    numbers, features = count(x), math.prod(x.shape[axis] for axis in axes)
    examples = numbers // features
    of_scale = 0 if scale is None else 3 * numbers - features
    of_offset = 0 if offset is None else numbers - features
    return Work(
        flops=numbers * (5 + (scale is not None) + (offset is not None)) + examples,
        transcendentals=examples,
        backward_flops=7 * numbers + of_scale + of_offset,
    )


OPERATION = Operation(
    function=layer_norm,
    vjp=vjp,
    samples=samples,
    family="normalization",
    differentiable=("x", "scale", "offset"),
    workload=workload,
    work=work,
)
