"""Averages of weights, accumulated gradients, scales of losses, cycles and joined schedules by hand, and their errors."""

import math

import numpy as np
import pytest

from tensorproof_reference.operations.channel_dropout import channel_dropout
from tensorproof_reference.optimizers.dynamic_loss_scale import dynamic_loss_scale
from tensorproof_reference.optimizers.exponential_moving_average import exponential_moving_average
from tensorproof_reference.optimizers.gradient_accumulation import gradient_accumulation
from tensorproof_reference.optimizers.gradient_descent import gradient_descent
from tensorproof_reference.optimizers.joined_schedules import joined_schedules
from tensorproof_reference.optimizers.one_cycle_schedule import one_cycle_schedule
from tensorproof_reference.optimizers.polynomial_schedule import polynomial_schedule
from tensorproof_reference.optimizers.sharpness_aware_minimization import sharpness_aware_minimization
from tensorproof_reference.stream import Stream

RATE = np.array(0.5)
START = [np.array([1.0, -2.0])]
GRADIENTS = [[np.array([0.5, 4.0])], [np.array([-0.25, 1.0])], [np.array([2.0, 0.125])]]
WEIGHTS = [[np.array([value])] for value in (1.0, 3.0, -5.0)]


def test_channels_are_dropped_as_a_whole():
    y = channel_dropout(np.ones((50, 40, 2, 3)), rate=0.25, seed=3)
    assert np.array_equal(np.unique(y), [0.0, 1.0 / 0.75])
    assert np.all(y == y[:, :, :1, :1])
    assert 0.2 < np.mean(y == 0) < 0.3
    assert len(np.unique(y[:, :, 0, 0], axis=0)) == 50


def test_an_average_by_hand():
    average, kept = exponential_moving_average(WEIGHTS, decay=0.5)
    assert average[0] == kept[0] == 0.5 * (0.5 * 1.0 + 0.5 * 3.0) + 0.5 * -5.0
    average, kept = exponential_moving_average(WEIGHTS, decay=0.5, start="zero")
    assert kept[0] == 0.5 * (0.5 * (0.5 * 1.0) + 0.5 * 3.0) + 0.5 * -5.0
    assert average[0] == kept[0] / (1.0 - 0.125)
    warm, _ = exponential_moving_average(WEIGHTS[1:2], [np.array([1.0])], decay=0.9, taken=4, warmup=True)
    np.testing.assert_allclose(warm[0], (6.0 / 15.0) * 1.0 + (9.0 / 15.0) * 3.0)


@pytest.mark.parametrize("start", ["first", "zero"])
def test_an_average_goes_on_where_it_was(start):
    whole = exponential_moving_average(WEIGHTS, decay=0.75, start=start)
    _, kept = exponential_moving_average(WEIGHTS[:2], decay=0.75, start=start)
    assert exponential_moving_average(WEIGHTS[2:], kept, decay=0.75, start=start, taken=2) == whole


def test_accumulated_gradients_are_a_step_along_their_mean():
    mean = [[np.mean([gradient for (gradient,) in GRADIENTS], axis=0)]]
    expected = gradient_descent(START, mean, learning_rate=0.25)
    for kept in ("shares", "sum", "mean"):
        how = {"every": 3, "learning_rate": 0.25, "kept": kept}
        moved, sums = gradient_accumulation(START, GRADIENTS, **how)
        np.testing.assert_allclose(moved, expected, rtol=1e-14)
        assert not np.any(sums[0])
        between, sums = gradient_accumulation(START, GRADIENTS[:2], **how)
        assert np.array_equal(between, START)
        resumed, _ = gradient_accumulation(between, GRADIENTS[2:], sums, taken=2, **how)
        np.testing.assert_allclose(resumed, expected, rtol=1e-14)


def test_sharpness_aware_minimization_by_hand():
    climbing, descending = [np.array([3.0, -4.0])], [np.array([2.0, 8.0])]
    high, origin = sharpness_aware_minimization(START, [climbing], radius=0.5)
    np.testing.assert_allclose(high[0], [1.0 + 0.3, -2.0 - 0.4])
    assert np.array_equal(origin, START)
    expected = gradient_descent(START, [descending], learning_rate=0.25)
    moved, _ = sharpness_aware_minimization(START, [climbing, descending], radius=0.5, learning_rate=0.25)
    assert np.array_equal(moved, expected)
    resumed, _ = sharpness_aware_minimization(high, [descending], origin, taken=1, learning_rate=0.25)
    assert np.array_equal(resumed, expected)
    plain, _ = sharpness_aware_minimization(START, GRADIENTS, every=1, learning_rate=0.25)
    np.testing.assert_allclose(plain, gradient_descent(START, GRADIENTS, learning_rate=0.25))


def test_sharpness_aware_minimization_climbs_by_the_norm_of_all_parameters():
    two = [np.array(1.0), np.array([0.0])]
    high, _ = sharpness_aware_minimization(two, [[np.array(3.0), np.array([4.0])]], radius=1.0)
    np.testing.assert_allclose([high[0], high[1][0]], [1.6, 0.8])


def test_a_scale_grows_and_backs_off():
    scale, bad = np.array(8.0), [np.array([np.inf, 1.0])]
    moved, found = dynamic_loss_scale(START, GRADIENTS, scale, learning_rate=0.25)
    np.testing.assert_allclose(moved[0], START[0] - 0.25 * sum(gradient for (gradient,) in GRADIENTS) / 8.0)
    assert found == 8.0
    scales = [dynamic_loss_scale(START, GRADIENTS[:count], scale, interval=2)[1] for count in range(4)]
    assert scales == [8.0, 8.0, 16.0, 16.0]
    scales = [dynamic_loss_scale(START, GRADIENTS[:count], scale, interval=2, grows="after_interval")[1] for count in range(4)]
    assert scales == [8.0, 8.0, 8.0, 16.0]
    moved, found = dynamic_loss_scale(START, [GRADIENTS[0], bad, GRADIENTS[2]], scale, interval=2, learning_rate=1.0)
    np.testing.assert_allclose(moved[0], START[0] - GRADIENTS[0][0] / 8.0 - GRADIENTS[2][0] / 4.0)
    assert found == 4.0


def test_one_cycle_by_hand():
    how = {"steps": 9, "rising": 1 / 3, "divisor": 4.0, "final_divisor": 8.0}
    cycle = one_cycle_schedule(RATE, np.arange(9.0), **how)
    low, end = 0.125, 0.125 / 8.0
    falling = [end + (0.5 - end) * (1 + math.cos(math.pi * s / 6)) / 2 for s in range(1, 7)]
    np.testing.assert_allclose(cycle, [low, (low + 0.5) / 2, 0.5, *falling], rtol=1e-13)
    whole = one_cycle_schedule(RATE, np.arange(12.0), ends="steps", form="linear", **how)
    slope = [0.5 - (0.5 - end) * s / 6 for s in range(1, 7)]
    np.testing.assert_allclose(whole, [low, 0.25, 0.375, 0.5, *slope, end, end], rtol=1e-13)
    three = one_cycle_schedule(RATE, np.arange(9.0), phases=3, form="linear", **how)
    down = [low - (low - end) * s / 4 for s in range(1, 5)]
    np.testing.assert_allclose(three, [low, (low + 0.5) / 2, 0.5, (low + 0.5) / 2, low, *down], rtol=1e-13)


def test_joined_schedules_by_hand():
    y = joined_schedules(RATE, np.arange(10.0), schedules=("warmup", "constant", "linear"), lengths=(2, 1, 4), boundaries=(2, 4))
    np.testing.assert_allclose(y, [0.0, 0.25, 0.5, 0.5, 0.5, 0.375, 0.25, 0.125, 0.0, 0.0])
    alone = joined_schedules(RATE, np.arange(10.0), schedules=("linear",), lengths=(6,), boundaries=())
    assert np.array_equal(alone, polynomial_schedule(RATE, np.arange(10.0), steps=6))


@pytest.mark.parametrize(
    ("function", "argument", "given"),
    [
        (channel_dropout, "x", {"x": np.ones((2, 3))}),
        (channel_dropout, "rate", {"x": np.ones((2, 3, 4)), "rate": 1.5}),
        (exponential_moving_average, "parameters", {"parameters": []}),
        (exponential_moving_average, "decay", {"parameters": WEIGHTS, "decay": 1.0}),
        (exponential_moving_average, "start", {"parameters": WEIGHTS, "start": "last"}),
        (exponential_moving_average, "warmup", {"parameters": WEIGHTS, "start": "zero", "warmup": True}),
        (exponential_moving_average, "accumulated", {"parameters": WEIGHTS, "accumulated": [np.ones(2)]}),
        (exponential_moving_average, "taken", {"parameters": WEIGHTS, "taken": -1}),
        (gradient_accumulation, "every", {"parameters": START, "gradients": GRADIENTS, "every": 0}),
        (gradient_accumulation, "kept", {"parameters": START, "gradients": GRADIENTS, "kept": "none"}),
        (gradient_accumulation, "gradients", {"parameters": START, "gradients": [[]]}),
        (gradient_accumulation, "taken", {"parameters": START, "gradients": GRADIENTS, "taken": -1}),
        (sharpness_aware_minimization, "every", {"parameters": START, "gradients": GRADIENTS, "every": 0}),
        (sharpness_aware_minimization, "origin", {"parameters": START, "gradients": GRADIENTS, "origin": []}),
        (sharpness_aware_minimization, "radius", {"parameters": START, "gradients": GRADIENTS, "radius": -1.0}),
        (sharpness_aware_minimization, "epsilon", {"parameters": START, "gradients": GRADIENTS, "epsilon": 0.5}),
        (sharpness_aware_minimization, "gradients", {"parameters": START, "gradients": [[]]}),
        (dynamic_loss_scale, "scale", {"parameters": START, "gradients": GRADIENTS, "scale": np.ones(1)}),
        (dynamic_loss_scale, "growth", {"parameters": START, "gradients": GRADIENTS, "scale": RATE, "growth": 1.0}),
        (dynamic_loss_scale, "backoff", {"parameters": START, "gradients": GRADIENTS, "scale": RATE, "backoff": 1.0}),
        (dynamic_loss_scale, "interval", {"parameters": START, "gradients": GRADIENTS, "scale": RATE, "interval": 0}),
        (dynamic_loss_scale, "grows", {"parameters": START, "gradients": GRADIENTS, "scale": RATE, "grows": "never"}),
        (one_cycle_schedule, "step", {"learning_rate": RATE, "step": np.array([24.0])}),
        (one_cycle_schedule, "rising", {"learning_rate": RATE, "step": np.array([0.0]), "rising": 1.5}),
        (one_cycle_schedule, "form", {"learning_rate": RATE, "step": np.array([0.0]), "form": "square"}),
        (one_cycle_schedule, "phases", {"learning_rate": RATE, "step": np.array([0.0]), "phases": 4}),
        (one_cycle_schedule, "divisor", {"learning_rate": RATE, "step": np.array([0.0]), "divisor": 0.0}),
        (joined_schedules, "schedules", {"learning_rate": RATE, "step": np.array([0.0]), "schedules": ("warmup", "step")}),
        (joined_schedules, "lengths", {"learning_rate": RATE, "step": np.array([0.0]), "lengths": (8,)}),
        (joined_schedules, "boundaries", {"learning_rate": RATE, "step": np.array([0.0]), "boundaries": (8, 4)}),
    ],
)
def test_errors_name_the_argument(function, argument, given):
    with pytest.raises(ValueError, match=f"^{argument}: expected"):
        function(**given)


def test_the_mask_of_a_channel_is_the_same_for_the_gradient():
    x = Stream(0)("x").normal((4, 3, 5)) + 4.0
    assert np.array_equal(channel_dropout(x, seed=2) == 0, channel_dropout(np.ones_like(x), seed=2) == 0)
