import numpy as np
import pytest

from tensorproof_reference.rounding import FORMATS, format_of, round_to, spacing, ulp_distance
from tensorproof_reference.stream import Stream


def every_finite(dtype):
    """All finite numbers of a 16-bit format, in order."""
    bits = np.arange(2**16, dtype=np.uint32)
    if dtype == "float16":
        values = bits.astype(np.uint16).view(np.float16).astype(np.float64)
    else:
        with np.errstate(invalid="ignore"):  # signalling NaN
            values = (bits << np.uint32(16)).view(np.float32).astype(np.float64)
    return np.unique(values[np.isfinite(values)])


def anything(count):
    """Float64 numbers of every size, with all bits random."""
    values = Stream(1)("anything").raw(count).view(np.float64)
    return values[~np.isnan(values)]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_every_number_of_a_format_stays_and_midpoints_go_to_even(dtype):
    numbers = every_finite(dtype)
    assert np.array_equal(round_to(numbers, dtype), numbers)
    middle = (numbers[1:] + numbers[:-1]) / 2
    rounded = round_to(middle, dtype)
    lower, upper = numbers[:-1], numbers[1:]
    assert np.all((rounded == lower) | (rounded == upper))
    assert np.array_equal(round_to(np.nextafter(middle, np.inf), dtype), upper)
    assert np.array_equal(round_to(np.nextafter(middle, -np.inf), dtype), lower)
    even = np.rint(middle / (upper - lower)) * (upper - lower)
    within = np.abs(even) <= FORMATS[dtype].fmax
    assert np.array_equal(rounded[within], even[within])


@pytest.mark.parametrize(("dtype", "numpy_type"), [("float16", np.float16), ("float32", np.float32), ("float64", np.float64)])
def test_agrees_with_numpy(dtype, numpy_type):
    scaled = Stream(2)("scaled")
    values = np.concatenate([anything(50_000), *(scaled.normal((5_000,)) * 10.0**k for k in (-44, -38, -8, -5, 0, 4, 5, 38))])
    with np.errstate(all="ignore"):
        assert np.array_equal(round_to(values, dtype), values.astype(numpy_type).astype(np.float64))


def test_bfloat16_is_rounded_once():
    just_above_the_middle = 1 + 2**-8 + 2**-40  # as float32 it is the middle, which goes to even
    assert round_to(just_above_the_middle, "bfloat16") == 1 + 2**-7
    assert round_to(1 + 2**-8, "bfloat16") == 1.0


def test_bfloat16_agrees_with_arithmetic_on_bits():
    values = Stream(3)("values").normal((50_000,)) * 2.0 ** Stream(3)("exponents").integers((50_000,), -80, 80)
    bits = values.view(np.uint64)
    half = np.uint64(2**44 - 1) + ((bits >> np.uint64(45)) & np.uint64(1))
    expected = ((bits + half) & ~np.uint64(2**45 - 1)).view(np.float64)
    assert np.array_equal(round_to(values, "bfloat16"), expected)


@pytest.mark.parametrize("dtype", FORMATS)
def test_the_ends_of_the_range(dtype):
    chosen = FORMATS[dtype]
    assert round_to(chosen.fmax, dtype) == chosen.fmax
    assert round_to(chosen.smallest_subnormal, dtype) == chosen.smallest_subnormal
    assert np.signbit(round_to(-0.0, dtype))
    assert np.isnan(round_to(np.nan, dtype))
    assert round_to(-np.inf, dtype) == -np.inf
    if dtype != "float64":
        assert round_to(chosen.fmax + spacing(chosen.fmax, dtype) / 2, dtype) == np.inf
        assert round_to(-np.nextafter(chosen.fmax + spacing(chosen.fmax, dtype) / 2, 0), dtype) == -chosen.fmax
        assert round_to(chosen.smallest_subnormal / 2, dtype) == 0.0


@pytest.mark.parametrize("numpy_type", [np.float16, np.float32, np.float64])
def test_constants_are_those_of_numpy(numpy_type):
    chosen, info = FORMATS[np.dtype(numpy_type).name], np.finfo(numpy_type)
    found = (chosen.bits, chosen.fmax, chosen.smallest_normal, chosen.smallest_subnormal)
    assert found == (info.nmant + 1, info.max, info.smallest_normal, info.smallest_subnormal)


def test_ulp_distance():
    assert ulp_distance(1 + 2**-7, 1.0, "bfloat16") == 1.0
    assert ulp_distance(3 * 2.0**-24, 2.0**-24, "float16") == 2.0
    special = ulp_distance([np.nan, np.inf, np.inf, np.nan], [np.nan, np.inf, 1.0, 1.0], "float32")
    assert special.tolist() == [0, 0, np.inf, np.inf]


def test_an_unknown_dtype_is_refused():
    with pytest.raises(ValueError, match="dtype"):
        format_of("float8")
