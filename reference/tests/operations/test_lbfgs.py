"""L-BFGS against the matrices of its formula, in forty digits, on a parabola, and its state, conventions and errors."""

import inspect

import mpmath
import numpy as np
import pytest

from tensorproof_reference.optimizers.lbfgs import LEAST_CURVATURE, OPERATION, lbfgs
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import leaves

SHAPES = ((3, 2), (), (1,))
START = [Stream(1)("start")(str(index)).normal(shape) for index, shape in enumerate(SHAPES)]
STATE = tuple(inspect.signature(lbfgs).parameters)[2:6]


def flat(arrays):
    return np.concatenate([np.ravel(array) for array in arrays])


def like(vector, shapes=SHAPES):
    parts = np.split(vector, np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def shrinking(steps, factor=0.5):
    """Gradients that shrink, with noise."""
    first = Stream(2)("first").normal((8,)) + 1.0
    noise = Stream(2)("noise").normal((steps, 8))
    return [like(factor**step * (first + 0.3 * noise[step])) for step in range(steps)]


def by_matrices(gradients, *, memory=10, learning_rate=1.0, kept="positive", scale="curvature"):
    """The first step whole, and H as a matrix, from equation 7.16 of Nocedal & Wright."""
    place, before, pairs = flat(START), None, []
    for of_step in gradients:
        gradient = flat(of_step)
        if before is not None:
            s, y = place - before[0], gradient - before[1]
            if kept == "all" or s @ y > LEAST_CURVATURE:
                pairs = [*pairs, (s, y)][-memory:]
        h = np.eye(place.size)
        if pairs and scale == "curvature":
            s, y = pairs[-1]
            h *= (s @ y) / (y @ y)
        for s, y in pairs:
            rho = 1.0 / (y @ s)
            v = np.eye(place.size) - rho * np.outer(y, s)
            h = v.T @ h @ v + rho * np.outer(s, s)
        before = place, gradient
        place = place - learning_rate * h @ gradient
    return place


@pytest.mark.parametrize("kept", ["positive", "all"])
@pytest.mark.parametrize("scale", ["curvature", "one"])
@pytest.mark.parametrize("memory", [1, 2, 4, 5, 10])
def test_the_recursion_is_the_product_with_the_matrix(memory, scale, kept):
    gradients = shrinking(6)
    gradients[3] = [3.0 * gradient for gradient in gradients[2]]
    how = {"memory": memory, "scale": scale, "kept": kept, "learning_rate": 0.75}
    found = lbfgs(START, gradients, first_step="whole", **how)
    np.testing.assert_allclose(flat(found[0]), by_matrices(gradients, **how), rtol=1e-10, atol=1e-12)
    assert len(found[3]) == len(found[4]) == min(memory, 5 if kept == "all" else 4)


def test_two_numbers_against_forty_digits():
    gradients = [[np.array([0.5, 4.0])], [np.array([0.125, 1.5])], [np.array([0.25, 0.5])]]
    found = flat(lbfgs([np.array([1.0, -2.0])], gradients, first_step="sum")[0])
    with mpmath.workdps(40):
        x, identity = mpmath.matrix([1, -2]), mpmath.eye(2)
        h, before = identity / mpmath.mpf(4.5), None
        pairs = []
        for (gradient,) in gradients:
            g = mpmath.matrix(gradient.tolist())
            if before is not None:
                pairs.append((x - before[0], g - before[1]))
                s, y = pairs[-1]
                h = identity * (s.T * y)[0] / (y.T * y)[0]
                for s, y in pairs:
                    rho = 1 / (s.T * y)[0]
                    h = (identity - rho * s * y.T) * h * (identity - rho * y * s.T) + rho * s * s.T
            before = x, g
            x = x - h * g
        np.testing.assert_allclose(found, [float(number) for number in x], rtol=1e-13)


def test_the_newest_pair_is_met():
    """The secant equation 6.6: H y = s."""
    *_, steps, changes = lbfgs(START, shrinking(4), learning_rate=0.5)
    state = {"parameter_changes": steps[:-1], "gradient_changes": changes[:-1]}
    # One more step, along the newest change of the gradient itself.
    before = [place - step for place, step in zip(START, steps[-1], strict=True)]
    state |= {"previous_parameters": before, "previous_gradients": [0.0 * place for place in START]}
    moved = lbfgs(START, [changes[-1]], **state)[0]
    np.testing.assert_allclose(flat(START) - flat(moved), flat(steps[-1]), rtol=1e-9)


def test_a_parabola_is_left_for_its_minimum_at_the_second_step():
    x = np.array([3.0])
    for _ in range(2):
        moved = lbfgs([x], [[4.0 * x], [4.0 * (x - np.sign(x))]])[0][0]
    np.testing.assert_allclose(moved, 0.0, atol=1e-15)


def test_the_first_step_is_limited():
    gradient = [[np.array([3.0, -4.0])]]
    start = [np.zeros(2)]
    for first_step, size in (("norm", 5.0), ("sum", 7.0), ("whole", 1.0)):
        moved = lbfgs(start, gradient, first_step=first_step, learning_rate=0.5)[0][0]
        np.testing.assert_allclose(moved, [-1.5 / size, 2.0 / size], rtol=1e-15)
        short = lbfgs(start, [[gradient[0][0] / 16.0]], first_step=first_step)[0][0]
        np.testing.assert_allclose(short, [-3.0 / 16.0, 4.0 / 16.0], rtol=1e-15)


@pytest.mark.parametrize("zero_gradient", ["counts", "stays"])
@pytest.mark.parametrize("kept", ["positive", "all"])
@pytest.mark.parametrize("stop", [1, 2, 3, 4])
def test_two_runs_are_one(stop, kept, zero_gradient):
    """Stopping and going on from the state gives what steps without a stop give, to the last bit."""
    how = {"memory": 2, "kept": kept, "zero_gradient": zero_gradient}
    gradients = shrinking(5)
    gradients[2] = [0.0 * gradient for gradient in gradients[2]]
    whole = lbfgs(START, gradients, **how)
    parameters, *state = lbfgs(START, gradients[:stop], **how)
    rest = lbfgs(parameters, gradients[stop:], *state, **how)
    for (path, one), (other_path, other) in zip(leaves(list(whole)), leaves(list(rest)), strict=True):
        assert path == other_path
        np.testing.assert_array_equal(one, other)


def test_parameters_are_one_vector():
    gradients = shrinking(5)
    apart = lbfgs(START, gradients)[0]
    together = lbfgs([flat(START)], [[flat(of_step)] for of_step in gradients])[0][0]
    np.testing.assert_allclose(flat(apart), together, rtol=1e-14)


def test_pairs_of_no_or_negative_curvature():
    first = shrinking(1)[0]
    grown = [2.0 * gradient for gradient in first]
    last = [0.5 * gradient for gradient in first]
    positive, every = (lbfgs(START, [first, grown, last], kept=kept) for kept in ("positive", "all"))
    assert (len(positive[3]), len(every[3])) == (1, 2)
    equal = lbfgs(START, [first, first, last], kept="all")
    assert len(equal[3]) == 2
    assert not flat(equal[4][0]).any()
    # Without a curvature the second step has the identity, and the third one pair.
    np.testing.assert_array_equal(flat(equal[0]), flat(lbfgs(START, [first, first, last])[0]))


def test_a_gradient_of_zero_counts_or_all_stays():
    gradients = shrinking(3)
    rest = [0.0 * gradient for gradient in gradients[0]]
    stays = lbfgs(START, [gradients[0], rest, *gradients[1:]], zero_gradient="stays")
    for one, other in zip(leaves(list(stays)), leaves(list(lbfgs(START, gradients))), strict=True):
        np.testing.assert_array_equal(one[1], other[1])
    counts = lbfgs(START, [gradients[0], rest])
    np.testing.assert_array_equal(flat(counts[2]), 0.0)
    np.testing.assert_array_equal(flat(counts[0]), flat(counts[1]))
    assert len(counts[3]) == 1
    moved = lbfgs(START, [rest, gradients[0]])
    np.testing.assert_array_equal(flat(moved[0]), flat(START) - flat(gradients[0]))


def test_what_was_before_the_first_step():
    parameters, before, gradients, steps, changes = lbfgs(START, [])
    for one, other in zip(before, parameters, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not flat(gradients).any()
    assert (steps, changes) == ([], [])


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("parameters", {"parameters": []}),
        ("gradients", {"gradients": [[]]}),
        ("memory", {"memory": 0}),
        ("learning_rate", {"learning_rate": -1.0}),
        ("kept", {"kept": "some"}),
        ("scale", {"scale": "two"}),
        ("first_step", {"first_step": "half"}),
        ("zero_gradient", {"zero_gradient": "moves"}),
        ("previous_gradients", {"previous_gradients": START}),
        ("previous_parameters", {"previous_parameters": START}),
        ("previous_parameters", {"previous_parameters": START[:1], "previous_gradients": START}),
        ("previous_gradients", {"previous_parameters": START, "previous_gradients": [START[0]] * 3}),
        ("parameter_changes", {"parameter_changes": [START], "gradient_changes": [START]}),
        ("gradient_changes", {"gradient_changes": [START]}),
        ("gradient_changes", {**dict.fromkeys(STATE[:2], START), "parameter_changes": [START], "gradient_changes": [START[:1]]}),
        ("parameter_changes", {**dict.fromkeys(STATE[:2], START), **dict.fromkeys(STATE[2:], [START] * 2), "memory": 1}),
    ],
)
def test_errors_name_the_argument(argument, given):
    with pytest.raises(ValueError, match=f"^{argument}: expected"):
        lbfgs(**{"parameters": START, "gradients": shrinking(2), **given})


@pytest.mark.parametrize("first_step", ["norm", "sum", "whole"])
@pytest.mark.parametrize("kept", ["positive", "all"])
def test_no_curvature_of_the_samples_is_near_what_decides(kept, first_step):
    """Else it would be chance which pairs are kept. Curvature is away from 0 too, by which it divides."""
    for sample in OPERATION.samples(Stream(0)("lbfgs")):
        how = {"kept": kept, "first_step": first_step, **sample.keywords, "memory": 100}
        gradients = sample.inputs["gradients"]
        for count in range(1, len(gradients) + 1):
            *_, steps, changes = lbfgs(**{**sample.inputs, "gradients": gradients[:count]}, **how)
            for s, y in zip(map(flat, steps), map(flat, changes), strict=True):
                curvature, size = float(s @ y), float(np.sqrt((s @ s) * (y @ y)))
                assert curvature == 0.0 or abs(curvature) > 0.2 * size, (sample.name, count)
                assert not 0.1 < abs(curvature) / LEAST_CURVATURE < 10.0, sample.name
