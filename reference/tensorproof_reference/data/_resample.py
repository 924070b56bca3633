"""Images looked up between their pixels: what shifting and rotating share."""

from typing import Any

import numpy as np

from tensorproof_reference.arguments import require_choice, require_rank, require_shape
from tensorproof_reference.trees import Array

INTERPOLATIONS = ("bilinear", "nearest")
FILLS = ("constant", "nearest", "reflect", "mirror", "wrap")

Taps = tuple[Any, Any, Array | None]
"""The pixels that each pixel of the result is made of: their rows and columns, (T, H, W) integers that may lie outside of the
image, and their weights (T, H, W), ``None`` for a single one of weight 1."""


def require_image(x: Array, interpolation: str, fill: str, **amounts: Array) -> None:
    """Raise ``ValueError`` unless ``x`` is (N, C, H, W), the amounts are single numbers and the conventions are known."""
    require_rank(x, "x", 4)
    for name, amount in amounts.items():
        require_shape(amount, name, ())
    require_choice(interpolation, "interpolation", INTERPOLATIONS)
    require_choice(fill, "fill", FILLS)


def floor(coordinates: Array, bound: int) -> Any:
    """The largest integers that are not above the coordinates, which lie in [-bound, bound], by bisection."""
    lower = np.full(coordinates.shape, -bound, np.int64)
    step = 2 ** (2 * bound).bit_length()
    while step:
        lower = np.where(coordinates >= lower + step, lower + step, lower)
        step //= 2
    return lower


def bilinear(rows: Array, columns: Array, row_below: Any, column_below: Any, shape: tuple[int, ...]) -> Taps:
    """The four pixels around each place, weighted by how near they are; all arguments broadcast to ``shape``."""
    row_share = np.broadcast_to(rows - row_below.astype(rows.dtype), shape)
    column_share = np.broadcast_to(columns - column_below.astype(columns.dtype), shape)
    row_weights, column_weights = (1.0 - row_share, row_share), (1.0 - column_share, column_share)
    corners = [(row, column) for row in (0, 1) for column in (0, 1)]
    return (
        np.stack([np.broadcast_to(row_below + row, shape) for row, _ in corners]),
        np.stack([np.broadcast_to(column_below + column, shape) for _, column in corners]),
        np.stack([row_weights[row] * column_weights[column] for row, column in corners]),
    )


def nearest(rows: Any, columns: Any, shape: tuple[int, ...]) -> Taps:
    """One pixel for each place; both arguments broadcast to ``shape``."""
    return np.broadcast_to(rows, (1, *shape)), np.broadcast_to(columns, (1, *shape)), None


def _folded(index: Any, size: int, fill: str) -> Any:
    """The pixels that stand for those outside of the image."""
    if fill == "wrap":
        return index % size
    if fill == "reflect":
        within = index % (2 * size)
        return np.minimum(within, 2 * size - 1 - within)
    if fill == "mirror":
        period = max(2 * size - 2, 1)
        within = index % period
        return np.minimum(within, period - within) if size > 1 else within
    return np.clip(index, 0, max(size - 1, 0))


def _pixels(x: Array, taps: Taps, fill: str) -> tuple[Any, Any, Any]:
    """The rows and columns of the taps, all within the image, and which of the taps are not fill."""
    rows, columns, _ = taps
    height, width = x.shape[2:]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    inside = inside if fill == "constant" else np.ones_like(inside)
    return _folded(rows, height, fill), _folded(columns, width, fill), inside


def gather(x: Array, taps: Taps, fill: str, fill_value: float) -> Array:
    """The weighted sum of the pixels that are tapped."""
    rows, columns, inside = _pixels(x, taps, fill)
    tapped = np.where(inside, x[:, :, rows, columns], fill_value)
    weights = taps[2]
    return tapped[:, :, 0] if weights is None else np.einsum("ncthw,thw->nchw", tapped, weights)


def scatter(dy: Array, x: Array, taps: Taps, fill: str) -> Array:
    """The adjoint of ``gather``: each cotangent given to the pixels that were tapped, by their weights."""
    rows, columns, inside = _pixels(x, taps, fill)
    weights = taps[2]
    shares = dy[:, :, None] if weights is None else dy[:, :, None] * weights
    dx = np.zeros_like(x)
    places: Any = (slice(None), slice(None), rows, columns)
    np.add.at(dx, places, np.where(inside, shares, 0.0))
    return dx
