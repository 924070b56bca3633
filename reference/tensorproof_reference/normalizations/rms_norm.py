"""Root-mean-square normalization: see ``rms_norm``."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_last_axes, require_shape
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work, asarray
from tensorproof_reference.operations._workloads import PLANES, count, ordinary
from tensorproof_reference.sample_kinds import long_samples
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def rms_norm(x: Array, scale: Array | None = None, *, axes: tuple[int, ...] = (-1,), epsilon: float = 1e-6) -> Array:
    r"""Each example divided by the root of its mean square over ``axes``, then scaled:
    :math:`y = \gamma x / \sqrt{\frac{1}{m} \sum x^2 + \epsilon}`, with m values along the axes.

    Shapes: ``x`` and the result are any shape of rank ≥ 1; ``axes`` are its last ones, each counted from either end; ``scale``
    has the shape of ``x`` along these axes, and may be ``None``: 1.
    Special values: NaN makes its whole example NaN. ±∞ is NaN itself (∞/∞) and makes the rest of its example 0.
    Raises: ``ValueError`` if ``axes`` are not the last axes, there is nothing along them, shapes do not fit, or ``epsilon`` is
    negative.
    Source: Zhang & Sennrich (2019), eq. 4; Touvron et al. (2023), section 2.2.
    """
    shape = require_last_axes(x, axes)
    require(epsilon >= 0, "epsilon", "a number that is not negative", epsilon)
    if scale is None:
        return x / _root(x, axes, epsilon)
    require_shape(scale, "scale", shape)
    return x / _root(x, axes, epsilon) * scale


def _root(x: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    return np.sqrt(np.mean(np.square(x), axis=tuple(axes), keepdims=True) + epsilon)


def vjp(dy: Array, x: Array, scale: Array | None = None, *, axes: tuple[int, ...] = (-1,), epsilon: float = 1e-6) -> Gradients:
    r"""With r the root, :math:`\hat x = x/r`, :math:`g = \gamma\, dy` and means over ``axes``:
    :math:`dx = (g - \hat x\, \overline{g \hat x})/r`, and :math:`d\gamma = \sum dy\, \hat x` over the other axes."""
    root = _root(x, axes, epsilon)
    normalized = x / root
    dnormalized = dy if scale is None else dy * scale
    projection = np.mean(dnormalized * normalized, axis=tuple(axes), keepdims=True)
    others = tuple(range(x.ndim - len(axes)))
    return {
        "x": (dnormalized - normalized * projection) / root,
        "scale": None if scale is None else np.sum(dy * normalized, axis=others),
    }


def samples(stream: Stream) -> Iterator[Sample]:
    """One to three axes, with and without scale, small and large inputs, odd widths, examples of one number."""

    def arguments(
        name: str, *shape: int, last: int = 1, mean: float = 0.0, deviation: float = 1.0, **given: Any
    ) -> dict[str, Any]:
        numbers, features = stream(name), shape[len(shape) - last :]
        return {
            "x": numbers("x").normal(shape, mean, deviation),
            "scale": numbers("scale").uniform(features, 0.25, 0.75),
            **given,
        }

    rows = (5, 7)
    high = ("float64", "float32")
    wide = (*high, "bfloat16")
    yield Sample(name="plain_rows", inputs=arguments("plain_rows", 4, 17))
    yield Sample(name="size_large", inputs=arguments("size_large", 64, 128))
    for width in (2, 3, 8, 9, 17, 127):
        yield Sample(name=f"width_{width}", inputs=arguments(f"width_{width}", 3, width))
    yield Sample(name="rank_one", inputs=arguments("rank_one", 7))
    yield Sample(name="rank_four", inputs=arguments("rank_four", 2, 3, 4, 5))
    yield Sample(name="unit_batch", inputs=arguments("unit_batch", 1, 7))
    yield Sample(name="unit_axis", inputs=arguments("unit_axis", 5, 1), keywords={"epsilon": 0.125})
    yield Sample(name="unit_axis_no_scale", inputs=arguments("unit_axis_no_scale", 5, 1, scale=None), keywords={"epsilon": 0.125})
    for last, word in ((2, "two"), (3, "three")):
        name = f"unit_axes_{word}"
        keywords = {"epsilon": 0.125, "axes": tuple(range(-last, 0))}
        yield Sample(name=name, inputs=arguments(name, 5, *(1,) * last, last=last), keywords=keywords, dtypes=(*high, "float16"))
    yield Sample(name="empty_batch", inputs=arguments("empty_batch", 0, 7))
    yield Sample(name="strided_transposed", inputs=arguments("strided_transposed", *rows), memory="transposed")
    yield Sample(name="strided_sliced", inputs=arguments("strided_sliced", *rows), memory="sliced")
    yield Sample(name="axis_two", inputs=arguments("axis_two", 3, 4, 5, last=2), keywords={"axes": (-2, -1)})
    yield Sample(name="axis_two_positive", inputs=arguments("axis_two_positive", 3, 4, 5, last=2), keywords={"axes": (1, 2)})
    yield Sample(name="axis_three", inputs=arguments("axis_three", 2, 3, 4, 5, last=3), keywords={"axes": (-3, -2, -1)})

    yield Sample(name="epsilon_inputs_1_milli", inputs=arguments("epsilon_inputs_1_milli", *rows, deviation=1e-3))
    yield Sample(name="epsilon_inputs_10_micro", inputs=arguments("epsilon_inputs_10_micro", *rows, deviation=1e-5), dtypes=wide)
    yield Sample(name="epsilon_large", inputs=arguments("epsilon_large", *rows, deviation=0.3), keywords={"epsilon": 0.125})
    zeros = arguments("epsilon_row_of_zeros", *rows)
    zeros["x"][1] = 0.0
    yield Sample(name="epsilon_row_of_zeros", inputs=zeros)
    yield Sample(name="bounds_epsilon_zero", inputs=arguments("bounds_epsilon_zero", *rows), keywords={"epsilon": 0.0})

    yield Sample(name="magnitude_100", inputs=arguments("magnitude_100", *rows, deviation=100.0))
    yield Sample(name="magnitude_1e10", inputs=arguments("magnitude_1e10", *rows, deviation=1e10), dtypes=wide)
    overflowing = arguments("magnitude_squares_overflow", *rows, deviation=1e25)
    yield Sample(name="magnitude_squares_overflow", inputs=overflowing, dtypes=wide, required=False)
    yield Sample(name="cancellation_mean_100", inputs=arguments("cancellation_mean_100", *rows, mean=100.0), dtypes=high)
    one = {"x": asarray([10000 / 3, 1023.7, -60000.0, 333.3, 7.1])[:, None], "scale": asarray([2.0])}
    yield Sample(name="cancellation_of_one_number", inputs=one, gradient=False)
    yield Sample(name="long_513", inputs=arguments("long_513", 2, 513))
    yield from long_samples(lambda name, length: arguments(name, 2, length), "axis")

    yield Sample(name="optional_no_scale", inputs=arguments("optional_no_scale", *rows, scale=None))
    two = arguments("optional_no_scale_two_axes", 3, 4, 5, scale=None)
    yield Sample(name="optional_no_scale_two_axes", inputs=two, keywords={"axes": (-2, -1)})

    lanes = arguments("nan_each_lane", 9, 8)
    np.fill_diagonal(lanes["x"], np.nan)
    yield Sample(name="nan_each_lane", inputs=lanes)
    infinite = arguments("infinity_one_row", *rows)
    infinite["x"][2, 3] = np.inf
    yield Sample(name="infinity_one_row", inputs=infinite, gradient=False)


def workload(stream: Stream, size: str) -> Sample:
    """Rows with a scale."""
    rows, features = PLANES[size]
    return Sample(
        name=size, inputs={"x": ordinary(stream("x"), (rows, features)), "scale": stream("scale").uniform((features,), 0.5, 1.5)}
    )


def work(x: Array, scale: Array | None = None, *, axes: tuple[int, ...] = (-1,), epsilon: float = 1e-6) -> Work:
    """For each number a square and the sum of these, and a quotient by the root; then a product. For each example a quotient, the
    sum with ε and its root.

    Back, for each number the product with the scale, a product with x̂ and the sum of these, a product, a difference
    and a quotient; a product and a sum for dγ.
    """
    numbers, features = count(x), math.prod(x.shape[axis] for axis in axes)
    examples = numbers // features
    of_scale = 0 if scale is None else 3 * numbers - features
    return Work(
        flops=numbers * (3 + (scale is not None)) + examples,
        transcendentals=examples,
        backward_flops=5 * numbers + of_scale,
    )


OPERATION = Operation(
    function=rms_norm,
    vjp=vjp,
    samples=samples,
    family="normalization",
    profile=EXTENDED,
    differentiable=("x", "scale"),
    workload=workload,
    work=work,
)
