"""Pooling by windows with gaps, and separable convolution."""

from functools import partial

import torch.nn.functional as F

from tensorproof.backend import Native
from tensorproof_torch.table import operations
from tensorproof_torch.windows import Numbers, Padding, Pair, _convolved, _maximum


@operations.native
def dilated_max_pool1d(
    x: Native,
    *,
    window: Numbers = (2,),
    stride: Numbers = (1,),
    padding: Padding = "valid",
    dilation: Numbers = (2,),
    ceil_mode: bool = False,
) -> Native:
    """``F.max_pool1d``, after ``F.pad`` with -∞ where the two sides differ, or are more than half a window."""
    return _maximum(partial(F.max_pool1d, dilation=dilation), x, window, stride, padding, ceil_mode)


@operations.native
def dilated_max_pool2d(
    x: Native,
    *,
    window: Pair = (2, 2),
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    dilation: Pair = (2, 2),
    ceil_mode: bool = False,
) -> Native:
    """``F.max_pool2d``, after ``F.pad`` with -∞ where the two sides of an axis differ, or are more than half a window."""
    return _maximum(partial(F.max_pool2d, dilation=dilation), x, window, stride, padding, ceil_mode)


@operations.native
def dilated_max_pool3d(
    x: Native,
    *,
    window: Numbers = (2, 2, 2),
    stride: Numbers = (1, 1, 1),
    padding: Padding = "valid",
    dilation: Numbers = (2, 2, 2),
    ceil_mode: bool = False,
) -> Native:
    """``F.max_pool3d``, after ``F.pad`` with -∞ where the two sides of an axis differ, or are more than half a window."""
    return _maximum(partial(F.max_pool3d, dilation=dilation), x, window, stride, padding, ceil_mode)


for name in ("dilated_average_pool1d", "dilated_average_pool2d", "dilated_average_pool3d"):
    operations.unsupported(name, "F.avg_pool1d, 2d and 3d have no dilation")


@operations.composed
def separable_conv2d(
    x: Native,
    depthwise: Native,
    pointwise: Native,
    bias: Native | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    dilation: Pair = (1, 1),
) -> Native:
    """``F.conv2d`` twice, after ``F.pad`` where the two sides of an axis differ: PyTorch has no layer of both."""
    kernels = depthwise.reshape(-1, 1, *depthwise.shape[2:])
    between = _convolved(F.conv2d, x, kernels, None, stride, padding, dilation, x.shape[1])
    return F.conv2d(between, pointwise, bias)
