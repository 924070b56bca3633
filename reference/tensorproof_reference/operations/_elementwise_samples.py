"""The samples that every function of one number is judged on: see ``elementwise_samples``."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tensorproof_reference.operation import Sample
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

PLAIN_SHAPE = (7, 11)
"""77 elements: four vectors of 16 lanes and an odd rest. Samples share it, for compilers pay for every new shape."""

MAGNITUDES = {
    "small": (1e-3, 1e-5, 1e-8, 1e-20, 1e-30),
    "moderate": (10.0, 16.7, 20.5, 88.7, 89.0, 104.0, 745.2, 1e4),
    "large": (1e7, 1e13),
    "huge": (1e20, 1e30),
    "largest": (3e38,),
}
"""Where exponentials, their reciprocals and powers leave the range of a dtype."""

WIDE_DTYPES = ("float64", "float32", "bfloat16")
"""The dtypes that hold 3e38 and 1e-30, which are ∞ and 0 in float16."""

FINE_DTYPES = ("float64", "float32", "float16")
"""The dtypes that say something about the small derivatives of functions that saturate."""


def ordinary(stream: Stream, shape: tuple[int, ...] = PLAIN_SHAPE) -> Array:
    """Both signs, within ±7, at least 1/16 away from zero and so from the kinks of relu and its kin."""
    x = stream.normal(shape)
    return np.where(x < 0, x - 0.0625, x + 0.0625)


def among(x: Array, values: Sequence[float], first: int, every: int) -> Array:
    """The array with ``values`` in turn at positions first, first + every, …, counted in row-major order."""
    flat = x.reshape(-1).copy()
    places = np.arange(first, flat.size, every)
    flat[places] = np.resize(np.array(values), places.size)
    return flat.reshape(x.shape)


def sprinkled(stream: Stream, values: tuple[float, ...], first: int = 1, every: int = 3) -> Array:
    """Ordinary numbers with ``values`` in turn at positions first, first + every, …

    ``every`` is odd, so that the 77 positions modulo a vector's width take in every lane of it.
    """
    return among(ordinary(stream), values, first, every)


def alternating(low: float, high: float) -> Array:
    """``low`` at even and ``high`` at odd positions."""
    return np.resize(np.array((low, high)), PLAIN_SHAPE)


def magnitude(stream: Stream, name: str, **others: Any) -> Sample:
    """The sample of that class of ``MAGNITUDES``, both signs, among ordinary numbers."""
    values = tuple(sign * value for value in MAGNITUDES[name.split("_")[-1]] for sign in (-1.0, 1.0))
    dtypes = {} if name.endswith("moderate") else {"dtypes": WIDE_DTYPES}
    sample = f"magnitude_{name}"
    return Sample(name=sample, inputs={"x": sprinkled(stream(sample), values)}, **{**dtypes, **others})


def elementwise_samples(
    stream: Stream,
    *,
    at_infinity: tuple[float, float],
    at_zero: tuple[float, float],
    slope_at_infinity: tuple[float, float] | None = None,
    sign_of_zero: bool = False,
    nan_gradient: bool = True,
    zero_gradient: bool = True,
) -> Iterator[Sample]:
    """The samples that every function of one number has; operations add their own beyond these.

    Args:
        stream: where random numbers come from.
        at_infinity: the function's values at -∞ and +∞.
        at_zero: the function's values at -0 and +0.
        slope_at_infinity: the derivatives at -∞ and +∞ where the gradient there does not depend on the cotangent (0 or NaN).
        sign_of_zero: whether the sign of a zero at zero matters.
        nan_gradient: whether the gradient at NaN is agreed upon, so that it is judged in the required samples.
        zero_gradient: whether the derivative at 0 exists, so that it is judged in the required samples.
    """

    def drawn(name: str, *shape: int) -> dict[str, Array]:
        return {"x": ordinary(stream(name), shape or PLAIN_SHAPE)}

    yield Sample(name="plain_both_signs", inputs=drawn("plain_both_signs"))
    yield Sample(name="size_large", inputs=drawn("size_large", 64, 128))
    # More elements than PyTorch gives to one thread.
    yield Sample(name="size_beyond_one_thread", inputs=drawn("size_beyond_one_thread", 160, 257))
    for width in (1, 2, 3, 8, 9, 15, 16, 17, 127):
        yield Sample(name=f"width_{width}", inputs=drawn(f"width_{width}", 24 if width < 8 else 6, width))
    yield Sample(name="width_513", inputs=drawn("width_513", 513))
    yield Sample(name="rank_one", inputs=drawn("rank_one", 7))
    yield Sample(name="rank_four", inputs=drawn("rank_four", 2, 3, 4, 5))
    yield Sample(name="empty_batch", inputs=drawn("empty_batch", 0, 11))
    yield Sample(name="strided_transposed", inputs=drawn("strided_transposed"), memory="transposed")
    yield Sample(name="strided_sliced", inputs=drawn("strided_sliced"), memory="sliced")
    nan = {"x": sprinkled(stream("nan_each_lane"), (np.nan,), first=0, every=5)}
    yield Sample(name="nan_each_lane", inputs=nan, gradient=nan_gradient)
    if not nan_gradient:
        yield Sample(name="nan_gradient", inputs=nan, required=False)
    infinite = sprinkled(stream("infinity_each_lane"), (-np.inf, np.inf, np.inf), first=2, every=5)
    yield Sample(name="infinity_each_lane", inputs={"x": infinite})
    expected = {"y": alternating(*at_infinity)}
    if slope_at_infinity is not None:
        expected["d_x"] = alternating(*slope_at_infinity)
    exact_zero = ("d_x",) if slope_at_infinity == (0.0, 0.0) else ()
    yield Sample(name="infinity_only", inputs={"x": alternating(-np.inf, np.inf)}, expected=expected, exact_zero=exact_zero)
    tens = stream("magnitude_tens").uniform(PLAIN_SHAPE, -10.0, 10.0)
    yield Sample(name="magnitude_tens", inputs={"x": np.where(np.abs(tens) < 0.0625, 1.0, tens)}, dtypes=FINE_DTYPES)
    for name in MAGNITUDES:
        yield magnitude(stream, name)
    yield Sample(
        name="zero_signed",
        inputs={"x": alternating(-0.0, 0.0)},
        expected={"y": alternating(*at_zero)},
        sign_of_zero=sign_of_zero,
        gradient=zero_gradient,
    )
