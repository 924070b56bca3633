"""Optimizers, clipping and schedules against formulas by hand and in mpmath, their special values, and their errors."""

import mpmath
import numpy as np
import pytest

from tensorproof_reference.optimizers.adadelta import adadelta
from tensorproof_reference.optimizers.adagrad import adagrad
from tensorproof_reference.optimizers.adam import adam
from tensorproof_reference.optimizers.adamw import adamw
from tensorproof_reference.optimizers.clip_by_global_norm import clip_by_global_norm
from tensorproof_reference.optimizers.clip_by_norm import clip_by_norm
from tensorproof_reference.optimizers.clip_by_value import clip_by_value
from tensorproof_reference.optimizers.constant_schedule import constant_schedule
from tensorproof_reference.optimizers.cosine_schedule import cosine_schedule
from tensorproof_reference.optimizers.exponential_schedule import exponential_schedule
from tensorproof_reference.optimizers.gradient_descent import gradient_descent
from tensorproof_reference.optimizers.momentum import momentum
from tensorproof_reference.optimizers.nadam import nadam
from tensorproof_reference.optimizers.rmsprop import rmsprop
from tensorproof_reference.optimizers.sgd import sgd
from tensorproof_reference.optimizers.step_schedule import step_schedule
from tensorproof_reference.optimizers.warmup_schedule import warmup_schedule

START = [np.array([1.0, -2.0])]
GRADIENTS = [[np.array([0.5, 4.0])], [np.array([-0.25, 1.0])], [np.array([2.0, 0.125])]]
STEPPING = (gradient_descent, sgd, momentum, rmsprop, adam, adamw, adagrad, adadelta, nadam)
STEPS = np.arange(6.0)
RATE = np.array(0.5)


def first_of(result):
    """The parameters, whether or not there is state beside them."""
    return result[0] if isinstance(result, tuple) else result


def in_high_precision(step, start, gradients):
    """The parameters after ``step(t, parameter, gradient, state)`` in 40 digits, element by element."""
    with mpmath.workdps(40):
        result = []
        for index, value in enumerate(start[0]):
            parameter, state = mpmath.mpf(float(value)), {}
            for t, (gradient,) in enumerate(gradients, 1):
                parameter = step(t, parameter, mpmath.mpf(float(gradient[index])), state)
            result.append(float(parameter))
    return result


def adam_by_hand(placement="after", decay=0.0, maximum=False):
    b1, b2, rate, epsilon = (mpmath.mpf(x) for x in (0.9, 0.999, 0.1, 1e-3))

    def step(t, parameter, gradient, state):
        parameter -= rate * mpmath.mpf(decay) * parameter
        m = state["m"] = b1 * state.get("m", 0) + (1 - b1) * gradient
        v = state["v"] = b2 * state.get("v", 0) + (1 - b2) * gradient**2
        if maximum:
            v = state["largest"] = max(v, state.get("largest", 0))
        if placement == "after":
            return parameter - rate * (m / (1 - b1**t)) / (mpmath.sqrt(v / (1 - b2**t)) + epsilon)
        return parameter - rate * mpmath.sqrt(1 - b2**t) / (1 - b1**t) * m / (mpmath.sqrt(v) + epsilon)

    return step


ADAM = {"learning_rate": 0.1, "epsilon": 1e-3}


@pytest.mark.parametrize(
    ("function", "keywords", "by_hand"),
    [
        (adam, ADAM, adam_by_hand()),
        (adam, {**ADAM, "epsilon_placement": "before_correction"}, adam_by_hand("before")),
        (adam, {**ADAM, "amsgrad": True}, adam_by_hand(maximum=True)),
        (adamw, {**ADAM, "weight_decay": 0.25}, adam_by_hand(decay=0.25)),
        (adamw, {**ADAM, "weight_decay": 0.25, "amsgrad": True}, adam_by_hand(decay=0.25, maximum=True)),
    ],
    ids=["adam", "before_correction", "amsgrad", "adamw", "adamw_amsgrad"],
)
def test_adam_against_forty_digits(function, keywords, by_hand):
    expected = in_high_precision(by_hand, START, GRADIENTS)
    np.testing.assert_allclose(function(START, GRADIENTS, **keywords)[0][0], expected, rtol=1e-14)


def test_nadam_against_forty_digits():
    def step(t, parameter, gradient, state):
        b1, b2 = mpmath.mpf(0.9), mpmath.mpf(0.999)
        mu = [b1 * (1 - mpmath.mpf(0.5) * mpmath.mpf(0.96) ** (i * mpmath.mpf(0.004))) for i in range(1, t + 2)]
        m = state["m"] = b1 * state.get("m", 0) + (1 - b1) * gradient
        v = state["v"] = b2 * state.get("v", 0) + (1 - b2) * gradient**2
        ahead = mu[t] * m / (1 - mpmath.fprod(mu)) + (1 - mu[t - 1]) * gradient / (1 - mpmath.fprod(mu[:-1]))
        return parameter - mpmath.mpf(0.1) * ahead / (mpmath.sqrt(v / (1 - b2**t)) + mpmath.mpf(1e-8))

    expected = in_high_precision(step, START, GRADIENTS)
    np.testing.assert_allclose(nadam(START, GRADIENTS, learning_rate=0.1)[0][0], expected, rtol=1e-14)


def test_rmsprop_and_adagrad_and_adadelta_take_their_first_step_as_by_hand():
    one, gradient = [np.array([1.0])], [[np.array([2.0])]]
    assert rmsprop(one, gradient, learning_rate=0.5, rho=0.75, epsilon=1.0)[0][0] == 1.0 - 0.5 * 2.0 / (1.0 + 1.0)
    inside = rmsprop(one, gradient, learning_rate=0.5, rho=0.75, epsilon=3.0, epsilon_placement="inside")
    assert inside[0][0] == 1.0 - 0.5 * 2.0 / 2.0
    centered = rmsprop(one, gradient, learning_rate=0.5, rho=0.5, epsilon=1.0, centered=True)
    assert centered[0][0] == 1.0 - 0.5 * 2.0 / (np.sqrt(2.0 - 1.0) + 1.0)
    assert adagrad(one, gradient, learning_rate=0.5, initial_accumulator=5.0, epsilon=1.0)[0][0] == 1.0 - 0.5 * 2.0 / 4.0
    assert adadelta(one, gradient, rho=0.5, epsilon=2.0)[0][0] == 1.0 - np.sqrt(2.0) / np.sqrt(2.0 + 2.0) * 2.0


def test_momentum_by_hand():
    one, two = [np.array([1.0])], [[np.array([2.0])], [np.array([4.0])]]
    rate = {"learning_rate": 0.5, "coefficient": 0.5}
    assert momentum(one, two, **rate) == ([np.array([1.0 - 0.5 * 2.0 - 0.5 * 5.0])], [np.array([5.0])])
    assert momentum(one, two, **rate, dampening=0.5)[1] == [np.array([0.5 * 2.0 + 0.5 * 4.0])]
    assert momentum(one, two, **rate, dampening=0.5, first_step="dampened")[1] == [np.array([0.5 * 1.0 + 0.5 * 4.0])]
    assert momentum(one, two, **rate, nesterov=True)[0] == [np.array([1.0 - 0.5 * 3.0 - 0.5 * (4.0 + 0.5 * 5.0)])]
    assert momentum(one, two, **rate, accumulated="updates")[1] == [np.array([-2.5])]


def test_what_momentum_accumulates_makes_no_difference_at_one_rate():
    for nesterov in (False, True):
        of_gradients = momentum(START, GRADIENTS, learning_rate=0.125, nesterov=nesterov)
        of_updates = momentum(START, GRADIENTS, learning_rate=0.125, nesterov=nesterov, accumulated="updates")
        np.testing.assert_allclose(of_gradients[0][0], of_updates[0][0], rtol=1e-14)
        np.testing.assert_allclose(-0.125 * of_gradients[1][0], of_updates[1][0], rtol=1e-14)


def test_weight_decay_without_momentum_is_the_same_coupled_and_decoupled():
    plain = sgd(START, GRADIENTS, learning_rate=0.1, weight_decay=0.5)[0]
    for decay in ("coupled", "decoupled"):
        same = momentum(START, GRADIENTS, learning_rate=0.1, coefficient=0.0, weight_decay=0.5, decay=decay)[0][0]
        np.testing.assert_allclose(same, plain, rtol=1e-14)


@pytest.mark.parametrize("function", STEPPING)
def test_two_runs_are_one(function):
    """Stopping after a step and going on from the state gives what steps without a stop give, to the last bit."""
    whole = function(START, GRADIENTS)
    counted = function in (adam, adamw, nadam)
    begun = function(START, GRADIENTS[:1])
    parameters, *states = begun if isinstance(begun, tuple) else (begun,)
    rest = function(parameters, GRADIENTS[1:], *(state or None for state in states), **({"taken": 1} if counted else {}))
    for one, other in zip(whole, rest, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("function", STEPPING)
def test_groups_are_parameters_on_their_own(function):
    together = first_of(function([START[0], START[0]], [[g, g] for (g,) in GRADIENTS], learning_rate=(0.5, 0.125)))
    for rate, parameter in zip((0.5, 0.125), together, strict=True):
        np.testing.assert_array_equal(parameter, first_of(function(START, GRADIENTS, learning_rate=rate))[0])


@pytest.mark.parametrize("function", STEPPING)
def test_a_parameter_without_a_gradient_stays_and_arguments_too(function):
    parameters, gradients = [START[0].copy(), START[0].copy()], [[g.copy(), None] for (g,) in GRADIENTS]
    moved = first_of(function(parameters, gradients, learning_rate=0.5))
    np.testing.assert_array_equal(moved[1], START[0])
    assert (moved[0] != START[0]).all()
    np.testing.assert_array_equal(parameters, [START[0], START[0]])
    for (gradient, _), (original,) in zip(gradients, GRADIENTS, strict=True):
        np.testing.assert_array_equal(gradient, original)


def test_steps_are_counted_of_the_parameter_or_of_the_optimizer():
    late = [[None], [GRADIENTS[0][0]]]
    np.testing.assert_array_equal(adam(START, late)[0], adam(START, late[1:])[0])
    np.testing.assert_array_equal(adam(START, late, counted="steps")[0], adam(START, late[1:], taken=1)[0])


def test_no_parameters_and_no_steps():
    assert gradient_descent([], []) == []
    assert adam([], [[]]) == ([], [], [], [])
    np.testing.assert_array_equal(adagrad(START, [], initial_accumulator=0.5)[1][0], [0.5, 0.5])


def test_clipping_by_hand():
    gradients = [np.array([3.0, 4.0]), np.array([0.0, 12.0])]
    np.testing.assert_array_equal(clip_by_value(gradients, limit=3.5), [[3.0, 3.5], [0.0, 3.5]])
    np.testing.assert_allclose(clip_by_norm(gradients, limit=10.0), [[3.0, 4.0], [0.0, 10.0]])
    np.testing.assert_allclose(clip_by_global_norm(gradients, limit=6.5), [[1.5, 2.0], [0.0, 6.0]])
    np.testing.assert_array_equal(clip_by_global_norm(gradients, limit=13.0), gradients)


def test_clipping_of_zero_nan_and_infinity():
    with np.errstate(all="ignore"):
        for clip in (clip_by_norm, clip_by_global_norm):
            np.testing.assert_array_equal(clip([np.zeros(3)], limit=1.0)[0], np.zeros(3))
            assert np.isnan(clip([np.array([np.nan, 1.0])], limit=1.0)[0]).all()
            np.testing.assert_array_equal(clip([np.array([np.inf, 1.0])], limit=1.0)[0], [np.nan, 0.0])
        np.testing.assert_array_equal(clip_by_value([np.array([np.nan, -np.inf])], limit=1.0)[0], [np.nan, -1.0])


def test_schedules_by_hand():
    np.testing.assert_array_equal(constant_schedule(RATE, STEPS), np.full(6, 0.5))
    stepped = step_schedule(RATE, STEPS, boundaries=(2, 4), factor=0.5)
    np.testing.assert_array_equal(stepped, [0.5, 0.5, 0.25, 0.25, 0.125, 0.125])
    old = step_schedule(RATE, STEPS, boundaries=(2, 4), factor=0.5, at_boundary="old")
    np.testing.assert_array_equal(old, [0.5, 0.5, 0.5, 0.25, 0.25, 0.125])
    np.testing.assert_allclose(exponential_schedule(RATE, STEPS, rate=0.25, every=2), 0.5 * 0.5**STEPS)
    stairs = exponential_schedule(RATE, STEPS, rate=0.5, every=2, staircase=True)
    np.testing.assert_array_equal(stairs, [0.5, 0.5, 0.25, 0.25, 0.125, 0.125])
    falling = cosine_schedule(RATE, STEPS, steps=4, final=0.5)
    np.testing.assert_allclose(falling[[0, 2, 4, 5]], [0.5, 0.375, 0.25, 0.25])
    np.testing.assert_allclose(cosine_schedule(RATE, STEPS, steps=3, beyond="periodic")[[3, 4]], [0.0, 0.125], atol=1e-16)
    np.testing.assert_array_equal(warmup_schedule(RATE, STEPS, steps=4), [0.0, 0.125, 0.25, 0.375, 0.5, 0.5])


@pytest.mark.parametrize("function", STEPPING)
@pytest.mark.parametrize(
    ("argument", "arguments"),
    [
        ("gradients", {"gradients": [[np.zeros(2), np.zeros(2)]]}),
        ("gradients", {"gradients": [[np.zeros(3)]]}),
        ("learning_rate", {"learning_rate": (0.1, 0.2)}),
        ("learning_rate", {"learning_rate": -0.1}),
    ],
    ids=["too_many", "shape", "rates", "negative"],
)
def test_errors_of_all_optimizers_name_the_argument(function, argument, arguments):
    with pytest.raises(ValueError, match=f"^{argument}: expected"):
        function(**{"parameters": START, "gradients": GRADIENTS, **arguments})


@pytest.mark.parametrize(
    ("function", "argument", "keywords"),
    [
        (sgd, "weight_decay", {"weight_decay": -1.0}),
        (momentum, "coefficient", {"coefficient": 1.0}),
        (momentum, "dampening", {"dampening": 2.0}),
        (momentum, "dampening", {"dampening": 0.5, "nesterov": True}),
        (momentum, "decay", {"decay": "none"}),
        (momentum, "accumulated", {"accumulated": "sums"}),
        (momentum, "first_step", {"first_step": "slow"}),
        (momentum, "velocity", {"velocity": [np.zeros(3)]}),
        (momentum, "velocity", {"velocity": []}),
        (rmsprop, "rho", {"rho": 1.5}),
        (rmsprop, "momentum", {"momentum": -0.5}),
        (rmsprop, "epsilon", {"epsilon": 0.0}),
        (rmsprop, "epsilon_placement", {"epsilon_placement": "beside"}),
        (rmsprop, "mean_gradient", {"mean_gradient": [np.zeros(3)]}),
        (adam, "beta1", {"beta1": 1.0}),
        (adam, "beta2", {"beta2": -0.1}),
        (adam, "taken", {"taken": -1}),
        (adam, "counted", {"counted": "days"}),
        (adam, "maximum", {"maximum": "none"}),
        (adam, "maximum", {"maximum": "corrected", "amsgrad": True, "epsilon_placement": "before_correction"}),
        (adamw, "epsilon_placement", {"epsilon_placement": "inside"}),
        (adagrad, "initial_accumulator", {"initial_accumulator": -1.0}),
        (adagrad, "sum_of_squares", {"sum_of_squares": [np.zeros(1)]}),
        (adadelta, "decay", {"decay": "none"}),
        (nadam, "schedule", {"schedule": "cosine"}),
        (nadam, "momentum_decay", {"momentum_decay": -1.0}),
    ],
)
def test_errors_of_optimizers_name_the_argument(function, argument, keywords):
    with pytest.raises(ValueError, match=f"^{argument}: expected"):
        function(START, GRADIENTS, **keywords)


@pytest.mark.parametrize(
    ("function", "argument", "keywords"),
    [
        (clip_by_value, "limit", {"limit": -0.5}),
        (clip_by_norm, "limit", {"limit": -1.0}),
        (clip_by_norm, "epsilon", {"limit": 1.0, "epsilon": 0.5}),
        (clip_by_global_norm, "epsilon", {"limit": 1.0, "epsilon": 1e-5}),
    ],
)
def test_errors_of_clipping_name_the_argument(function, argument, keywords):
    with pytest.raises(ValueError, match=f"^{argument}: expected"):
        function(START, **keywords)


@pytest.mark.parametrize(
    ("function", "argument", "arguments"),
    [
        (constant_schedule, "learning_rate", {"learning_rate": np.ones(2)}),
        (constant_schedule, "step", {"step": np.array([-1.0])}),
        (step_schedule, "boundaries", {"boundaries": (4, 4)}),
        (step_schedule, "boundaries", {"boundaries": (0, 4)}),
        (step_schedule, "factor", {"factor": 0.0}),
        (step_schedule, "at_boundary", {"at_boundary": "both"}),
        (exponential_schedule, "rate", {"rate": -1.0}),
        (exponential_schedule, "every", {"every": 0}),
        (cosine_schedule, "steps", {"steps": 2.5}),
        (cosine_schedule, "final", {"final": 2.0}),
        (cosine_schedule, "beyond", {"beyond": "nothing"}),
        (warmup_schedule, "steps", {"steps": 0}),
        (warmup_schedule, "start", {"start": -0.5}),
    ],
)
def test_errors_of_schedules_name_the_argument(function, argument, arguments):
    with pytest.raises(ValueError, match=f"^{argument}: expected"):
        function(**{"learning_rate": RATE, "step": STEPS, **arguments})
