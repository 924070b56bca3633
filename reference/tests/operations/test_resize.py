"""Images of another size against plain loops in fractions, and the bars of the places of pixels."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tensorproof_reference.errorbars.array import values_and_bars, with_bars
from tensorproof_reference.errorbars.rules import precision_of
from tensorproof_reference.images.resize import resize
from tensorproof_reference.registry import extended_operations
from tensorproof_reference.stream import Stream
from tensorproof_reference.windows.adaptive import adaptive_average_pool

HALF = Fraction(1, 2)
PLACES: dict[str, Callable[[int, int, int], Fraction]] = {
    "half_pixel": lambda i, size, length: (i + HALF) * size / length - HALF,
    "align_corners": lambda i, size, length: Fraction(i * (size - 1), length - 1) if length > 1 else Fraction(0),
    "asymmetric": lambda i, size, length: Fraction(i * size, length),
}
ROUNDED: dict[str, Callable[[Fraction], int]] = {
    "floor": math.floor,
    "ceil": math.ceil,
    "round_prefer_ceil": lambda place: math.floor(place + HALF),
    "round_prefer_floor": lambda place: math.ceil(place - HALF),
}
LENGTHS = [(7, 11), (7, 5), (6, 4), (8, 4), (5, 5), (6, 1), (1, 3), (4, 8), (9, 13)]


def cubic(distance: Fraction, coefficient: float) -> float:
    a, d = coefficient, float(distance)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0.0


def row_of(x: Any, length: int, weight: Callable[[Fraction], float], coordinates: str, wide: bool, excluded: bool) -> Any:
    """One row resized by adding what each pixel gives, those beyond the edge too."""
    size = len(x)
    scale = max(Fraction(size, length), Fraction(1)) if wide else Fraction(1)
    found = []
    for i in range(length):
        place = PLACES[coordinates](i, size, length)
        pixels = range(size) if excluded or wide else range(-3, size + 3)
        weights = [weight(abs(place - pixel) / scale) for pixel in pixels]
        total = sum(share * x[min(max(pixel, 0), size - 1)] for share, pixel in zip(weights, pixels, strict=True))
        found.append(total / sum(weights))
    return found


def resized_row(x: Any, length: int, **keywords: Any) -> Any:
    return resize(np.asarray(x).reshape(1, 1, 1, -1), size=(1, length), **keywords).ravel()


@pytest.mark.parametrize("coordinates", PLACES)
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_interpolation_is_a_sum_over_pixels(lengths: tuple[int, int], coordinates: str) -> None:
    size, length = lengths
    x = Stream(1)("resize").normal((size,))
    expected = row_of(x, length, lambda d: max(0.0, 1 - float(d)), coordinates, False, False)
    assert_allclose(resized_row(x, length, coordinates=coordinates), expected, rtol=1e-12, atol=1e-14)
    for coefficient in (-0.75, -0.5):
        for excluded in (False, True):
            keywords = {"cubic_coefficient": coefficient, "exclude_outside": excluded, "coordinates": coordinates}
            kernel: Callable[[Fraction], float] = lambda d, a=coefficient: cubic(d, a)  # type: ignore[misc]  # noqa: E731
            expected = row_of(x, length, kernel, coordinates, False, excluded)
            assert_allclose(resized_row(x, length, interpolation="bicubic", **keywords), expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_antialias_widens_the_kernel_of_what_shrinks(lengths: tuple[int, int]) -> None:
    size, length = lengths
    x = Stream(2)("resize").normal((size,))
    expected = row_of(x, length, lambda d: max(0.0, 1 - float(d)), "half_pixel", True, True)
    assert_allclose(resized_row(x, length, antialias=True), expected, rtol=1e-12, atol=1e-14)
    expected = row_of(x, length, lambda d: cubic(d, -0.5), "half_pixel", True, True)
    found = resized_row(x, length, interpolation="bicubic", antialias=True, cubic_coefficient=-0.5)
    assert_allclose(found, expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("rounding", ROUNDED)
@pytest.mark.parametrize("coordinates", PLACES)
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_the_nearest_pixel_is_found_exactly(lengths: tuple[int, int], coordinates: str, rounding: str) -> None:
    size, length = lengths
    places = [PLACES[coordinates](i, size, length) for i in range(length)]
    expected = [min(max(ROUNDED[rounding](place), 0), size - 1) for place in places]
    found = resized_row(np.arange(size) * 1.0, length, interpolation="nearest", coordinates=coordinates, rounding=rounding)
    assert_array_equal(found, expected)


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_area_is_a_mean_of_whole_pixels_or_of_fractions(lengths: tuple[int, int]) -> None:
    size, length = lengths
    x = Stream(3)("resize").normal((1, 1, 1, size))
    whole = adaptive_average_pool(x, output=(1, length))
    assert_allclose(resize(x, size=(1, length), interpolation="area"), whole, rtol=1e-13, atol=1e-15)
    fine = np.repeat(x.ravel(), length).reshape(length, size).mean(axis=1)
    found = resized_row(x, length, interpolation="area", area="fractions")
    assert_allclose(found, fine, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "area"])
def test_the_gradient_is_the_adjoint(interpolation: str) -> None:
    vjp = extended_operations()["resize"].vjp
    assert vjp is not None
    draw = Stream(4)("adjoint")
    x, other, dy = draw("x").normal((2, 3, 7, 6)), draw("other").normal((2, 3, 7, 6)), draw("dy").normal((2, 3, 5, 9))
    keywords: dict[str, Any] = {"size": (5, 9), "interpolation": interpolation}
    dx = vjp(dy, x, **keywords)["x"]
    assert_allclose(np.sum(resize(other, **keywords) * dy), np.sum(other * dx), rtol=1e-12)


def test_nan_reaches_what_looks_at_it_and_nothing_else() -> None:
    x = np.ones((1, 1, 1, 6))
    x[..., 2] = np.nan
    assert np.isnan(resized_row(x, 6)).tolist() == [False, False, True, False, False, False]
    near = [abs((i + 0.5) * 6 / 9 - 0.5 - 2) for i in range(9)]
    assert np.isnan(resized_row(x, 9)).tolist() == [distance < 1 for distance in near]
    assert np.isnan(resized_row(x, 9, interpolation="bicubic")).tolist() == [distance < 2 for distance in near]


def test_places_are_as_exact_as_partial_sums() -> None:
    for dtype, ua in (("float64", 2.0**-53), ("float32", 2.0**-24), ("bfloat16", 2.0**-24)):
        x = with_bars(np.ones((1,)), precision_of(dtype))
        value, bar = values_and_bars(np.linspace(np.full_like(x, 10.0, shape=()), 40.0, 4, dtype=x.dtype))
        assert_array_equal(value, [10.0, 20.0, 30.0, 40.0])
        expected = ua * np.sqrt(2 * (value - 10.0 + 10.0) ** 2 + value**2)
        assert_allclose(bar, expected, rtol=1e-9)
        value, bar = values_and_bars(np.linspace(np.full_like(x, 10.0, shape=()), 10.0, 1, dtype=x.dtype))
        assert_allclose(bar, ua * value, rtol=1e-9)


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({"size": (3,)}, "size: expected two integers of at least 1"),
        ({"size": (0, 3)}, "size: expected two integers of at least 1"),
        ({"size": (3, 3), "interpolation": "linear"}, "interpolation: expected one of"),
        ({"size": (3, 3), "interpolation": "nearest", "antialias": True}, "antialias: expected False"),
        ({"size": (3, 3), "interpolation": "area", "coordinates": "align_corners"}, "coordinates: expected 'half_pixel'"),
    ],
)
def test_arguments_that_do_not_fit_are_told(keywords: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        resize(np.ones((1, 2, 3, 4)), **keywords)


def test_an_image_without_pixels_is_told() -> None:
    with pytest.raises(ValueError, match="x: expected no empty axis"):
        resize(np.ones((1, 2, 0, 4)), size=(1, 1))
