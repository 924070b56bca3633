"""Elementwise functions, normalisation along an axis, products, flattening and penalties, against other sources."""

import itertools
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import special

from tensorproof_reference.catalogue import all_operations
from tensorproof_reference.errorbars.array import with_bars
from tensorproof_reference.errorbars.branches import closest_branch
from tensorproof_reference.errorbars.rules import precision_of
from tensorproof_reference.losses.l1_penalty import l1_penalty
from tensorproof_reference.losses.l2_penalty import l2_penalty
from tensorproof_reference.operations import dense as dense_module
from tensorproof_reference.operations import flatten as flatten_module
from tensorproof_reference.operations import matmul as matmul_module
from tensorproof_reference.operations import relu as relu_module
from tensorproof_reference.operations.dense import dense
from tensorproof_reference.operations.flatten import flatten
from tensorproof_reference.operations.gelu import gelu
from tensorproof_reference.operations.leaky_relu import leaky_relu
from tensorproof_reference.operations.linear_regression import linear_regression
from tensorproof_reference.operations.log_softmax import log_softmax
from tensorproof_reference.operations.logistic_regression import logistic_regression
from tensorproof_reference.operations.matmul import matmul
from tensorproof_reference.operations.relu import relu
from tensorproof_reference.operations.sigmoid import sigmoid
from tensorproof_reference.operations.silu import silu
from tensorproof_reference.operations.softmax import softmax
from tensorproof_reference.operations.softplus import softplus
from tensorproof_reference.operations.tanh import tanh
from tensorproof_reference.stream import Stream

ELEMENTWISE: dict[str, tuple[Callable[..., Any], Callable[[Any], Any]]] = {
    "sigmoid": (sigmoid, lambda x: 1 / (1 + mpmath.exp(-x))),
    "tanh": (tanh, mpmath.tanh),
    "relu": (relu, lambda x: max(x, mpmath.mpf(0))),
    "leaky_relu": (leaky_relu, lambda x: x if x > 0 else mpmath.mpf(0.2) * x),
    "softplus": (softplus, lambda x: mpmath.log1p(mpmath.exp(x))),
    "silu": (silu, lambda x: x / (1 + mpmath.exp(-x))),
    "gelu": (gelu, lambda x: x * mpmath.ncdf(x)),
}
POINTS = (1e-30, 1e-8, 0.001, 0.3, 1.0, 3.7, 10.0, 16.7, 20.5, 37.0, 88.7, 89.0, 104.0, 700.0)


def by_tanh(x: Any) -> Any:
    """The approximation of GELU."""
    return x / 2 * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf(0.044715) * x**3)))


def normal(name: str, *shape: int) -> Any:
    return Stream(0)("elementwise and products")(name).normal(shape)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_values_are_those_of_a_hundred_digits(name):
    function, exact = ELEMENTWISE[name]
    points = np.array([sign * point for point in POINTS for sign in (-1.0, 1.0)])
    with mpmath.workdps(400):
        expected = np.array([float(exact(mpmath.mpf(float(point)))) for point in points])
    # GELU's 1 + erf cancels for negative numbers, as the textbook formula does.
    absolute = 1e-15 * np.abs(points) if name == "gelu" else 0.0
    assert np.all(np.abs(function(points) - expected) <= 1e-15 * np.abs(expected) + absolute)


@pytest.mark.parametrize("name", [*ELEMENTWISE, "gelu_tanh"])
def test_derivatives_are_those_of_a_hundred_digits(name):
    operation = all_operations()[name.removesuffix("_tanh")]
    keywords = {"approximation": "tanh"} if name == "gelu_tanh" else {}
    exact = by_tanh if keywords else ELEMENTWISE[operation.name][1]
    points = np.array([-20.0, -7.5, -3.0, -1.0, -0.2, 0.01, 0.7, 2.0, 6.5, 20.0])
    with mpmath.workdps(100):
        expected = np.array([float(mpmath.diff(exact, mpmath.mpf(float(point)))) for point in points])
    assert operation.vjp is not None
    found = operation.vjp(np.full(points.shape, 3.0), points, **keywords)["x"]
    # 1 - y, 1 - y² and 1 + erf cancel, by as much as the number is large.
    np.testing.assert_allclose(found, 3.0 * expected, rtol=2e-14, atol=1e-13)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_nothing_warns_at_large_numbers(name):
    x = np.array([-3e38, -1e20, -1e4, -745.2, -700.0, 700.0, 745.2, 1e4, 1e20, 3e38])
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        assert np.all(np.isfinite(ELEMENTWISE[name][0](x)))


def test_tanh_approximation_of_gelu():
    x = normal("gelu", 100)
    expected = [0.5 * item * (1 + np.tanh(np.sqrt(2 / np.pi) * (item + 0.044715 * item**3))) for item in x.tolist()]
    np.testing.assert_allclose(gelu(x, approximation="tanh"), expected, rtol=1e-13)
    assert np.max(np.abs(gelu(x, approximation="tanh") - gelu(x))) < 1e-3
    assert np.max(np.abs(gelu(x, approximation="tanh") - gelu(x))) > 1e-5


def test_nan_and_infinity():
    for name, low, high in (
        ("sigmoid", 0.0, 1.0),
        ("tanh", -1.0, 1.0),
        ("relu", 0.0, np.inf),
        ("leaky_relu", -np.inf, np.inf),
        ("softplus", 0.0, np.inf),
        ("silu", np.nan, np.inf),
        ("gelu", np.nan, np.inf),
    ):
        with np.errstate(invalid="ignore"):
            found = ELEMENTWISE[name][0](np.array([-np.inf, np.inf, np.nan]))
        np.testing.assert_array_equal(found, [low, high, np.nan], err_msg=name)


def test_signs_of_zero():
    zeros = np.array([-0.0, 0.0])
    for function in (tanh, leaky_relu, silu):
        assert np.signbit(function(zeros)).tolist() == [True, False]


def test_kinks_take_the_derivative_from_the_left():
    at_zero = np.array([-0.0, 0.0])
    dy = np.array([3.0, 5.0])
    assert relu_module.vjp(dy, at_zero)["x"].tolist() == [0.0, 0.0]
    leaky = all_operations()["leaky_relu"].vjp
    assert leaky is not None
    assert leaky(dy, at_zero, negative_slope=0.5)["x"].tolist() == [1.5, 2.5]
    absolute = all_operations()["l1_penalty"].vjp
    assert absolute is not None
    assert absolute(np.float64(3.0), at_zero)["w"].tolist() == [0.0, 0.0]


def test_leaky_relu_is_no_maximum_where_the_slope_exceeds_one():
    assert leaky_relu(np.array([-2.0, 2.0]), negative_slope=1.5).tolist() == [-3.0, 2.0]


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_softmax_and_its_logarithm_against_scipy(axis):
    x = 20.0 * normal("softmax", 4, 5, 6)
    np.testing.assert_allclose(softmax(x, axis=axis), special.softmax(x, axis=axis), rtol=1e-13)
    np.testing.assert_allclose(log_softmax(x, axis=axis), special.log_softmax(x, axis=axis), rtol=1e-13, atol=1e-13)


def test_log_softmax_does_not_lose_small_probabilities():
    np.testing.assert_array_equal(log_softmax(np.array([[0.0, -2000.0, 1000.0]])), [[-1000.0, -3000.0, 0.0]])


def test_softmax_of_masks():
    x = np.array([[-np.inf, 0.0, 0.0], [-np.inf, -np.inf, -np.inf], [np.inf, 0.0, 0.0]])
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(softmax(x), [[0.0, 0.5, 0.5], [np.nan] * 3, [np.nan] * 3])
        np.testing.assert_array_equal(log_softmax(x)[0], [-np.inf, -np.log(2.0), -np.log(2.0)])
        assert np.isnan(log_softmax(x)[1:]).all()


def test_matmul_against_loops():
    a, b = normal("a", 2, 1, 3, 4), normal("b", 5, 4, 2)
    y = matmul(a, b)
    assert y.shape == (2, 5, 3, 2)
    for n, m, i, j in itertools.product(range(2), range(5), range(3), range(2)):
        assert y[n, m, i, j] == pytest.approx(sum(a[n, 0, i, k] * b[m, k, j] for k in range(4)), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3, 4), (4, 2)),
        ((3, 4), (5, 4, 2)),
        ((5, 3, 4), (4, 2)),
        ((2, 1, 3, 4), (1, 5, 4, 2)),
        ((1, 5, 3, 4), (1, 1, 4, 2)),
        ((1, 1, 3, 4), (4, 2)),
        ((0, 3, 4), (1, 4, 2)),
    ],
)
def test_gradients_of_broadcast_matmul_are_sums_over_the_broadcast_axes(a, b):
    left, right = normal("left", *a), normal("right", *b)
    dy = normal("dy", *matmul(left, right).shape)
    found = matmul_module.vjp(dy, left, right)
    # Broadcast for real, so that every leading axis is its own, and add up what belongs together.
    leading = dy.shape[:-2]
    full_left, full_right = np.broadcast_to(left, leading + a[-2:]), np.broadcast_to(right, leading + b[-2:])
    for name, full, shape in (
        ("a", np.einsum("...ij,...kj->...ik", dy, full_right), a),
        ("b", np.einsum("...ik,...ij->...kj", full_left, dy), b),
    ):
        added = full.sum(axis=tuple(range(full.ndim - len(shape))))
        units = tuple(axis for axis, size in enumerate(shape[:-2]) if size == 1)
        np.testing.assert_allclose(found[name], added.sum(axis=units, keepdims=True), rtol=1e-11, atol=1e-11)


def test_dense_against_loops():
    x, weight, bias = normal("x", 2, 3, 4), normal("weight", 4, 5), normal("bias", 5)
    affine = np.array(
        [[[sum(row[i] * weight[i, o] for i in range(4)) + bias[o] for o in range(5)] for row in rows] for rows in x]
    )
    for activation, function in (
        ("linear", lambda z: z),
        ("relu", lambda z: np.where(z > 0, z, 0.0)),
        ("sigmoid", special.expit),
        ("tanh", np.tanh),
    ):
        np.testing.assert_allclose(dense(x, weight, bias, activation=activation), function(affine), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(dense(x, weight), affine - bias, rtol=1e-12, atol=1e-12)
    assert dense_module.vjp(np.ones((2, 3, 5)), x, weight)["bias"] is None


def test_regressions_against_their_formulas():
    x, theta0, theta = normal("rows", 6, 3), np.array(0.25), normal("theta", 3)
    linear = np.array([0.25 + sum(t * item for t, item in zip(theta, row, strict=True)) for row in x])
    np.testing.assert_allclose(linear_regression(x, theta0, theta), linear, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(logistic_regression(x, theta0, theta), special.expit(linear), rtol=1e-13)


def test_flatten_orders():
    x = np.arange(24.0).reshape(2, 3, 2, 2)
    first = [[n * 12 + c * 4 + h * 2 + w for c in range(3) for h in range(2) for w in range(2)] for n in range(2)]
    last = [[n * 12 + c * 4 + h * 2 + w for h in range(2) for w in range(2) for c in range(3)] for n in range(2)]
    assert flatten(x).tolist() == first
    assert flatten(x, order="channels_last").tolist() == last
    for order in ("channels_first", "channels_last"):
        np.testing.assert_array_equal(flatten_module.vjp(flatten(x, order=order), x, order=order)["x"], x)


def test_penalties():
    w = np.array([[1.0, -2.0], [0.0, 4.0]])
    assert l1_penalty(w, strength=0.5) == 3.5
    assert l2_penalty(w, strength=0.5) == 10.5
    assert l1_penalty(np.zeros((0, 3))) == l2_penalty(np.zeros((0, 3))) == 0.0


@pytest.mark.parametrize("seed", range(3))
def test_relu_after_a_product_keeps_away_from_its_kink(seed):
    operation = all_operations()["dense"]
    assert operation.vjp is not None
    for sample in operation.samples(Stream(seed)("dense")):
        if sample.keywords.get("activation") != "relu" or sample.name.startswith("kink"):
            continue
        for dtype in ("float32", "bfloat16"):
            inputs = {name: with_bars(value, precision_of(dtype)) for name, value in sample.inputs.items()}
            with closest_branch() as closest:
                y = operation.function(**inputs, **sample.keywords)
                operation.vjp(np.ones(y.shape), **inputs, **sample.keywords)
            assert min(closest.comparison, closest.selection) >= 20, (sample.name, dtype)


ARRAY = np.ones((2, 3))


WRONG: list[tuple[str, Callable[[], Any]]] = [
    ("approximation", lambda: gelu(ARRAY, approximation="erf")),
    ("axis", lambda: softmax(ARRAY, axis=2)),
    ("axis", lambda: log_softmax(ARRAY, axis=-3)),
    ("axis", lambda: log_softmax(np.array(1.0))),
    ("a", lambda: matmul(np.ones(3), np.ones((3, 2)))),
    ("b", lambda: matmul(ARRAY, np.ones(3))),
    ("b", lambda: matmul(ARRAY, np.ones((2, 3)))),
    ("b", lambda: matmul(np.ones((2, 2, 3)), np.ones((3, 3, 2)))),
    ("b", lambda: matmul_module.vjp(ARRAY, ARRAY, ARRAY)),
    ("x", lambda: dense(np.array(1.0), ARRAY)),
    ("weight", lambda: dense(ARRAY, np.ones(3))),
    ("weight", lambda: dense(ARRAY, ARRAY)),
    ("bias", lambda: dense(ARRAY, np.ones((3, 4)), np.ones(3))),
    ("activation", lambda: dense(ARRAY, np.ones((3, 4)), activation="swish")),
    ("x", lambda: linear_regression(np.ones(3), np.array(0.0), np.ones(3))),
    ("theta0", lambda: linear_regression(ARRAY, np.zeros(1), np.ones(3))),
    ("theta", lambda: logistic_regression(ARRAY, np.array(0.0), np.ones(2))),
    ("x", lambda: flatten(np.ones(3))),
    ("order", lambda: flatten(ARRAY, order="channels")),
]


@pytest.mark.parametrize(("argument", "call"), WRONG, ids=[f"{index}_{argument}" for index, (argument, _) in enumerate(WRONG)])
def test_wrong_arguments_are_named(argument, call):
    with pytest.raises(ValueError, match=f"^{argument}: expected"):
        call()
