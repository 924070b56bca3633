"""Numbers on the grid of an integer, against integers."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tensorproof_reference.primitives.quantization import fake_quantize
from tensorproof_reference.registry import extended_operations
from tensorproof_reference.stream import Stream


@pytest.mark.parametrize(
    ("scale", "zero_point", "lowest", "highest", "dtype"),
    [
        (0.125, 0, -128, 127, np.int8),
        (0.1, 5, -128, 127, np.int8),
        (0.05, 200, 0, 255, np.uint8),
        (1e-3, -7, -(2**15), 2**15 - 1, np.int16),
    ],
)
def test_numbers_are_those_of_an_integer(scale: float, zero_point: int, lowest: int, highest: int, dtype: Any) -> None:
    x = Stream(1)("quantized").normal((500,), deviation=100 * scale)
    stored = np.clip(np.rint(x / scale) + zero_point, lowest, highest).astype(dtype)
    expected = (stored.astype(np.float64) - zero_point) * scale
    found = fake_quantize(x, scale=scale, zero_point=zero_point, lowest=lowest, highest=highest)
    assert_allclose(found, expected, rtol=1e-14, atol=0)


def test_the_gradient_goes_straight_through_between_the_ends() -> None:
    vjp = extended_operations()["fake_quantize"].vjp
    assert vjp is not None
    x = np.array([-17.0, -16.0, -15.99, 0.06, 0.0, 15.875, 17.0])
    dy = np.arange(1.0, 8.0)
    assert_array_equal(vjp(dy, x)["x"], [0.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.0])


def test_infinities_are_the_ends_and_zero_stays() -> None:
    x = np.array([-np.inf, np.inf, 0.0])
    assert_array_equal(fake_quantize(x), [-16.0, 15.875, 0.0])
    assert np.isnan(fake_quantize(np.array([np.nan])))[0]


def test_a_grid_without_zero_is_told() -> None:
    with pytest.raises(ValueError, match="scale: expected a number above 0"):
        fake_quantize(np.ones(3), scale=0.0)
    with pytest.raises(ValueError, match="zero_point: expected an integer from -128 to 127"):
        fake_quantize(np.ones(3), zero_point=200)
