"""Casts against NumPy's own, and float8 against all of its numbers."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tensorproof_reference.primitives.casts import cast_through
from tensorproof_reference.registry import extended_operations
from tensorproof_reference.stream import Stream


def numbers() -> Any:
    draw = Stream(1)("casts")
    return np.concatenate(
        [draw("near").normal((400,)), draw("far").normal((400,), deviation=2e4), [0.0, -0.0, np.inf, -np.inf, np.nan]]
    )


def every_number(bits: int, bias: int, largest: float) -> Any:
    """All finite numbers of a float of 8 bits, by its definition: of 0 and more, in order."""
    fraction_bits = bits - 1
    codes = np.arange(128)
    exponent, fraction = codes >> fraction_bits, codes & (2**fraction_bits - 1)
    normal = (1 + fraction / 2**fraction_bits) * 2.0 ** (exponent - bias)
    values = np.where(exponent == 0, fraction / 2**fraction_bits * 2.0 ** (1 - bias), normal)
    return values[values <= largest]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("own", ["float64", "float32"])
def test_floats_are_cast_as_numpy_casts_them(own: str, dtype: str) -> None:
    x = numbers().astype(own)
    with np.errstate(over="ignore"):
        expected = x.astype(dtype).astype(own)
    found = cast_through(x, dtype=dtype)
    assert found.dtype == own
    assert_array_equal(found, expected)
    assert_array_equal(np.signbit(found), np.signbit(expected))


@pytest.mark.parametrize("dtype", ["int64", "int32", "int8", "uint8", "bool"])
def test_whole_numbers_are_cast_as_numpy_casts_them(dtype: str) -> None:
    x = Stream(2)("whole").uniform((200,), 0.0 if dtype == "uint8" else -100.0, 100.0)
    assert_array_equal(cast_through(x, dtype=dtype), x.astype(dtype).astype(np.float64))


@pytest.mark.parametrize(("dtype", "bits", "bias", "largest"), [("float8_e4m3fn", 4, 7, 448.0), ("float8_e5m2", 3, 15, 57344.0)])
def test_float8_rounds_to_the_nearest_of_its_numbers(dtype: str, bits: int, bias: int, largest: float) -> None:
    held = every_number(bits, bias, largest)
    assert held[-1] == largest
    assert_array_equal(cast_through(held, dtype=dtype), held)
    assert_array_equal(cast_through(-held, dtype=dtype), -held)
    middle = (held[1:] + held[:-1]) / 2
    even = np.where(np.arange(len(middle)) % 2 == 0, held[:-1], held[1:])
    assert_array_equal(cast_through(middle, dtype=dtype), even)
    assert_array_equal(cast_through(np.nextafter(middle, np.inf), dtype=dtype), held[1:])
    assert_array_equal(cast_through(np.nextafter(middle, -np.inf), dtype=dtype), held[:-1])


def test_beyond_the_range_of_float8_is_nan_infinity_or_the_largest() -> None:
    x = np.array([464.0, 465.0, -1e9, np.inf])
    assert_array_equal(cast_through(x, dtype="float8_e4m3fn"), [448.0, np.nan, np.nan, np.nan])
    assert_array_equal(cast_through(x, dtype="float8_e4m3fn", saturate=True), [448.0, 448.0, -448.0, 448.0])
    assert_array_equal(cast_through(np.array([61439.0, 61440.0]), dtype="float8_e5m2"), [57344.0, np.inf])


def test_a_number_just_above_a_tie_goes_up() -> None:
    assert cast_through(np.array(1 + 2.0**-11 + 2.0**-40)) == 1 + 2.0**-10
    assert cast_through(np.array(1 + 2.0**-11)) == 1.0


def test_the_gradient_is_the_cotangent_cast_in_the_same_way() -> None:
    vjp = extended_operations()["cast_through"].vjp
    assert vjp is not None
    x, dy = Stream(3)("x").normal((50,)), Stream(3)("dy").normal((50,))
    for dtype in ("float16", "bfloat16", "float8_e5m2", "float64"):
        assert_array_equal(vjp(dy, x, dtype=dtype)["x"], cast_through(dy, dtype=dtype))
    assert_array_equal(vjp(dy, x, dtype="int32")["x"], np.zeros(50))


def test_other_dtypes_are_told() -> None:
    with pytest.raises(ValueError, match="dtype: expected one of 'float64'"):
        cast_through(np.ones(3), dtype="complex64")
