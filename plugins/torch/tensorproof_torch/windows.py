"""Convolution and pooling, whose padding PyTorch takes as one number per axis: other pairs are padded or cropped by hand."""

import math
from typing import Any

import torch
import torch.nn.functional as F

from tensorproof.backend import Native, Unsupported
from tensorproof_torch.table import operations

Pair = tuple[int, int]
Pairs = tuple[Pair, Pair]
NONE = (0, 0)


def _pairs(padding: str | Pairs) -> Pairs:
    """Explicit padding; ``valid`` is none."""
    if padding == "same":
        raise Unsupported('PyTorch takes padding="same" in convolutions of stride 1 only')
    return (NONE, NONE) if isinstance(padding, str) else padding


def _split(padding: str | Pairs) -> tuple[Pair, Any]:
    """Padding as what the framework's function takes and what ``F.pad`` takes before it (``None`` if nothing)."""
    (top, bottom), (left, right) = _pairs(padding)
    if top == bottom and left == right:
        return (top, left), None
    return NONE, (left, right, top, bottom)


@operations.native
def conv2d(
    x: Native,
    weight: Native,
    bias: Native | None = None,
    *,
    stride: Pair = (1, 1),
    padding: str | Pairs = "valid",
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Native:
    """``F.conv2d``, after ``F.pad`` where the two sides of an axis differ."""
    if isinstance(padding, str):
        return F.conv2d(x, weight, bias, stride, padding, dilation, groups)
    inside, outside = _split(padding)
    x = x if outside is None else F.pad(x, outside)
    return F.conv2d(x, weight, bias, stride, inside, dilation, groups)


@operations.native
def conv2d_transpose(
    x: Native,
    weight: Native,
    bias: Native | None = None,
    *,
    stride: Pair = (1, 1),
    padding: str | Pairs = "valid",
    output_padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Native:
    """``F.conv_transpose2d``, cropped afterwards where the two sides of an axis differ."""
    inside, outside = _split(padding)
    y = F.conv_transpose2d(x, weight, bias, stride, inside, output_padding, groups, dilation)
    if outside is None:
        return y
    left, right, top, bottom = outside
    return y[:, :, top : y.shape[2] - bottom, left : y.shape[3] - right]


@operations.native
def max_pool2d(
    x: Native, *, window: Pair = (2, 2), stride: Pair | None = None, padding: str | Pairs = "valid", ceil_mode: bool = False
) -> Native:
    """``F.max_pool2d``, after ``F.pad`` with -∞ where the two sides of an axis differ."""
    inside, outside = _split(padding)
    if outside is not None:
        _require_floor(ceil_mode)
        x = F.pad(x, outside, value=-math.inf)
    return F.max_pool2d(x, window, stride, inside, ceil_mode=ceil_mode)


@operations.native
def average_pool2d(
    x: Native,
    *,
    window: Pair = (2, 2),
    stride: Pair | None = None,
    padding: str | Pairs = "valid",
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Native:
    """``F.avg_pool2d``, after ``F.pad`` where the two sides of an axis differ; if padding does not count, sum over number."""
    inside, outside = _split(padding)
    if outside is None:
        return F.avg_pool2d(x, window, stride, inside, ceil_mode, count_include_pad=count_padding)
    _require_floor(ceil_mode)
    if count_padding:
        return F.avg_pool2d(F.pad(x, outside), window, stride)
    total = F.avg_pool2d(F.pad(x, outside), window, stride, divisor_override=1)
    return total / F.avg_pool2d(F.pad(torch.ones_like(x), outside), window, stride, divisor_override=1)


def _require_floor(ceil_mode: bool) -> None:
    if ceil_mode:
        raise Unsupported("which windows may overhang depends on the padding, which PyTorch takes as one number per axis")
