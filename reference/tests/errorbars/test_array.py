import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.testing import assert_array_equal
from scipy import special

from tensorproof_reference.errorbars.array import ErrorBars, held_in, values_and_bars, with_bars
from tensorproof_reference.errorbars.rules import precision_of
from tensorproof_reference.rounding import FORMATS, round_to
from tensorproof_reference.stream import Stream

FLOAT32 = precision_of("float32")
U = FLOAT32.u
TINY = FLOAT32.tiny


@pytest.fixture(autouse=True)
def _quiet():
    with np.errstate(all="ignore"):
        yield


def barred(value, bar=0.0, precision=FLOAT32):
    return with_bars(value, precision, bar)


def normal(name, *shape, mean=0.0):
    return Stream(0)("errorbars")(name).normal(shape, mean)


def bar_of(x):
    return values_and_bars(x)[1]


# The rules, one by one.


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        pytest.param(lambda x, y: x + y, lambda x, y, ex, ey, v: (ex, ey, U * v), id="add"),
        pytest.param(lambda x, y: x - y, lambda x, y, ex, ey, v: (ex, ey, U * v), id="subtract"),
        pytest.param(lambda x, y: x * y, lambda x, y, ex, ey, v: (y * ex, x * ey, 10 * ex * ey, U * v), id="multiply"),
        pytest.param(lambda x, y: x / y, lambda x, y, ex, ey, v: (ex / y, v * ey / y, U * v), id="divide"),
        pytest.param(lambda x, y: x * 2.0, lambda x, y, ex, ey, v: (2 * ex, U * v), id="double"),
        pytest.param(lambda x, y: 1.0 - x, lambda x, y, ex, ey, v: (ex, U * v), id="one_minus"),
        pytest.param(lambda x, y: np.float64(3.0) / x, lambda x, y, ex, ey, v: (v * ex / x, U * v), id="three_over"),
        pytest.param(lambda x, y: x**2, lambda x, y, ex, ey, v: (2 * x * ex, 10 * ex * ex, U * v), id="square"),
        pytest.param(lambda x, y: x**0.5, lambda x, y, ex, ey, v: (0.5 / v * ex, U * v), id="half_power"),
        pytest.param(lambda x, y: x**-1.0, lambda x, y, ex, ey, v: (v * v * ex, U * v), id="reciprocal"),
        pytest.param(lambda x, y: x**3, lambda x, y, ex, ey, v: (3 * x * x * ex, 2 * U * v), id="cube"),
        pytest.param(lambda x, y: 0.5**x, lambda x, y, ex, ey, v: (np.log(0.5) * v * ex, 2 * U * v), id="power_of_half"),
        pytest.param(lambda x, y: np.sqrt(x), lambda x, y, ex, ey, v: (0.5 / v * ex, U * v), id="sqrt"),
        pytest.param(lambda x, y: np.exp(x), lambda x, y, ex, ey, v: (v * ex, 2 * U * v), id="exp"),
        pytest.param(lambda x, y: np.log(x), lambda x, y, ex, ey, v: (ex / x, 2 * U * v), id="log"),
        pytest.param(lambda x, y: np.tanh(x), lambda x, y, ex, ey, v: ((1 - v * v) * ex, 2 * U * v), id="tanh"),
        pytest.param(lambda x, y: special.expit(x), lambda x, y, ex, ey, v: (v * (1 - v) * ex, 2 * U * v), id="expit"),
        pytest.param(
            lambda x, y: np.logaddexp(x, y),
            lambda x, y, ex, ey, v: (np.exp(x - v) * ex, np.exp(y - v) * ey, 2 * U * v),
            id="logaddexp",
        ),
    ],
)
def test_a_step_combines_bars_and_adds_its_rounding(function, expected):
    x, y = np.abs(normal("x", 3, 4)) + 0.5, np.abs(normal("y", 3, 4)) + 0.5
    ex, ey = 1e-5 * np.abs(normal("ex", 3, 4)), 1e-5 * np.abs(normal("ey", 3, 4))
    value, bar = values_and_bars(function(barred(x, ex), barred(y, ey)))
    assert np.array_equal(value, function(x, y))
    terms = expected(x, y, ex, ey, value)
    assert np.allclose(bar, np.sqrt(sum(np.square(term) for term in terms)) + TINY, rtol=1e-9, atol=0)


@pytest.mark.parametrize(
    "function",
    [
        *(np.exp, np.exp2, np.expm1, np.log, np.log2, np.log10, np.log1p, np.tanh, np.sinh, np.cosh, np.sin, np.cos, np.arctan),
        *(np.cbrt, np.sqrt, np.square, np.reciprocal),
        *(special.erf, special.erfc, special.expit, special.log_expit, special.ndtr, special.log_ndtr),
        pytest.param(lambda x: special.xlogy(x, 3.0), id="xlogy_of_x_and_three"),
        pytest.param(lambda x: special.xlogy(3.0, x), id="xlogy_of_three_and_x"),
        pytest.param(lambda x: x**2.5, id="power"),
        pytest.param(lambda x: 2.0**x, id="power_of_two"),
    ],
)
def test_derivatives(function):
    x = np.linspace(0.3, 2.5, 9)
    value, bar = values_and_bars(function(barred(x, 1e-5, precision_of("float64"))))
    slope = np.abs(function(x + 1e-6) - function(x - 1e-6)) / 2e-6
    assert np.array_equal(value, function(x))
    assert np.allclose(bar, slope * 1e-5, rtol=1e-4)


def test_where_values_vanish_bars_are_of_second_order():
    x, y = barred(np.zeros(1), 1e-6), barred(np.zeros(1), 1e-5)
    assert np.isclose(bar_of(x * y)[0], 1e-10)
    assert np.isclose(bar_of(np.square(x))[0], 1e-11)
    assert np.isclose(bar_of(np.sqrt(x))[0], 1e-7**0.5)
    assert np.isclose(bar_of(np.sqrt(barred(np.ones(1), 1e-6)))[0], 0.5e-6, rtol=0.02)
    zeros, off = np.zeros((2, 3)), np.full((2, 3), 1e-3)
    assert bar_of(barred(zeros, off) @ barred(zeros.T, off.T)) == pytest.approx(np.full((2, 2), 10 * np.sqrt(3) * 1e-6))
    assert not bar_of(barred(zeros, off) @ barred(zeros.T)).any()


def test_a_sum_is_one_reduction():
    t, e = normal("terms", 5, 40), np.abs(normal("carried", 5, 40)) * 1e-6
    t[:, ::4] = 0.0
    n, S, Q = 30, t.sum(axis=1), np.square(t).sum(axis=1)
    carried = np.square(e).sum(axis=1)
    expected = np.sqrt(carried + U**2 * (n * S**2 / 3 + n * Q / 6 + Q) + (U * S) ** 2) + TINY
    x = barred(t, e)
    for total in (np.sum(x, axis=1), x.sum(axis=-1), np.add.reduce(x, axis=1), np.einsum("ij->i", x)):
        assert np.allclose(bar_of(total), expected, rtol=1e-12)
    mean = bar_of(np.mean(x, axis=1))
    assert np.allclose(mean, np.hypot(expected / 40, U * S / 40) + TINY, rtol=1e-6)
    assert np.allclose(bar_of(np.sum(x, axis=1, where=t > 0)), bar_of(np.sum(np.where(t > 0, x, 0.0), axis=1)))


def test_the_sum_and_mean_of_one_term_are_that_term():
    t = np.array([[0.0, 3.0, 0.0], [1.0, 0.0, 2.0]])
    e = np.array([[0.0, 1e-3, 0.0], [0.0, 0.0, 0.0]])
    for carried in (np.zeros_like(t), e):
        x = barred(t, carried, precision=precision_of("float16", accumulate="same"))
        bar = bar_of(np.sum(x, axis=1))
        assert bar[0] == carried[0, 1]
        assert bar[1] > 3 * 2.0**-11 * 1.2
        column = x[:, 1:2]
        for alone in (np.sum(column, axis=1), np.mean(column, axis=1), np.einsum("ij->i", column), column.mean(axis=-1)):
            assert bar_of(alone).tolist() == carried[:, 1].tolist()
        total = np.zeros_like(x, shape=(2,))
        np.add.at(total, np.array([0, 1]), column[:, 0])
        assert bar_of(total).tolist() == carried[:, 1].tolist()
        assert bar_of(np.mean(x, axis=1, where=t == 3.0))[0] == carried[0, 1]


def test_what_is_left_over_by_errors_is_a_term():
    nearly = bar_of(np.sum(barred([[2.0, 0.0]], [[0.0, 1e-7]]), axis=1))
    assert np.isclose(nearly[0], np.hypot(1e-7, 2.0 * U))


def test_one_product_is_rounded_once():
    a, b = barred([[3.0]]), barred([[5.0]])
    assert np.allclose(bar_of(a @ b), 15.0 * U)
    assert np.allclose(bar_of(np.einsum("ij,jk->ik", a, b)), 15.0 * U)


def test_the_sum_of_one_number_below_the_normal_range_may_be_flushed():
    small = FORMATS["float32"].smallest_subnormal
    assert bar_of(np.sum(barred([small]))) == TINY
    assert bar_of(np.sum(barred([TINY]))) == 0.0


def test_dividing_by_an_exact_one_is_exact():
    assert bar_of(barred([3.0], 1e-6) / 1.0)[0] == 1e-6
    assert bar_of(barred([3.0, 3.0]) / np.array([1.0, 2.0])).tolist() == [0.0, 1.5 * U + TINY]
    assert bar_of(barred([3.0]) / barred([1.0], 1e-6))[0] > 1e-6


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_normalization_of_one_element_is_exact_and_of_a_constant_row_is_not(dtype):
    x = barred(np.full((1, 3), 7.1875), precision=precision_of(dtype))
    assert not bar_of(x[:, :1] - np.mean(x[:, :1], axis=1, keepdims=True)).any()
    assert bar_of(x - np.mean(x, axis=1, keepdims=True)).all()


def test_products_are_sums_of_products_however_they_are_written():
    a, b = normal("a", 6, 5), normal("b", 5, 4)
    a[2] = 0.0
    ea, eb = 1e-6 * np.abs(normal("ea", 6, 5)), 1e-6 * np.abs(normal("eb", 5, 4))
    x, y = barred(a, ea), barred(b, eb)
    t = a[:, :, None] * b[None]
    n, S, Q = np.count_nonzero(t, axis=1), t.sum(axis=1), np.square(t).sum(axis=1)
    carried = (np.square(b[None] * ea[:, :, None]) + np.square(a[:, :, None] * eb[None])).sum(axis=1)
    growth = np.where(n > 1, n * S**2 / 3 + n * Q / 6 + Q, 0)
    expected = np.sqrt(carried + U**2 * (growth + S**2)) + TINY * (S != 0)
    by_einsum = np.einsum("ij,jk->ik", x, y, optimize=True)
    for product in (x @ y, np.matmul(x, y), np.dot(x, y), np.tensordot(x, y, axes=1), by_einsum):
        assert np.allclose(values_and_bars(product)[0], a @ b)
        assert np.allclose(bar_of(product), expected, rtol=1e-9, atol=0)
    assert np.allclose(bar_of(np.einsum("ij,jk->ik", a, y)), bar_of(a @ y), rtol=1e-9)


def test_what_is_added_to_a_sum_of_products_may_be_its_first_term():
    a, b, bias = normal("a", 6, 50), normal("b", 50, 4), 30.0 * normal("bias", 4)
    bias[1], a[2, 1:] = 0.0, 0.0
    product, squares = a @ b, np.square(a) @ np.square(b)

    def growth(n, S, Q):
        return np.where(n > 1, n * S**2 / 3 + n * Q / 6 + Q, 0.0)

    n = np.broadcast_to(np.count_nonzero(a, axis=1)[:, None], product.shape)
    before = growth(n, product, squares)
    more = np.where(n > 1, np.maximum(growth(n + (bias != 0), product + bias, squares + bias**2) - before, 0.0), 0.0)
    expected = U * np.sqrt(before + product**2 + (product + bias) ** 2 + more) + 2 * TINY
    x = barred(a)
    into = x @ b
    into += bias
    for result in (x @ b + bias, bias + x @ b, np.einsum("ij,jk->ik", x, b) + bias, into):
        assert np.allclose(bar_of(result), expected, rtol=1e-6, atol=0)
    assert bar_of(x @ b + bias)[0, 0] > 2 * bar_of((x @ b)[:] + bias)[0, 0]
    assert np.allclose(bar_of(into + bias), np.hypot(bar_of(into), U * (product + 2 * bias)), rtol=1e-6)
    assert np.allclose(bar_of(x @ b - bias), bar_of((x @ b)[:] - bias), rtol=1e-6)
    assert np.allclose(bar_of(x @ b + x @ b), np.hypot(np.sqrt(2) * bar_of(x @ b), 2 * U * product), rtol=1e-6)


def test_reduced_operands_of_products():
    a, b = normal("a", 6, 50), normal("b", 50, 4)
    squares = np.square(a) @ np.square(b)
    bar = bar_of(barred(a, precision=precision_of("float32", matmul_input_bits=8)) @ b)
    assert np.allclose(bar, np.sqrt(2 * squares) * 2**-8, rtol=1e-3)
    for dtype, bits in (("float64", 8), ("float16", 11), ("bfloat16", 8), ("float32", 24)):
        assert precision_of(dtype, matmul_input_bits=bits) == precision_of(dtype)


def test_adding_at_repeated_places_is_a_sum():
    t, indices = normal("scattered", 50), Stream(0)("indices").integers((50,), 0, 5)
    buffer = np.zeros_like(barred(t), shape=(7,))
    np.add.at(buffer, indices, barred(t, 1e-6))
    value, bar = values_and_bars(buffer)
    for place in range(7):
        chosen = t[indices == place]
        assert np.isclose(value[place], chosen.sum())
        total = np.sum(barred(chosen, 1e-6)) if chosen.size else barred(0.0)
        assert np.isclose(bar[place], bar_of(total), rtol=1e-9)
    with pytest.raises(TypeError):
        np.add.at(np.zeros(7), indices, barred(t))


# Exactness, and numbers that are not finite.


def test_choosing_and_moving_adds_nothing():
    x, y = barred(normal("x", 3, 4), np.arange(12.0).reshape(3, 4)), barred(normal("y", 3, 4), 100.0)
    flat = np.arange(12.0)
    larger = x.value > y.value
    for result, expected in (
        (np.maximum(x, y), np.where(larger, x.bar, 100.0)),
        (np.minimum(x, y), np.where(larger, 100.0, x.bar)),
        (np.where(larger, x, 0.0), np.where(larger, x.bar, 0.0)),
        (np.clip(x, 0.0, 0.5), np.where((x.value > 0) & (x.value < 0.5), x.bar, 0.0)),
        (np.abs(-x), x.bar),
        (np.max(x, axis=0), np.take_along_axis(x.bar, np.argmax(x, axis=0)[None], 0)[0]),
        (np.min(x), flat[np.argmin(x)]),
        (np.max(x, axis=(0, 1), keepdims=True), flat[np.argmax(x)]),
        (x[1:, ::2], x.bar[1:, ::2]),
        (np.pad(x, 1, constant_values=-np.inf)[1:-1, 1:-1], x.bar),
        (np.concatenate([x, np.ones((1, 4))]), np.vstack([x.bar, np.zeros(4)])),
        (np.stack([x, y], axis=1)[:, 0], x.bar),
        (np.moveaxis(x, 0, 1).reshape(-1), x.bar.T.reshape(-1)),
        (sliding_window_view(x, (2, 2), axis=(0, 1))[1, 1], x.bar[1:3, 1:3]),
        (np.sort(x, axis=0), np.take_along_axis(x.bar, np.argsort(x, axis=0), 0)),
        (np.take(x, [2, 0], axis=0), x.bar[[2, 0]]),
        (np.squeeze(x.T[None], 0).mT, x.bar),
        (np.broadcast_to(x[0], (5, 4)), np.tile(x.bar[0], (5, 1))),
        (np.ones_like(x), 0.0),
        (np.full_like(x, 0.1, shape=(2,)), np.zeros(2)),
    ):
        assert isinstance(result, ErrorBars)
        assert np.array_equal(bar_of(result), np.broadcast_to(expected, result.shape))


def test_an_exact_zero_stays_exact():
    x = barred([0.0, 2.0])
    assert bar_of(x * 3.0)[0] == 0.0
    assert bar_of(np.tanh(x))[0] == 0.0
    assert bar_of(np.sum(x[:1])) == 0.0
    assert bar_of(barred([1.0]) - 1.0) == 0.0
    assert bar_of(barred([1.0], 1e-6) - 1.0) == 1e-6


def test_infinities_and_nan_are_exact_and_spoil_nothing():
    scores = barred([1.0, 2.0, 3.0], 1e-6) + np.array([0.0, -np.inf, 0.0])
    assert bar_of(scores)[1] == 0.0
    weights = np.exp(scores)
    assert values_and_bars(weights)[0][1] == 0.0
    assert bar_of(weights)[1] == 0.0
    assert np.isfinite(bar_of(weights / np.sum(weights))).all()
    assert bar_of(barred([np.nan, np.inf], 1.0)[:1] * 2.0) == 0.0
    assert bar_of(barred([0.0], np.inf) * barred([2.0])).tolist() == [np.inf]
    assert bar_of(barred([3.0], np.inf) * barred([0.0])).tolist() == [0.0]
    assert np.isclose(bar_of(np.sqrt(barred([0.0], 1e-3)))[0], 1e-4**0.5)
    rows = barred([[1.0, np.inf], [1.0, 2.0]], 1e-6) @ barred([[1.0, 0.0], [1.0, 1.0]], 1e-6)
    assert bar_of(rows)[0].tolist() == [0.0, 0.0]
    assert np.isfinite(bar_of(rows)[1]).all()
    assert (bar_of(rows)[1] > 0).all()
    unknown = barred([[1.0, 1.0]], [[np.inf, 0.0]]) @ np.array([[0.0, 1.0], [1.0, 1.0]])
    assert np.isfinite(bar_of(unknown)).tolist() == [[True, False]]


@pytest.mark.parametrize("scale", [1e-200, 1e-160, 1e160, 1e300])
def test_bars_scale_in_float64(scale):
    precision = precision_of("float64")
    a, b = normal("a", 4, 30), normal("b", 30, 3)

    def everything(x, y):
        return [x / 3.0, np.sum(x, axis=1), x @ y, np.mean(x), x - 0.1 * x]

    ordinary, extreme = barred(a, precision=precision), barred(a * scale, precision=precision)
    for small, large in zip(everything(ordinary, b), everything(extreme, b), strict=True):
        assert np.allclose(bar_of(large) / scale, bar_of(small), rtol=1e-6)


# What is not known is refused.


@pytest.mark.parametrize(
    "attempt",
    [
        np.asarray,
        pytest.param(lambda x: np.array([x, x]), id="array_of_two"),
        pytest.param(lambda x: np.zeros(3).__setitem__(slice(None), x), id="setitem"),
        np.diff,
        np.ptp,
        np.var,
        np.ceil,
        np.linalg.norm,
        pytest.param(lambda x: np.allclose(x, 1.0), id="allclose"),
        pytest.param(lambda x: np.multiply.outer(x, np.ones(3)), id="multiply_outer"),
        pytest.param(lambda x: np.multiply.accumulate(x), id="multiply_accumulate"),
        pytest.param(lambda x: np.add(x, x, out=np.zeros(3)), id="add_out"),
        pytest.param(lambda x: np.sum(x, dtype=np.float32), id="sum_dtype"),
        pytest.param(lambda x: np.where(x, x, 0.0), id="where_condition"),
        pytest.param(lambda x: np.zeros(3)[x], id="index"),
        bool,
        float,
        pytest.param(lambda x: x.astype(np.int64), id="astype"),
        pytest.param(lambda x: special.logsumexp(x), id="logsumexp"),
        pytest.param(
            lambda x: x + barred(np.ones(3), precision=precision_of("float32", matmul_input_bits=8)), id="mixed_precision"
        ),
        pytest.param(lambda x: x + "a", id="add_text"),
        pytest.param(lambda x: with_bars(x, FLOAT32), id="bars_twice"),
    ],
)
def test_the_unknown_is_refused(attempt):
    with pytest.raises((TypeError, IndexError, ValueError)) as caught:
        attempt(barred(np.ones(3)))
    assert str(caught.value)


@pytest.mark.parametrize("keywords", [{"dtype": "int8"}, {"matmul_input_bits": 12}, {"accumulate": "float64"}])
def test_an_unknown_precision_is_refused(keywords):
    with pytest.raises(ValueError, match=next(iter(keywords))):
        precision_of(**{"dtype": "float32", **keywords})


def test_a_result_is_not_written_into_a_coarser_precision():
    fine = with_bars([1.0, 2.0], precision_of("float32"))
    coarse = with_bars([1.0, 2.0], precision_of("bfloat16"))
    fine += coarse
    with pytest.raises(TypeError, match="another precision"):
        coarse += fine


def test_assignment_and_output_arguments():
    x = barred(normal("x", 3, 4), 1e-3)
    y = np.zeros_like(x)
    y[1] = x[1]
    y[2] = 5.0
    assert bar_of(y)[:, 0].tolist() == [0.0, 1e-3, 0.0]
    y[1] = 7
    assert not bar_of(y).any()
    z = x.copy()
    z += 1.0
    assert np.array_equal(bar_of(z), bar_of(x + 1.0))
    masked = np.divide(x, 2.0, out=np.zeros_like(x), where=x.value > 0)
    assert np.array_equal(bar_of(masked) > 0, x.value > 0)
    assert np.zeros_like(x, dtype=bool).dtype == bool
    assert isinstance(x > 0, np.ndarray)
    assert np.argmax(x, axis=1).dtype.kind == "i"
    np.put_along_axis(y, np.array([[0], [0], [1]]), x[:, :1], axis=1)
    assert y.bar[2, 1] == 1e-3


# Several dtypes.


def test_results_of_several_dtypes_have_the_finest():
    narrow, wide = barred(np.full(3, 1.5), precision=precision_of("bfloat16")), barred(np.full(3, 0.75))
    for result in (narrow * wide, wide * narrow, np.where([True, False, True], narrow, wide), np.concatenate([narrow, wide])):
        assert result.precision == FLOAT32
    assert (narrow * narrow).precision == precision_of("bfloat16")
    assert (narrow.widened("float32") * narrow).precision == FLOAT32
    assert wide.widened("bfloat16") is wide
    with pytest.raises(TypeError, match="different precision"):
        narrow + barred(np.ones(3), precision=precision_of("float16"))


def test_a_result_is_rounded_once_to_the_dtype_that_holds_it():
    bfloat16 = precision_of("bfloat16")
    value, bar = values_and_bars(held_in(barred([1 / 3, 2.0, 0.0], [0.0, 2.0**-20, 0.0]), bfloat16))
    assert_array_equal(value, [round_to(1 / 3, "bfloat16"), 2.0, 0.0])
    assert bar[0] == bar[2] == 0
    assert np.isclose(bar[1], 2.0**-7)
    same = held_in(barred([1 / 3], 1e-3, bfloat16), FLOAT32)
    assert (same.precision, same.value[0], same.bar[0]) == (FLOAT32, 1 / 3, 1e-3)
    assert_array_equal(held_in(np.array([1 / 3]), bfloat16), round_to([1 / 3], "bfloat16"))
    assert held_in(np.array([3]), bfloat16).dtype == np.int64


def test_bars_of_8_bits_come_from_bits_and_range():
    assert precision_of("float8_e4m3fn").u == 2.0**-4
    assert (precision_of("float8_e5m2").u, precision_of("float8_e5m2").tiny) == (2.0**-3, 2.0**-17)
    assert precision_of("float32", matmul_input_bits=8).of("float32") == precision_of("float32", matmul_input_bits=8)
    assert precision_of("float16", accumulate="same").of("bfloat16") == precision_of("bfloat16", accumulate="same")
