"""Bars against real rounding errors."""

import itertools

import numpy as np
import pytest

from tensorproof_reference.errorbars.array import values_and_bars, with_bars
from tensorproof_reference.errorbars.rules import precision_of
from tensorproof_reference.rounding import round_to
from tensorproof_reference.stream import Stream

FLOAT32 = precision_of("float32")


def barred(value, precision=FLOAT32):
    return with_bars(value, precision)


def normal(name, *shape, mean=0.0):
    return Stream(0)("errorbars")(name).normal(shape, mean)


def z_of(y, result):
    value, bar = values_and_bars(result)
    return np.where(y == value, 0.0, np.abs(np.asarray(y, np.float64) - value) / bar)


def test_sums_in_random_order_have_the_predicted_error():
    t = normal("summed", 400, mean=0.3).astype(np.float32).astype(np.float64)
    orders = [t[Stream(0)(f"order{i}").permutation(t.size)].astype(np.float32) for i in range(200)]
    sequential = np.array([np.add.accumulate(order)[-1] for order in orders])
    rms = np.sqrt(np.mean(np.square(z_of(sequential, np.sum(barred(t))))))
    assert 0.4 < rms < 1.2
    assert rms > 3 * np.sqrt(np.mean(np.square(z_of(np.array([order.sum() for order in orders]), np.sum(barred(t))))))


@pytest.mark.parametrize("size", [0.0, 1.0, 30.0])
def test_products_that_begin_or_end_with_a_bias_have_the_predicted_error(size):
    shape = (20, 300)
    x, w = (normal(name, *shape).astype(np.float32).astype(np.float64) for name in ("inputs", "weights"))
    bias = (size * normal("bias", shape[0])).astype(np.float32).astype(np.float64)
    z = {"begins": [], "ends": []}
    for i in range(30):
        order = Stream(0)(f"order{i}").permutation(shape[1])
        terms = (x * w)[:, order]
        total = np.zeros(shape[0], np.float32)
        begun = bias.astype(np.float32)
        for place in range(shape[1]):  # fused: products are not rounded
            total = (total + terms[:, place]).astype(np.float32)
            begun = (begun + terms[:, place]).astype(np.float32)
        result = np.vecdot(barred(x), w) + bias
        z["begins"].append(z_of(begun, result))
        z["ends"].append(z_of(total + bias.astype(np.float32), result))
    rms = {name: np.sqrt(np.mean(np.square(found))) for name, found in z.items()}
    assert 0.4 < rms["begins"] < 1.5
    assert rms["ends"] < 1.2
    assert max(np.max(found) for found in z["begins"]) < 10


@pytest.mark.parametrize(("accumulate", "numpy_type"), [("float32", np.float32), ("same", np.float16)])
def test_accumulators_of_16_bits(accumulate, numpy_type):
    t = round_to(normal("summed", 200, 300, mean=0.1), "float16")
    sums = np.add.accumulate(t.astype(numpy_type), axis=1)[:, -1].astype(np.float16)
    rms = np.sqrt(np.mean(np.square(z_of(sums, np.sum(barred(t, precision=precision_of("float16", accumulate=accumulate)), 1)))))
    assert 0.3 < rms < 1.2
    if accumulate == "same":
        assert np.sqrt(np.mean(np.square(z_of(sums, np.sum(barred(t, precision=precision_of("float16")), 1))))) > 2


@pytest.mark.parametrize(("dtype", "numpy_type"), [("float16", np.float16), ("float32", np.float32)])
def test_elementwise_chains_have_the_predicted_error(dtype, numpy_type):
    def chain(x, y):
        return np.tanh(x * y + 1.5) / (1.0 + np.exp(-x)) - np.sqrt(np.square(x) + 0.5)

    x, y = round_to(normal("x", 2000), dtype), round_to(normal("y", 2000), dtype)
    precision = precision_of(dtype)
    z = z_of(chain(x.astype(numpy_type), y.astype(numpy_type)), chain(with_bars(x, precision), with_bars(y, precision)))
    assert 0.2 < np.sqrt(np.mean(np.square(z))) < 1.2
    assert z.max() < 10


def significant(array, bits):
    mantissa, exponent = np.frexp(array)
    return np.ldexp(np.rint(mantissa * 2.0**bits), exponent - bits)


def test_levels_of_product_precision_separate():
    a, b = (round_to(normal(name, *shape), "float32") for name, shape in (("left", (64, 256)), ("right", (256, 64))))
    levels = (24, 16, 11, 8)
    worst = {}
    for made in levels:
        y = round_to(significant(a, made) @ significant(b, made), "float32")
        for declared in levels:
            x = with_bars(a, precision_of("float32", matmul_input_bits=declared))
            worst[made, declared] = z_of(y, x @ b).max()
    assert all(worst[level, level] <= 3 for level in levels)
    assert all(worst[made, declared] > 10 for declared, made in itertools.pairwise(levels))
