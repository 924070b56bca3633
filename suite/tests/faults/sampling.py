"""Faults in grids and in images looked at where a grid says: operation, class, what is wrong, formula."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from faulty import Faults, Row, reference, right_vjp

FAULTS = Faults()


def other_corners(name: str) -> Callable[..., Any]:
    """Corners aligned where they are not, and not where they are."""

    def wrong(*inputs: Any, align_corners: bool = False, **keywords: Any) -> Any:
        return reference(name, *inputs, align_corners=not align_corners, **keywords)

    return wrong


def rows_before_columns(theta: Any, **keywords: Any) -> Any:
    """Rows before columns in the last axis."""
    return np.ascontiguousarray(reference("affine_grid", theta, **keywords)[..., ::-1])


def not_moved(theta: Any, **keywords: Any) -> Any:
    """Without the last column."""
    turned = theta.copy()
    turned[..., 2] = 0.0
    return reference("affine_grid", turned, **keywords)


def grid_of_rows_first(x: Any, grid: Any, **keywords: Any) -> Any:
    """The grid's last axis taken for rows before columns."""
    return reference("grid_sample", x, np.ascontiguousarray(grid[..., ::-1]), **keywords)


def padded_by(padding: str, other: str) -> Callable[..., Any]:
    """Another padding for one."""

    def wrong(x: Any, grid: Any, **keywords: Any) -> Any:
        given = keywords.get("padding", "zeros")
        return reference("grid_sample", x, grid, **{**keywords, "padding": other if given == padding else given})

    return wrong


def reflected_once(x: Any, grid: Any, *, padding: str = "zeros", **keywords: Any) -> Any:
    """A place beyond ±2.5 is moved there first, from where one reflection brings it inside."""
    if padding != "reflection":
        return reference("grid_sample", x, grid, padding=padding, **keywords)
    return reference("grid_sample", x, np.clip(grid, -2.5, 2.5).astype(grid.dtype), padding=padding, **keywords)


def reflected_beside_the_corners(
    x: Any, grid: Any, *, padding: str = "zeros", align_corners: bool = False, **keywords: Any
) -> Any:
    """Places are reflected half a pixel beyond aligned corners, and then moved to the border."""
    if padding != "reflection" or not align_corners:
        return reference("grid_sample", x, grid, padding=padding, align_corners=align_corners, **keywords)
    lengths = np.array(x.shape[:1:-1])
    ends = lengths / np.maximum(lengths - 1, 1)
    turned = ends - np.abs((grid + ends) % (4 * ends) - 2 * ends)
    return reference("grid_sample", x, turned.astype(grid.dtype), padding="border", align_corners=True, **keywords)


def always_nearest(x: Any, grid: Any, **keywords: Any) -> Any:
    """The nearest pixel, whatever is asked for."""
    return reference("grid_sample", x, grid, **{**keywords, "interpolation": "nearest"})


def dropped_beside_the_edge(x: Any, grid: Any, *, padding: str = "zeros", **keywords: Any) -> Any:
    """0 for each place that is not between four pixels, where padding is zeros."""
    y = reference("grid_sample", x, grid, padding=padding, **keywords)
    outside = (np.abs(grid) > 1).any(axis=-1)[:, None]
    return np.where(outside & (padding == "zeros"), 0.0, y).astype(x.dtype)


VALUES: Sequence[Row] = (
    ("affine_grid", "plain", "other_corners", other_corners("affine_grid")),
    ("affine_grid", "plain", "rows_before_columns", rows_before_columns),
    ("affine_grid", "plain", "not_moved", not_moved),
    ("grid_sample", "plain", "other_corners", other_corners("grid_sample")),
    ("grid_sample", "plain", "rows_before_columns", grid_of_rows_first),
    ("grid_sample", "convention", "border_for_zeros", padded_by("zeros", "border")),
    ("grid_sample", "convention", "border_for_reflection", padded_by("reflection", "border")),
    ("grid_sample", "convention", "reflected_once", reflected_once),
    ("grid_sample", "convention", "reflected_beside_aligned_corners", reflected_beside_the_corners),
    ("grid_sample", "plain", "always_nearest", always_nearest),
    ("grid_sample", "convention", "nothing_beside_the_edge", dropped_beside_the_edge),
)
"""Functions whose values are wrong."""


def of_other_corners(name: str) -> Callable[..., Any]:
    """The gradient as if corners were the other way."""

    def wrong(dy: Any, *inputs: Any, align_corners: bool = False, **keywords: Any) -> Any:
        return right_vjp(name, dy, *inputs, align_corners=not align_corners, **keywords)

    return wrong


def in_pixels(dy: Any, x: Any, grid: Any, **keywords: Any) -> Any:
    """The gradient to the grid as if it were in pixels."""
    found = right_vjp("grid_sample", dy, x, grid, **keywords)
    return {**found, "grid": (found["grid"] / (np.array(x.shape[:1:-1]) / 2)).astype(x.dtype)}


def by_the_whole_width(dy: Any, x: Any, grid: Any, *, align_corners: bool = False, **keywords: Any) -> Any:
    """With aligned corners, columns are as far apart as they are without."""
    found = right_vjp("grid_sample", dy, x, grid, align_corners=align_corners, **keywords)
    if align_corners and x.shape[3] > 1:
        found["grid"][..., 0] *= x.shape[3] / (x.shape[3] - 1)
    return found


def moved_places_too(dy: Any, x: Any, grid: Any, **keywords: Any) -> Any:
    """The gradient to the grid does not know that reflection turns it around."""
    found = right_vjp("grid_sample", dy, x, grid, **keywords)
    changed = np.abs(found["grid"]) if keywords.get("padding") == "reflection" else found["grid"]
    return {**found, "grid": changed}


def one_image(dy: Any, x: Any, grid: Any, **keywords: Any) -> Any:
    """The gradient to the images is that of the first one, for all."""
    found = right_vjp("grid_sample", dy, x, grid, **keywords)
    return {**found, "x": np.broadcast_to(found["x"][:1], x.shape).copy() if x.size else found["x"]}


GRADIENTS: Sequence[Row] = (
    ("affine_grid", "plain", "gradient_of_other_corners", of_other_corners("affine_grid")),
    ("grid_sample", "plain", "gradient_of_other_corners", of_other_corners("grid_sample")),
    ("grid_sample", "plain", "gradient_in_pixels", in_pixels),
    ("grid_sample", "convention", "gradient_of_columns_by_the_whole_width", by_the_whole_width),
    ("grid_sample", "convention", "gradient_of_reflection_without_sign", moved_places_too),
    ("grid_sample", "plain", "gradient_of_the_first_image", one_image),
)
"""Vector-Jacobian products that are wrong."""

FAULTS.rows(VALUES, GRADIENTS)
