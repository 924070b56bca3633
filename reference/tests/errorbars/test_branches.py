"""How close an evaluation comes to a branch is recorded."""

import numpy as np

from tensorproof_reference.errorbars.array import with_bars
from tensorproof_reference.errorbars.branches import closest_branch
from tensorproof_reference.errorbars.rules import precision_of


def barred(value, bar):
    return with_bars(value, precision_of("float32"), bar)


def test_the_closest_branch_is_recorded():
    x = barred([1.0, -3.0, 0.0, 2.0], [0.01, 0.5, 0.0, 0.1])
    with closest_branch() as closest:
        _ = x > 0
        assert np.isclose(closest.comparison, 6.0)
        _ = x[:1] == 1.0  # equal elements do not count: an element often meets itself
        assert np.isclose(closest.comparison, 6.0)
        _ = np.argmax(x)
        assert np.isclose(closest.comparison, 5 / np.hypot(0.5, 0.1)) or np.isclose(closest.comparison, 6.0)
        assert closest.selection == np.inf
        _ = np.maximum(x, 1.9)
        assert np.isclose(closest.selection, 1.0)
    _ = x > 0.999
    assert np.isclose(closest.selection, 1.0)
    for decide in (
        lambda x: np.argmin(x),
        lambda x: np.argsort(x),
        lambda x: np.sign(x - 1.0005),
        lambda x: x[0] >= x[1],
        np.floor,
    ):
        with closest_branch() as closest:
            decide(barred([1.0, 1.001], 1e-4))
        assert closest.comparison < 11
