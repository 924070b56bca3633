"""Losses of profile ``extended`` against another library's arithmetic of 60 digits, SciPy, and by hand."""

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import stats
from scipy.special import rel_entr

from tensorproof_reference.registry import extended_operations

OPERATIONS = extended_operations()
DIFFERENCES = ((0.25, 1.0), (1.5, -0.75), (-3.0, 2.25), (0.5, 0.5625), (7.0, -40.0))


def bent(d: Any, place: Any) -> Any:
    """The Huber loss of a difference."""
    return d * d / 2 if abs(d) <= place else place * (abs(d) - place / 2)


def cross_entropy(x: Any, t: Any) -> Any:
    p = 1 / (1 + mpmath.exp(-x))
    return -(t * mpmath.log(p) + (1 - t) * mpmath.log(1 - p))


def focal(x: Any, t: Any, gamma: Any, alpha: Any) -> Any:
    p = 1 / (1 + mpmath.exp(-x))
    right = t * p + (1 - t) * (1 - p)
    balance = 1 if alpha is None else alpha * t + (1 - alpha) * (1 - t)
    return balance * (1 - right) ** gamma * cross_entropy(x, t)


def stirling(t: Any) -> Any:
    return t * mpmath.log(t) - t + mpmath.log(2 * mpmath.pi * t) / 2 if t > 1 else 0


PAIRS: list[tuple[str, dict[str, Any], Callable[[Any, Any], Any], tuple[tuple[float, float], ...]]] = [
    ("mean_absolute_error", {}, lambda p, t: abs(p - t), DIFFERENCES),
    ("huber", {}, lambda p, t: bent(p - t, 1), DIFFERENCES),
    ("huber", {"delta": 0.5}, lambda p, t: bent(p - t, mpmath.mpf(0.5)), DIFFERENCES),
    ("smooth_l1", {"beta": 2.0}, lambda p, t: bent(p - t, 2) / 2, DIFFERENCES),
    ("poisson_nll", {}, lambda x, t: mpmath.exp(x) - t * x, ((0.5, 3.0), (-4.0, 0.0), (2.5, 1.0))),
    ("poisson_nll", {"full": True}, lambda x, t: mpmath.exp(x) - t * x + stirling(t), ((0.5, 3.0), (-4.0, 0.0), (2.5, 1.0))),
    (
        "poisson_nll",
        {"log_input": False, "epsilon": 0.125},
        lambda r, t: r - t * mpmath.log(r + mpmath.mpf(0.125)),
        ((0.5, 3.0), (4.0, 0.0), (2.5, 1.0)),
    ),
    ("focal", {}, lambda x, t: focal(x, t, 2, None), ((0.5, 1.0), (-3.0, 1.0), (2.5, 0.0), (-0.75, 0.25))),
    (
        "focal",
        {"gamma": 1.5, "alpha": 0.25},
        lambda x, t: focal(x, t, 1.5, mpmath.mpf(0.25)),
        ((0.5, 1.0), (-3.0, 1.0), (2.5, 0.0)),
    ),
]


@pytest.fixture(autouse=True)
def _sixty_digits():
    with mpmath.workdps(60), np.errstate(all="ignore"):
        yield


@pytest.mark.parametrize(("name", "keywords", "exact", "points"), PAIRS)
def test_losses_of_pairs_are_those_of_sixty_digits(name, keywords, exact, points):
    operation = OPERATIONS[name]
    vjp: Any = operation.vjp
    a, b = np.array(points).T
    values = operation.function(a, b, **keywords, reduction="none")
    slopes = vjp(np.ones_like(a), a, b, **keywords, reduction="none")
    for place, pair in enumerate(points):
        left, right = (mpmath.mpf(number) for number in pair)
        assert values[place] == pytest.approx(float(exact(left, right)), rel=1e-14)
        derivative = mpmath.diff(exact, (left, right), (1, 0))
        assert slopes[operation.differentiable[0]][place] == pytest.approx(float(derivative), rel=1e-12)


def test_the_divergence_is_that_of_scipy_over_distributions():
    t = np.array([[0.5, 0.25, 0.25, 0.0], [0.1, 0.2, 0.3, 0.4]])
    q = np.array([[0.25, 0.25, 0.25, 0.25], [0.4, 0.3, 0.2, 0.1]])
    of_rows = rel_entr(t, q).sum(-1)
    divergence = OPERATIONS["kl_divergence"].function
    assert divergence(np.log(q), t, reduction="none") == pytest.approx(of_rows, rel=1e-14)
    assert divergence(np.log(q), t) == pytest.approx(of_rows.mean(), rel=1e-14)
    assert divergence(np.log(q[1]), np.log(t[1]), log_target=True) == pytest.approx(of_rows[1], rel=1e-13)


def test_likelihoods_are_those_of_scipys_distributions():
    x, t, v = np.array([0.5, -1.25]), np.array([0.75, 2.0]), np.array([0.25, 3.0])
    found = OPERATIONS["gaussian_nll"].function(x, t, v, full=True, reduction="none")
    assert found == pytest.approx(-stats.norm.logpdf(t, x, np.sqrt(v)), rel=1e-14)
    rates, counts = np.array([0.5, 4.0, 2.0]), np.array([0.0, 3.0, 30.0])
    found = OPERATIONS["poisson_nll"].function(np.log(rates), counts, reduction="none")
    assert found == pytest.approx(-stats.poisson.logpmf(counts, rates) - [math.lgamma(n + 1) for n in counts], rel=1e-12)


def test_weighted_likelihood_is_divided_by_the_weights_of_what_counts():
    x, labels, weights = -np.arange(1.0, 7.0).reshape(3, 2), np.array([0, 1, 1]), np.array([0.5, 2.0])
    likelihood, vjp = OPERATIONS["negative_log_likelihood"].function, OPERATIONS["negative_log_likelihood"].vjp
    assert vjp is not None
    assert likelihood(x, labels, weights) == pytest.approx((0.5 * 1 + 2 * 4 + 2 * 6) / 4.5)
    assert likelihood(x, labels, weights, ignored_label=0) == pytest.approx((2 * 4 + 2 * 6) / 4)
    assert likelihood(x, labels, reduction="sum") == 11.0
    found = vjp(np.array(9.0), x, labels, weights)["log_probabilities"]
    assert found.tolist() == [[-1.0, 0.0], [0.0, -4.0], [0.0, -4.0]]
    assert np.isnan(likelihood(x, np.array([7, 7, 7]), ignored_label=7))


def test_cosines_and_rankings_by_hand():
    a, b = np.array([[3.0, 4.0], [1.0, 0.0]]), np.array([[4.0, 3.0], [-2.0, 0.0]])
    cosine = OPERATIONS["cosine_embedding"].function
    assert cosine(a, b, np.array([1.0, 1.0]), reduction="none") == pytest.approx([0.04, 2.0])
    assert cosine(a, b, np.array([-1.0, -1.0]), margin=0.5, reduction="none") == pytest.approx([0.46, 0.0])
    ranking = OPERATIONS["margin_ranking"].function
    found = ranking(np.array([1.0, 1.0]), np.array([3.0, 3.0]), np.array([1.0, -1.0]), margin=0.5, reduction="none")
    assert found.tolist() == [2.5, 0.0]


def test_triplets_by_hand():
    a, p, n = np.array([0.0, 0.0]), np.array([3.0, 4.0]), np.array([0.0, 4.5])
    triplet = OPERATIONS["triplet_margin"].function
    assert triplet(a, p, n, epsilon=0.0) == pytest.approx(5.0 - 4.5 + 1.0)
    assert triplet(a, p, n, epsilon=0.0, swap=True) == pytest.approx(5.0 - math.sqrt(9.25) + 1.0)
    assert triplet(a, p, n, epsilon=0.5, epsilon_placement="root") == pytest.approx(math.sqrt(25.5) - math.sqrt(20.75) + 1.0)


@pytest.mark.parametrize(
    ("name", "inputs", "keywords", "expected"),
    [
        ("huber", ((3,), (3,)), {"delta": 0.0}, "delta: expected a number above 0, got 0.0"),
        ("smooth_l1", ((3,), (4,)), {}, r"target: expected shape \(3,\), got 'shape \(4,\)'"),
        ("focal", ((3,), (3,)), {"gamma": -1.0}, "gamma: expected a number from 0 on, got -1.0"),
        ("kl_divergence", ((3,), (3,)), {"reduction": "batchmean"}, "reduction: expected one of 'mean', 'sum', 'none'"),
        ("cosine_embedding", ((2, 3), (2, 3), (2,)), {"margin": 2.0}, "margin: expected a number from -1 to 1, got 2.0"),
        ("cosine_embedding", ((2, 3), (2, 3), (3,)), {}, r"labels: expected shape \(2,\), got 'shape \(3,\)'"),
        (
            "triplet_margin",
            ((3,), (3,), (3,)),
            {"epsilon_placement": "inside"},
            "epsilon_placement: expected one of 'difference', 'root'",
        ),
        ("gaussian_nll", ((3,), (3,), (1,)), {}, r"variance: expected shape \(3,\), got 'shape \(1,\)'"),
        ("margin_ranking", ((3,), (3,), (1,)), {}, r"labels: expected shape \(3,\), got 'shape \(1,\)'"),
    ],
)
def test_arguments_that_do_not_fit_are_told(name, inputs, keywords, expected):
    with pytest.raises(ValueError, match=expected):
        OPERATIONS[name].function(*(np.ones(shape) for shape in inputs), **keywords)


def test_labels_out_of_range_and_weights_of_another_number_are_told():
    likelihood = OPERATIONS["negative_log_likelihood"].function
    with pytest.raises(ValueError, match=r"labels: expected labels from 0 to 1, got \[2\]"):
        likelihood(np.zeros((1, 2)), np.array([2]))
    with pytest.raises(ValueError, match=r"weights: expected shape \(2,\), got 'shape \(3,\)'"):
        likelihood(np.zeros((1, 2)), np.array([1]), np.ones(3))
