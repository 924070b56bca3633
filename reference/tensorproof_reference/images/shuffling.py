"""Channels moved into blocks of pixels, and back: pixel_shuffle and pixel_unshuffle. Both are exact."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_choice
from tensorproof_reference.arrays._moves import Cases, moving
from tensorproof_reference.operation import Operation
from tensorproof_reference.trees import Array

ORDERS = ("CRD", "DCR")
"""Of the channels that become a block: column, row, depth, or depth, column, row (ONNX DepthToSpace)."""


def pixel_shuffle(x: Array, *, factor: int, order: str = "CRD") -> Array:
    r"""Channels moved into blocks of r × r pixels: :math:`y_{c,\,hr+i,\,wr+j} = x_{k,h,w}`, with r the ``factor``.

    ``order`` says which of the :math:`C r^2` channels k is: :math:`k = c r^2 + i r + j` (``"CRD"``), or
    :math:`k = (i r + j) C + c` (``"DCR"``).

    Shapes: ``x`` (…, C·r², H, W); the result (…, C, H·r, W·r).
    Special values: all numbers are copied, NaN, infinities and the sign of zero too. Exact.
    Raises: ``ValueError`` if there are fewer than three axes, r² does not divide the channels, or the order is unknown.
    Source: Shi et al. (2016), eq. 4; ONNX DepthToSpace (opset 13).
    """
    _require(x, factor, order)
    require(x.shape[-3] % factor**2 == 0, "x", f"a multiple of {factor**2} channels", f"shape {x.shape}")
    *batch, channels, height, width = x.shape
    depth = channels // factor**2
    if order == "CRD":
        blocks = np.moveaxis(x.reshape(*batch, depth, factor, factor, height, width), (-4, -3), (-3, -1))
    else:
        blocks = np.moveaxis(x.reshape(*batch, factor, factor, depth, height, width), (-5, -4), (-3, -1))
    return blocks.reshape(*batch, depth, height * factor, width * factor)


def pixel_unshuffle(x: Array, *, factor: int, order: str = "CRD") -> Array:
    r"""Blocks of r × r pixels moved into channels: :math:`y_{k,h,w} = x_{c,\,hr+i,\,wr+j}`, with r the ``factor``.

    ``order`` says which channel k is, as in ``pixel_shuffle``, of which this is the inverse.

    Shapes: ``x`` (…, C, H·r, W·r); the result (…, C·r², H, W).
    Special values: all numbers are copied, NaN, infinities and the sign of zero too. Exact.
    Raises: ``ValueError`` if there are fewer than three axes, r does not divide height and width, or the order is unknown.
    Source: ONNX SpaceToDepth (opset 13); the text of ``torch.nn.PixelUnshuffle``.
    """
    _require(x, factor, order)
    *batch, depth, height, width = x.shape
    fits = height % factor == 0 and width % factor == 0
    require(fits, "x", f"height and width that are multiples of {factor}", f"shape {x.shape}")
    blocks = x.reshape(*batch, depth, height // factor, factor, width // factor, factor)
    before = (-4, -3) if order == "CRD" else (-5, -4)
    channels = np.moveaxis(blocks, (-3, -1), before)
    return channels.reshape(*batch, depth * factor**2, height // factor, width // factor)


def _require(x: Array, factor: Any, order: str) -> None:
    require(x.ndim >= 3, "x", "an array with at least 3 axes", f"shape {x.shape}")
    require(isinstance(factor, int) and factor >= 1, "factor", "an integer of at least 1", factor)
    require_choice(order, "order", ORDERS)


SHUFFLED: Cases = {
    "plain_two": ((2, 12, 3, 4), {"factor": 2}),
    "size_large": ((2, 32, 17, 9), {"factor": 4}),
    "rank_three": ((12, 3, 4), {"factor": 2}),
    "rank_five": ((2, 2, 8, 3, 2), {"factor": 2}),
    "unit_factor": ((2, 5, 3, 4), {"factor": 1}),
    "unit_channel": ((2, 9, 3, 4), {"factor": 3}),
    "unit_pixel": ((2, 12, 1, 1), {"factor": 2}),
    "empty_batch": ((0, 12, 3, 4), {"factor": 2}),
    "geometry_three": ((2, 18, 5, 2), {"factor": 3}),
    "convention_CRD": ((2, 12, 3, 4), {"factor": 2, "order": "CRD"}),
    "convention_CRD_three": ((2, 27, 2, 5), {"factor": 3, "order": "CRD"}),
    "convention_DCR": ((2, 12, 3, 4), {"factor": 2, "order": "DCR"}),
    "convention_DCR_three": ((2, 27, 2, 5), {"factor": 3, "order": "DCR"}),
}


def _after(shape: Any, factor: int) -> tuple[int, ...]:
    """The shape of what is shuffled."""
    *batch, channels, height, width = shape
    return (*batch, channels // factor**2, height * factor, width * factor)


UNSHUFFLED: Cases = {name: (_after(shape, keywords["factor"]), keywords) for name, (shape, keywords) in SHUFFLED.items()}


def _shuffling(function: Callable[..., Array], cases: Cases, timed_shape: Callable[[int, int], tuple[int, ...]]) -> Operation:
    """The operation of a function that moves channels and pixels."""
    operation = moving(function, cases, lambda rows, columns: {"factor": 2}, timed_shape=timed_shape)
    return replace(operation, axes={"x": "... c h w", "y": "... c h w"}, conventions={"order": ORDERS})


OPERATIONS = (
    _shuffling(pixel_shuffle, SHUFFLED, lambda rows, columns: (1, 16, rows // 4, columns // 4)),
    _shuffling(pixel_unshuffle, UNSHUFFLED, lambda rows, columns: (1, 4, rows // 2, columns // 2)),
)
