"""Bars of products, and of sums and products from the start on, against the formulas and against real rounding errors."""

import numpy as np
import pytest

from tensorproof_reference.errorbars.array import values_and_bars, with_bars
from tensorproof_reference.errorbars.rules import precision_of
from tensorproof_reference.rounding import round_to
from tensorproof_reference.stream import Stream

FLOAT32 = precision_of("float32")
U, TINY = FLOAT32.u, FLOAT32.tiny


@pytest.fixture(autouse=True)
def _quiet():
    with np.errstate(all="ignore"):
        yield


def normal(name, *shape, mean=0.0):
    return Stream(0)("running")(name).normal(shape, mean)


def bar_of(x):
    return values_and_bars(x)[1]


def test_each_running_sum_has_the_bar_of_a_sum():
    x = normal("x", 4, 9)
    x[1, :3] = 0.0
    bars = 1e-6 * np.abs(normal("e", 4, 9))
    found = bar_of(np.cumsum(with_bars(x, FLOAT32, bars), axis=1))
    for end in range(1, 10):
        assert np.allclose(found[:, end - 1], bar_of(np.sum(with_bars(x[:, :end], FLOAT32, bars[:, :end]), axis=1)), rtol=1e-9)
    assert np.allclose(bar_of(np.cumsum(with_bars(x.T, FLOAT32, bars.T), axis=0)), found.T)


def test_the_first_running_sum_is_exact_and_what_is_infinite_too():
    found = bar_of(np.cumsum(with_bars([1.5, 2.5, np.inf, 1.0, -np.inf], FLOAT32), axis=0))
    assert found[0] == 0.0
    assert found[1] > 0.0
    assert not found[2:].any()


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_bars_of_running_sums_scale_in_float64(scale):
    x, precision = normal("x", 20), precision_of("float64")
    plain, large = (bar_of(np.cumsum(with_bars(factor * x, precision), axis=0)) for factor in (1.0, scale))
    assert np.allclose(large, scale * plain, rtol=1e-9, atol=0)


def test_a_product_rounds_once_for_each_factor_but_one():
    x = np.abs(normal("x", 3, 5)) + 0.5
    value, bar = values_and_bars(np.prod(with_bars(x, FLOAT32), axis=1))
    assert np.allclose(value, np.prod(x, axis=1))
    assert np.allclose(bar, value * U * np.sqrt(4 + 1) + TINY)
    assert np.allclose(bar_of(np.cumprod(with_bars(x, FLOAT32), axis=1))[:, -1], bar)
    assert np.array_equal(bar_of(np.prod(with_bars(x, FLOAT32), axis=1, keepdims=True))[:, 0], bar)


def test_factors_of_one_and_single_factors_are_exact():
    assert bar_of(np.prod(with_bars([1.0, -1.0, 3.7, 1.0], FLOAT32))) == 0.0
    assert bar_of(np.prod(with_bars([2.0, 3.7, 0.0], FLOAT32))) == 0.0
    assert values_and_bars(np.prod(with_bars(np.ones((2, 0)), FLOAT32), axis=1))[0].tolist() == [1.0, 1.0]
    assert not bar_of(np.prod(with_bars([2.0, np.inf, 3.0], FLOAT32))).any()


def test_a_product_carries_the_bars_of_its_factors():
    x, bars = np.array([2.0, 3.0, 5.0, 0.0]), np.array([0.1, 0.2, 0.3, 0.4])
    found = bar_of(np.cumprod(with_bars(x, FLOAT32, bars), axis=0))
    assert np.isclose(found[0], 0.1)
    assert np.isclose(found[1], np.hypot(0.3, 0.4))
    assert np.isclose(found[2], np.sqrt(1.5**2 + 2.0**2 + 1.8**2))
    assert np.isclose(found[3], 0.4 * 30.0)
    assert np.isclose(bar_of(np.prod(with_bars(x, FLOAT32, bars))), found[3])


def rms_of(y, result):
    value, bar = values_and_bars(result)
    z = np.where(y == value, 0.0, (np.asarray(y, np.float64) - value) / bar)
    return float(np.sqrt(np.mean(np.square(z))))


@pytest.mark.parametrize(("accumulate", "numpy_type"), [("float32", np.float32), ("same", np.float16)])
def test_running_sums_and_products_in_16_bits_have_the_predicted_error(accumulate, numpy_type):
    t = round_to(normal("summed", 200, 300, mean=0.1), "float16")[:, 1:]
    sums = np.add.accumulate(t.astype(numpy_type), axis=1, dtype=numpy_type).astype(np.float16)[:, 1:]
    precision = precision_of("float16", accumulate=accumulate)
    assert 0.3 < rms_of(sums, np.cumsum(with_bars(t, precision), axis=1)[:, 1:]) < 1.2
    factors = round_to(1.0 + 0.1 * normal("multiplied", 200, 60), "float16")
    products = np.multiply.accumulate(factors.astype(numpy_type), axis=1, dtype=numpy_type).astype(np.float16)[:, 1:]
    assert 0.3 < rms_of(products, np.cumprod(with_bars(factors, precision), axis=1)[:, 1:]) < 1.2
    if accumulate == "same":
        assert rms_of(sums, np.cumsum(with_bars(t, precision_of("float16")), axis=1)[:, 1:]) > 2
        assert rms_of(products, np.cumprod(with_bars(factors, precision_of("float16")), axis=1)[:, 1:]) > 2
