"""Data preparation and metrics: against SciPy and by hand, and the arguments that they refuse."""

import numpy as np
import pytest
from mpmath import mp, mpf
from scipy import ndimage

from tensorproof_reference.catalogue import all_operations
from tensorproof_reference.data._resample import FILLS, floor
from tensorproof_reference.stream import Stream

OPERATIONS = all_operations()
SCIPY_MODES = {"constant": "grid-constant", "nearest": "nearest", "reflect": "reflect", "mirror": "mirror", "wrap": "grid-wrap"}
ORDERS = {"bilinear": 1, "nearest": 0}


def function(name):
    return OPERATIONS[name].function


def images(*shape):
    return Stream(0)("images").normal(shape)


def by_scipy(x, rows, columns, interpolation, fill, fill_value):
    rows, columns = np.broadcast_arrays(rows, columns)
    look_up = {"order": ORDERS[interpolation], "mode": SCIPY_MODES[fill], "cval": fill_value}
    return np.stack([[ndimage.map_coordinates(channel, [rows, columns], **look_up) for channel in image] for image in x])


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("interpolation", ORDERS)
@pytest.mark.parametrize("by", [(1.25, -0.75), (-4.75, 7.25), (0.0, 2.0), (9.25, -11.75)])
def test_a_shift_is_that_of_scipy(by, interpolation, fill):
    x = images(2, 3, 5, 6)
    keywords = {"interpolation": interpolation, "fill": fill, "fill_value": 2.5}
    y = function("shift")(x, np.asarray(by[0]), np.asarray(by[1]), **keywords)
    rows, columns = np.arange(5)[:, None] - by[0], np.arange(6)[None, :] - by[1]
    np.testing.assert_allclose(y, by_scipy(x, rows, columns, **keywords), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("interpolation", ORDERS)
@pytest.mark.parametrize("degrees", [15.0, -35.0, 100.0, 395.0])
def test_a_rotation_is_that_of_scipy(degrees, interpolation, fill):
    x = images(2, 3, 7, 6)
    keywords = {"interpolation": interpolation, "fill": fill, "fill_value": 2.5}
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    down, right = np.arange(7)[:, None] - 3.0, np.arange(6)[None, :] - 2.5
    expected = by_scipy(x, 3.0 + down * cosine + right * sine, 2.5 + right * cosine - down * sine, **keywords)
    np.testing.assert_allclose(function("rotate")(x, np.asarray(degrees), **keywords), expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("shape", [(6, 6), (5, 5), (4, 4)])
@pytest.mark.parametrize("turns", [-1, 0, 1, 2, 3])
def test_quarter_turns_are_counter_clockwise(turns, shape):
    x = images(2, 3, *shape)
    expected = np.rot90(x, turns, axes=(2, 3))
    np.testing.assert_allclose(function("rotate")(x, np.asarray(90.0 * turns), fill="nearest"), expected, atol=1e-14)
    np.testing.assert_array_equal(function("rotate")(x, np.asarray(90.0 * turns), interpolation="nearest"), expected)


def test_a_positive_shift_is_down_and_to_the_right():
    x = np.arange(1.0, 7.0).reshape(1, 1, 2, 3)
    y = function("shift")(x, np.asarray(1.0), np.asarray(1.0))
    assert y[0, 0].tolist() == [[0.0, 0.0, 0.0], [0.0, 1.0, 2.0]]
    half = function("shift")(x, np.asarray(0.0), np.asarray(0.5), fill_value=8.0)
    assert half[0, 0].tolist() == [[4.5, 1.5, 2.5], [6.0, 4.5, 5.5]]


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        ("constant", [0, 0, 0, 0, 1]),
        ("nearest", [1, 1, 1, 1, 1]),
        ("reflect", [4, 3, 2, 1, 1]),
        ("mirror", [5, 4, 3, 2, 1]),
        ("wrap", [2, 3, 4, 5, 1]),
    ],
)
@pytest.mark.parametrize("interpolation", ORDERS)
def test_fills(fill, expected, interpolation):
    x = np.arange(1.0, 6.0).reshape(1, 1, 1, 5)
    y = function("shift")(x, np.asarray(0.0), np.asarray(4.0), interpolation=interpolation, fill=fill)
    assert y.ravel().tolist() == expected


def test_of_two_pixels_that_are_equally_near_the_one_after_counts():
    x = np.arange(1.0, 6.0).reshape(1, 1, 1, 5)
    y = function("shift")(x, np.asarray(0.0), np.asarray(-0.5), interpolation="nearest", fill="nearest")
    assert y.ravel().tolist() == [2.0, 3.0, 4.0, 5.0, 5.0]


def test_what_is_not_finite_spreads_to_the_places_that_it_is_around():
    x = np.zeros((1, 1, 6, 6))
    x[0, 0, 2, 2] = np.inf
    y = function("shift")(x, np.asarray(0.25), np.asarray(0.75))
    assert np.argwhere(np.isposinf(y))[:, 2:].tolist() == [[2, 2], [2, 3], [3, 2], [3, 3]]
    assert np.isfinite(y).sum() == 32


def test_floor_by_bisection():
    places = np.asarray([-9.0, -8.5, -1.0, -1e-9, 0.0, 0.999, 1.0, 8.5, 9.0])
    np.testing.assert_array_equal(floor(places, 9), np.floor(places))


def test_pixels_are_rescaled_to_their_nearest_number():
    mp.prec = 200
    x = np.arange(256.0)
    exact = [float(mpf(int(value)) / 255) for value in x]
    np.testing.assert_array_max_ulp(function("rescale")(x), np.asarray(exact), maxulp=1)
    assert function("rescale")(np.asarray([0.0, 255.0]), scale=1 / 127.5, offset=-1.0).tolist() == [-1.0, 1.0]


def test_padding_and_truncation():
    sequences = [np.asarray([1, 2]), np.asarray([1, 2, 3, 4]), np.asarray([], np.int64)]
    pad = function("pad_sequences")
    assert pad(sequences, maxlen=3).tolist() == [[0, 1, 2], [2, 3, 4], [0, 0, 0]]
    assert pad(sequences, maxlen=3, padding="after", value=9).tolist() == [[1, 2, 9], [2, 3, 4], [9, 9, 9]]
    assert pad(sequences, maxlen=3, truncating="after").tolist() == [[0, 1, 2], [1, 2, 3], [0, 0, 0]]
    assert pad(sequences, maxlen=0).shape == (3, 0)
    assert pad([], maxlen=3).shape == (0, 3)


@pytest.mark.parametrize(
    ("rows", "fraction", "training"),
    [
        (10, 0.2, 8),
        (1000, 0.2, 800),
        (11, 0.3, 7),
        (11, 0.4, 6),
        (10, 1 / 3, 6),
        (10, 0.9, 0),
        (10, 0.0, 10),
        (10, 1.0, 0),
        (0, 0.2, 0),
    ],
)
def test_training_rows_are_rounded_down(rows, fraction, training):
    x = np.arange(float(rows))
    first, last = function("split")(x, validation_fraction=fraction)
    assert len(first) == training
    assert np.concatenate([first, last]).tolist() == x.tolist()


def test_mini_batches_keep_or_drop_the_remainder():
    x = np.arange(5.0)
    batches = function("mini_batches")
    assert [batch.tolist() for batch in batches(x, batch_size=2)] == [[0.0, 1.0], [2.0, 3.0], [4.0]]
    assert [batch.tolist() for batch in batches(x, batch_size=2, drop_remainder=True)] == [[0.0, 1.0], [2.0, 3.0]]
    assert batches(x[:0], batch_size=2) == []
    assert batches(x, batch_size=6, drop_remainder=True) == []


def test_accuracies_by_hand():
    probabilities, target = np.asarray([[0.9], [0.5], [0.2], [0.7]]), np.asarray([[1.0], [1.0], [0.0], [0.0]])
    assert function("binary_accuracy")(probabilities, target) == 0.5
    assert function("binary_accuracy")(probabilities, target, threshold=0.75) == 0.75
    scores = np.asarray([[1.0, 3.0, 2.0], [5.0, 5.0, 0.0]])
    assert function("categorical_accuracy")(scores, np.asarray([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]])) == 0.5
    assert function("sparse_categorical_accuracy")(scores, np.asarray([1, 0])) == 1.0
    assert function("sparse_categorical_accuracy")(scores, np.asarray([-1, 3])) == 0.0
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning, match="empty slice"):
        assert np.isnan(function("binary_accuracy")(np.zeros(0), np.zeros(0)))


IMAGE, ONE = np.zeros((1, 1, 2, 2)), np.asarray(1.0)


@pytest.mark.parametrize(
    ("name", "arguments", "keywords", "named"),
    [
        ("shift", (IMAGE[0], ONE, ONE), {}, "x"),
        ("shift", (IMAGE, np.ones(2), ONE), {}, "vertical"),
        ("shift", (IMAGE, ONE, np.ones(2)), {}, "horizontal"),
        ("shift", (IMAGE, np.asarray(4.5), ONE), {}, "vertical"),
        ("shift", (IMAGE, ONE, np.asarray(-4.5)), {}, "horizontal"),
        ("shift", (IMAGE, np.asarray(np.nan), ONE), {}, "vertical"),
        ("shift", (IMAGE, ONE, ONE), {"interpolation": "cubic"}, "interpolation"),
        ("shift", (IMAGE, ONE, ONE), {"fill": "edge"}, "fill"),
        ("rotate", (IMAGE[0], ONE), {}, "x"),
        ("rotate", (IMAGE, np.ones(2)), {}, "degrees"),
        ("rotate", (IMAGE, ONE), {"interpolation": "cubic"}, "interpolation"),
        ("rotate", (IMAGE, ONE), {"fill": "edge"}, "fill"),
        ("horizontal_flip", (IMAGE[0],), {}, "x"),
        ("pad_sequences", ([np.zeros((1, 1), np.int64)],), {"maxlen": 2}, "sequences"),
        ("pad_sequences", ([np.zeros(1)],), {"maxlen": 2}, "sequences"),
        ("pad_sequences", ([],), {"maxlen": -1}, "maxlen"),
        ("pad_sequences", ([],), {"maxlen": 2, "padding": "pre"}, "padding"),
        ("pad_sequences", ([],), {"maxlen": 2, "truncating": "post"}, "truncating"),
        ("split", (ONE,), {}, "x"),
        ("split", (np.zeros(3),), {"validation_fraction": 1.5}, "validation_fraction"),
        ("mini_batches", (ONE,), {"batch_size": 2}, "x"),
        ("mini_batches", (np.zeros(3),), {"batch_size": 0}, "batch_size"),
        ("binary_accuracy", (np.zeros(3), np.zeros((3, 1))), {}, "target"),
        ("categorical_accuracy", (np.zeros((3, 0)), np.zeros((3, 0))), {}, "scores"),
        ("categorical_accuracy", (np.zeros((3, 2)), np.zeros(3)), {}, "target"),
        ("sparse_categorical_accuracy", (ONE, np.zeros(3, np.int64)), {}, "scores"),
        ("sparse_categorical_accuracy", (np.zeros((3, 2)), np.zeros((3, 1), np.int64)), {}, "labels"),
        ("sparse_categorical_accuracy", (np.zeros((3, 2)), np.zeros(3)), {}, "labels"),
    ],
)
def test_invalid_arguments_are_named(name, arguments, keywords, named):
    with pytest.raises(ValueError, match=f"^{named}: expected"):
        function(name)(*arguments, **keywords)
