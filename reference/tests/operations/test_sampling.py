"""Grids, and images looked at where a grid says, against plain loops."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tensorproof_reference.images.resize import resize
from tensorproof_reference.images.sampling import affine_grid, grid_sample
from tensorproof_reference.stream import Stream

IDENTITY = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])


def pixel(g: float, size: int, align_corners: bool) -> float:
    return (g + 1) / 2 * (size - 1) if align_corners else ((g + 1) * size - 1) / 2


def moved(place: float, size: int, padding: str, align_corners: bool) -> float:
    low, high = (0.0, size - 1.0) if align_corners else (-0.5, size - 0.5)
    if padding == "reflection":
        while low < high and not low <= place <= high:
            place = 2 * low - place if place < low else 2 * high - place
        place = place if low < high else 0.0
    return place if padding == "zeros" else min(max(place, 0.0), size - 1.0)


def value(image: Any, row: int, column: int) -> float:
    height, width = image.shape
    return float(image[row, column]) if 0 <= row < height and 0 <= column < width else 0.0


def looked_at(image: Any, row: float, column: float, interpolation: str) -> float:
    if interpolation == "nearest":
        return value(image, round(row), round(column))
    above, left = math.floor(row), math.floor(column)
    down, across = row - above, column - left
    upper = value(image, above, left) * (1 - across) + value(image, above, left + 1) * across
    lower = value(image, above + 1, left) * (1 - across) + value(image, above + 1, left + 1) * across
    return upper * (1 - down) + lower * down


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_each_pixel_is_what_the_image_has_at_its_place(interpolation: str, padding: str, align_corners: bool) -> None:
    draw = Stream(1)("sampling")
    x, grid = draw("x").normal((2, 3, 5, 4)), draw("grid").normal((2, 6, 7, 2), deviation=1.5)
    keywords: dict[str, Any] = {"padding": padding, "align_corners": align_corners}
    y = grid_sample(x, grid, interpolation=interpolation, **keywords)
    for n, c, i, j in np.ndindex(*y.shape):
        column = moved(pixel(grid[n, i, j, 0], 4, align_corners), 4, padding, align_corners)
        row = moved(pixel(grid[n, i, j, 1], 5, align_corners), 5, padding, align_corners)
        assert_allclose(y[n, c, i, j], looked_at(x[n, c], row, column, interpolation), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("align_corners", [False, True])
def test_the_grid_of_the_identity_is_the_image_itself(align_corners: bool) -> None:
    x = Stream(2)("identity").normal((1, 2, 5, 4))
    grid = affine_grid(IDENTITY, size=(5, 4), align_corners=align_corners)
    assert_allclose(grid_sample(x, grid, align_corners=align_corners), x, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("align_corners", "coordinates"), [(False, "half_pixel"), (True, "align_corners")])
def test_a_grid_of_another_size_resizes(align_corners: bool, coordinates: str) -> None:
    x = Stream(3)("resized").normal((1, 2, 5, 4))
    grid = affine_grid(IDENTITY, size=(9, 7), align_corners=align_corners)
    found = grid_sample(x, grid, padding="border", align_corners=align_corners)
    assert_allclose(found, resize(x, size=(9, 7), coordinates=coordinates), rtol=1e-11, atol=1e-12)


def test_places_of_a_grid_are_edges_or_centres() -> None:
    assert_allclose(affine_grid(IDENTITY, size=(1, 4))[0, 0, :, 0], [-0.75, -0.25, 0.25, 0.75], rtol=1e-15)
    assert_allclose(affine_grid(IDENTITY, size=(1, 3), align_corners=True)[0, 0, :, 0], [-1.0, 0.0, 1.0], atol=1e-15)
    assert_array_equal(affine_grid(IDENTITY, size=(1, 1), align_corners=True), np.zeros((1, 1, 1, 2)))
    moved_right = np.array([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]]])
    assert_allclose(affine_grid(moved_right, size=(1, 2))[0, 0, :, 0], [0.0, 1.0], atol=1e-15)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: affine_grid(np.ones((2, 3, 2)), size=(3, 4)), "theta: expected shape"),
        (lambda: affine_grid(np.ones((2, 2, 3)), size=(3, 0)), "size: expected two integers of at least 1"),
        (lambda: grid_sample(np.ones((2, 1, 3, 4)), np.ones((2, 3, 4, 3))), "grid: expected shape"),
        (lambda: grid_sample(np.ones((2, 1, 3, 4)), np.ones((1, 3, 4, 2))), r"grid: expected shape \(2, 3, 4, 2\)"),
        (lambda: grid_sample(np.ones((1, 1, 3, 4)), np.ones((1, 3, 4, 2)), padding="wrap"), "padding: expected one of"),
    ],
)
def test_arguments_that_do_not_fit_are_told(call: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        call()
