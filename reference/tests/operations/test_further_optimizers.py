"""Optimizers of profile ``extended`` against formulas by hand and in forty digits, their state, and their errors."""

import mpmath
import numpy as np
import pytest

from tensorproof_reference.operation import Operation
from tensorproof_reference.optimizers.adafactor import adafactor, factored_axes
from tensorproof_reference.optimizers.adam import adam
from tensorproof_reference.optimizers.adamax import adamax
from tensorproof_reference.optimizers.cosine_restarts_schedule import cosine_restarts_schedule
from tensorproof_reference.optimizers.cosine_schedule import cosine_schedule
from tensorproof_reference.optimizers.lamb import lamb
from tensorproof_reference.optimizers.lion import lion
from tensorproof_reference.optimizers.muon import muon, orthogonalized
from tensorproof_reference.optimizers.polynomial_schedule import polynomial_schedule
from tensorproof_reference.optimizers.radam import radam, rectification
from tensorproof_reference.optimizers.rprop import rprop
from tensorproof_reference.registry import extended_operations
from tensorproof_reference.stream import Stream

START = [np.array([1.0, -2.0])]
GRADIENTS = [[np.array([0.5, 4.0])], [np.array([-0.25, 1.0])], [np.array([2.0, 0.125])]]
MATRIX = [Stream(0)("matrix").normal((4, 3))]
MATRIX_GRADIENTS = [[Stream(0)("gradients")(str(step)).normal((4, 3))] for step in range(3)]
OF_VECTORS = (adamax, radam, lion, lamb, rprop, adafactor)
COUNTED = (adamax, radam, lamb, adafactor, muon)


def first_step_by_hand(function, **keywords):
    return function([np.array([1.0])], [[np.array([2.0])]], learning_rate=0.5, **keywords)[0][0]


def test_adamax_takes_its_first_step_as_by_hand():
    assert first_step_by_hand(adamax, epsilon=2.0) == 1.0 - 0.5 * 2.0 / (2.0 + 2.0)
    assert first_step_by_hand(adamax, epsilon=2.0, epsilon_placement="norm") == 1.0 - 0.5 * 2.0 / (2.0 + 2.0)
    _, _, kept = adamax([np.array([1.0])], [[np.array([2.0])]], epsilon=2.0)
    _, _, bare = adamax([np.array([1.0])], [[np.array([2.0])]], epsilon=2.0, epsilon_placement="norm")
    assert (kept[0], bare[0]) == (4.0, 2.0)
    coupled = first_step_by_hand(adamax, epsilon=1e-300, weight_decay=1.0)
    decoupled = first_step_by_hand(adamax, epsilon=1e-300, weight_decay=1.0, decay="decoupled")
    assert (coupled, decoupled) == (0.5, 0.0)


def test_adamax_against_forty_digits():
    with mpmath.workdps(40):
        b1, b2 = mpmath.mpf(0.9), mpmath.mpf(0.999)
        for index in range(2):
            x, m, u = mpmath.mpf(float(START[0][index])), mpmath.mpf(0), mpmath.mpf(0)
            for t, (gradient,) in enumerate(GRADIENTS, 1):
                g = mpmath.mpf(float(gradient[index]))
                m, u = b1 * m + (1 - b1) * g, max(b2 * u, abs(g) + mpmath.mpf(1e-8))
                x -= mpmath.mpf(0.1) * m / (1 - b1**t) / u
            found = adamax(START, GRADIENTS, learning_rate=0.1)[0][0][index]
            np.testing.assert_allclose(found, float(x), rtol=1e-14)


def test_the_rectification_is_the_papers():
    with mpmath.workdps(40):
        b2 = mpmath.mpf(0.999)
        longest = 2 / (1 - b2) - 1
        for step in (6, 7, 100, 10_000):
            length = longest - 2 * step * b2**step / (1 - b2**step)
            squared = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            np.testing.assert_allclose(rectification(step, 0.999, 5.0), float(mpmath.sqrt(squared)), rtol=1e-9)
    assert rectification(5, 0.999, 5.0) is None
    assert rectification(5, 0.999, 4.0) is not None
    assert rectification(1, 0.0, 4.0) is None


def test_radam_goes_along_the_mean_first_and_then_as_adam_times_the_rectification():
    moved, first, _ = radam(START, GRADIENTS[:1], learning_rate=0.5)
    np.testing.assert_allclose(moved[0], START[0] - 0.5 * first[0] / 0.1, rtol=1e-14)
    state = [[np.array([0.25, -0.5])], [np.array([1.0, 2.0])]]
    for placement in ("after_correction", "before_correction"):
        how = {"taken": 9, "epsilon": 0.25, "epsilon_placement": placement, "learning_rate": 0.5}
        far = adam(START, GRADIENTS[:1], *state, **how)[0][0] - START[0]
        near = radam(START, GRADIENTS[:1], *state, **how)[0][0] - START[0]
        np.testing.assert_allclose(near, rectification(10, 0.999, 5.0) * far, rtol=1e-12)


def test_lion_moves_by_signs_and_decays():
    moved, first = lion(START, GRADIENTS[:1], [np.array([-1.0, 1.0])], learning_rate=0.25, weight_decay=0.5)
    np.testing.assert_allclose(moved[0], [1.0 * 0.875 + 0.25, -2.0 * 0.875 - 0.25], rtol=1e-15)
    np.testing.assert_allclose(first[0], [0.99 * -1.0 + 0.01 * 0.5, 0.99 + 0.04], rtol=1e-15)
    assert lion([np.zeros(1)], [[np.zeros(1)]], learning_rate=1.0)[0][0] == 0.0


def test_lamb_steps_by_the_size_of_the_parameter():
    moved, _, _ = lamb(START, GRADIENTS[:1], learning_rate=0.5, epsilon=1e-300)
    np.testing.assert_allclose(moved[0], START[0] - 0.5 * np.sqrt(5.0) / np.sqrt(2.0), rtol=1e-14)
    scaled = lamb(START, GRADIENTS[:1], learning_rate=0.5, epsilon=1e-300, weight_decay=1.0)[0][0]
    direction = 1.0 + START[0]
    np.testing.assert_allclose(scaled, START[0] - 0.5 * np.sqrt(5.0) * direction / np.linalg.norm(direction), rtol=1e-14)
    half = lamb(START, GRADIENTS[:1], learning_rate=0.5, epsilon=1e-300, weight_decay=1.0, decay="decoupled")[0][0]
    np.testing.assert_allclose(half, START[0] / 2 - 0.5 * np.sqrt(1.25) / np.sqrt(2.0), rtol=1e-14)
    assert lamb([np.zeros(1)], [[np.ones(1)]], learning_rate=0.5, epsilon=1.0)[0][0] == -0.25


def test_rprop_grows_shrinks_and_rests():
    gradients = [[np.array([g])] for g in (1.0, 3.0, -2.0, -1.0)]
    for kept in ("gradient", "step"):
        moved = [rprop([np.zeros(1)], gradients[:count], learning_rate=0.5, kept=kept)[0][0][0] for count in range(1, 5)]
        np.testing.assert_allclose(moved, [-0.5, -1.1, -1.1, -0.8], rtol=1e-15)
    assert rprop([np.zeros(1)], gradients[:2], learning_rate=0.5, largest=0.55)[2][0] == 0.55
    assert rprop([np.zeros(1)], gradients[:3], learning_rate=0.5, smallest=0.4)[2][0] == 0.4


@pytest.mark.parametrize("factored", ["last", "largest"])
def test_adafactor_by_loops(factored):
    parameter, gradient = Stream(0)("p").normal((4, 3, 2)), Stream(0)("g").normal((4, 3, 2))
    i, j = factored_axes((4, 3, 2), factored)
    (rest,) = {0, 1, 2} - {i, j}
    moved, row, column, _ = adafactor([parameter], [[gradient]], learning_rate=0.25, factored=factored)
    moment = np.zeros_like(gradient)
    for place in np.ndindex(4, 3, 2):
        square = np.moveaxis(gradient, (rest, i, j), (0, 1, 2))[place[rest]] ** 2
        moment[place] = np.mean(square[place[i]]) * np.mean(square[:, place[j]]) / np.mean(square)
    step = gradient / np.sqrt(moment)
    step /= max(1.0, np.sqrt(np.mean(step**2)))
    np.testing.assert_allclose(moved[0], parameter - 0.25 * np.sqrt(np.mean(parameter**2)) * step, rtol=1e-13)
    assert (row[0].shape, column[0].shape) == (np.mean(parameter, j).shape, np.mean(parameter, i).shape)


def test_adafactor_limits_its_rate_and_its_update():
    one = {"learning_rate": 4.0, "smallest_size": 0.25}
    assert adafactor([np.zeros(1)], [[np.array([3.0])]], **one)[0][0] == -0.25
    late = adafactor([np.zeros(1)], [[np.array([3.0])]], second_moment=[np.array([9.0])], taken=3, **one)[0][0]
    np.testing.assert_allclose(late, -0.125, rtol=1e-14)


def test_muon_makes_singular_values_near_one():
    made = orthogonalized(MATRIX[0], coefficients=(1.5, -0.5, 0.0), iterations=30, epsilon=1e-7)
    left, _, right = np.linalg.svd(MATRIX[0], full_matrices=False)
    np.testing.assert_allclose(made, left @ right, atol=1e-12)
    values = np.linalg.svd(orthogonalized(MATRIX[0], coefficients=(3.4445, -4.775, 2.0315), iterations=5, epsilon=1e-7))[1]
    assert np.all((values > 0.6) & (values < 1.3))


def test_muon_iterates_on_singular_values():
    how = {"coefficients": (3.4445, -4.775, 2.0315), "iterations": 5, "epsilon": 1e-7}
    left, values, right = np.linalg.svd(MATRIX[0], full_matrices=False)
    values = values / (np.linalg.norm(values) + 1e-7)
    for _ in range(5):
        values = 3.4445 * values - 4.775 * values**3 + 2.0315 * values**5
    np.testing.assert_allclose(orthogonalized(MATRIX[0], **how), left * values @ right, atol=1e-12)
    np.testing.assert_allclose(orthogonalized(MATRIX[0].T, **how), (left * values @ right).T, atol=1e-12)


def test_what_muon_averages_makes_a_difference_only_where_it_is_corrected():
    mean, total, corrected = (
        muon(MATRIX, MATRIX_GRADIENTS, average=kind, epsilon=1e-200)[0][0] for kind in ("mean", "sum", "corrected")
    )
    np.testing.assert_allclose(mean, total, rtol=1e-11)
    assert np.abs(mean - corrected).max() > 1e-6
    bare = {"epsilon": 1e-200, "nesterov": False}
    mean, corrected = (muon(MATRIX, MATRIX_GRADIENTS, average=kind, **bare)[0][0] for kind in ("mean", "corrected"))
    np.testing.assert_allclose(mean, corrected, rtol=1e-11)


@pytest.mark.parametrize("function", [*OF_VECTORS, muon])
def test_two_runs_are_one(function):
    """Stopping after a step and going on from the state gives what steps without a stop give, to the last bit."""
    start, gradients = (MATRIX, MATRIX_GRADIENTS) if function in (muon, adafactor) else (START, GRADIENTS)
    whole = function(start, gradients)
    parameters, *states = function(start, gradients[:1])
    rest = function(parameters, gradients[1:], *states, **({"taken": 1} if function in COUNTED else {}))
    for one, other in zip(whole, rest, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("function", [*OF_VECTORS, muon])
def test_groups_are_parameters_on_their_own_and_none_moves_without_a_gradient(function):
    (start, *_), gradients = (MATRIX, MATRIX_GRADIENTS) if function is muon else (START, GRADIENTS)
    together = function([start] * 3, [[g, g, None] for (g,) in gradients], learning_rate=(0.5, 0.125, 0.25))[0]
    for rate, parameter in zip((0.5, 0.125), together, strict=False):
        np.testing.assert_array_equal(parameter, function([start], gradients, learning_rate=rate)[0][0])
    np.testing.assert_array_equal(together[2], start)


@pytest.mark.parametrize(
    ("function", "argument", "keywords"),
    [
        (adamax, "beta1", {"beta1": 1.0}),
        (adamax, "epsilon_placement", {"epsilon_placement": "after_correction"}),
        (adamax, "decay", {"decay": "none"}),
        (radam, "threshold", {"threshold": 3.0}),
        (radam, "epsilon", {"epsilon": 0.0}),
        (lion, "weight_decay", {"weight_decay": -1.0}),
        (lion, "first_moment", {"first_moment": []}),
        (lamb, "decay", {"decay": "coupled"}),
        (rprop, "shrinking", {"shrinking": 1.0}),
        (rprop, "growing", {"growing": 1.0}),
        (rprop, "smallest", {"smallest": 0.0}),
        (rprop, "learning_rate", {"learning_rate": 100.0}),
        (rprop, "kept", {"kept": "both"}),
        (adafactor, "exponent", {"exponent": 0.0}),
        (adafactor, "factored", {"factored": "all"}),
        (adafactor, "row_moment", {"row_moment": [np.zeros(2)]}),
        (adafactor, "second_moment", {"second_moment": [np.zeros(3)]}),
        (muon, "parameters", {}),
        (muon, "iterations", {"iterations": 0}),
        (muon, "average", {"average": "none"}),
        (muon, "guard", {"guard": "none"}),
        (muon, "scale", {"scale": "all"}),
    ],
)
def test_errors_name_the_argument(function, argument, keywords):
    with pytest.raises(ValueError, match=f"^{argument}: expected"):
        function(START, GRADIENTS, **keywords)


def test_no_sum_in_lions_samples_is_near_zero():
    """Else the sign of the sum, and with it the step, would be chance."""
    operation: Operation = extended_operations()["lion"]
    for sample in operation.samples(Stream(0)("lion")):
        beta1, beta2 = (sample.keywords.get(name, value) for name, value in (("beta1", 0.9), ("beta2", 0.99)))
        moments = [0.0 * p for p in sample.inputs["parameters"]]
        moments = moments if sample.inputs.get("first_moment") is None else list(sample.inputs["first_moment"])
        for of_step in sample.inputs["gradients"]:
            for index, gradient in enumerate(of_step):
                if gradient is not None:
                    total = beta1 * moments[index] + (1.0 - beta1) * gradient
                    size = beta1 * np.abs(moments[index]) + (1.0 - beta1) * np.abs(gradient)
                    assert np.all(np.abs(total) >= 0.04 * size), sample.name
                    moments[index] = beta2 * moments[index] + (1.0 - beta2) * gradient


def test_schedules_by_hand():
    rate, steps = np.array(0.5), np.arange(6.0)
    np.testing.assert_allclose(polynomial_schedule(rate, steps, steps=4), [0.5, 0.375, 0.25, 0.125, 0.0, 0.0])
    squared = polynomial_schedule(rate, steps, steps=4, power=2.0, final=0.5)
    np.testing.assert_allclose(squared, 0.25 + 0.25 * np.array([1.0, 9 / 16, 1 / 4, 1 / 16, 0.0, 0.0]))
    restarted = cosine_restarts_schedule(rate, steps, steps=2, peak=0.5)
    np.testing.assert_allclose(restarted, [0.5, 0.25, 0.25, 0.125, 0.125, 0.0625])


def test_each_cycle_is_a_cosine_schedule():
    rate, start, length = np.array(0.5), 0, 2
    for number in range(5):
        inside = np.arange(float(length))
        expected = cosine_schedule(rate, inside, steps=length) * 0.75**number
        found = cosine_restarts_schedule(rate, inside + start, steps=2, growth=3, peak=0.75)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        start, length = start + length, 3 * length


@pytest.mark.parametrize(
    ("function", "argument", "keywords"),
    [
        (polynomial_schedule, "steps", {"steps": 0}),
        (polynomial_schedule, "power", {"power": 0.0}),
        (polynomial_schedule, "final", {"final": 2.0}),
        (cosine_restarts_schedule, "growth", {"growth": 1.5}),
        (cosine_restarts_schedule, "peak", {"peak": 0.0}),
        (cosine_restarts_schedule, "step", {"step": np.array([-1.0])}),
    ],
)
def test_errors_of_schedules_name_the_argument(function, argument, keywords):
    with pytest.raises(ValueError, match=f"^{argument}: expected"):
        function(**{"learning_rate": np.array(0.5), "step": np.arange(3.0), **keywords})
