"""Convolution and pooling, whose padding PyTorch takes as one number per axis: other pairs are padded or cropped by hand."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from tensorproof.backend import Native, Unsupported
from tensorproof_torch.table import operations

Numbers = tuple[int, ...]
Pair = tuple[int, int]
Padding = str | tuple[Pair, ...]


def require_known(padding: Padding) -> None:
    """PyTorch has ``same`` and ``valid``."""
    if padding == "same_lower":
        raise Unsupported('PyTorch has padding="same", whose odd one is at the end')


def _pairs(padding: Padding, axes: int) -> tuple[Pair, ...]:
    """Explicit padding; ``valid`` is none."""
    if padding == "same":
        raise Unsupported('PyTorch takes padding="same" in convolutions of stride 1 only')
    require_known(padding)
    return ((0, 0),) * axes if isinstance(padding, str) else padding


def _split(padding: Padding, axes: int, most: float = math.inf) -> tuple[Numbers, Any]:
    """Padding as what the framework's function takes, at most so much, and what ``F.pad`` takes before it (or ``None``)."""
    pairs = _pairs(padding, axes)
    if all(before == after <= most for before, after in pairs):
        return tuple(before for before, _ in pairs), None
    return (0,) * axes, [side for pair in reversed(pairs) for side in pair]


def _convolved(
    function: Callable[..., Native],
    x: Native,
    weight: Native,
    bias: Native | None,
    stride: Numbers,
    padding: Padding,
    dilation: Numbers,
    groups: int,
) -> Native:
    """Convolution by ``function``, after ``F.pad`` where the two sides of an axis differ."""
    require_known(padding)
    if isinstance(padding, str):
        return function(x, weight, bias, stride, padding, dilation, groups)
    inside, outside = _split(padding, x.ndim - 2)
    x = x if outside is None else F.pad(x, outside)
    return function(x, weight, bias, stride, inside, dilation, groups)


@operations.native
def conv1d(
    x: Native,
    weight: Native,
    bias: Native | None = None,
    *,
    stride: Numbers = (1,),
    padding: Padding = "valid",
    dilation: Numbers = (1,),
    groups: int = 1,
) -> Native:
    """``F.conv1d``, after ``F.pad`` where the two sides differ."""
    return _convolved(F.conv1d, x, weight, bias, stride, padding, dilation, groups)


@operations.native
def conv2d(
    x: Native,
    weight: Native,
    bias: Native | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Native:
    """``F.conv2d``, after ``F.pad`` where the two sides of an axis differ."""
    return _convolved(F.conv2d, x, weight, bias, stride, padding, dilation, groups)


@operations.native
def conv3d(
    x: Native,
    weight: Native,
    bias: Native | None = None,
    *,
    stride: Numbers = (1, 1, 1),
    padding: Padding = "valid",
    dilation: Numbers = (1, 1, 1),
    groups: int = 1,
) -> Native:
    """``F.conv3d``, after ``F.pad`` where the two sides of an axis differ."""
    return _convolved(F.conv3d, x, weight, bias, stride, padding, dilation, groups)


def _cropped(y: Native, outside: Any) -> Native:
    """The output without what padding that ``function`` does not take crops (``None`` if nothing)."""
    if outside is None:
        return y
    for place in range(y.ndim - 2):
        axis = y.ndim - 1 - place
        y = y.narrow(axis, outside[2 * place], y.shape[axis] - outside[2 * place] - outside[2 * place + 1])
    return y


@operations.native
def conv1d_transpose(
    x: Native,
    weight: Native,
    bias: Native | None = None,
    *,
    stride: Numbers = (1,),
    padding: Padding = "valid",
    output_padding: Numbers = (0,),
    dilation: Numbers = (1,),
    groups: int = 1,
) -> Native:
    """``F.conv_transpose1d``, cropped afterwards where the two sides differ."""
    inside, outside = _split(padding, 1)
    return _cropped(F.conv_transpose1d(x, weight, bias, stride, inside, output_padding, groups, dilation), outside)


@operations.native
def conv2d_transpose(
    x: Native,
    weight: Native,
    bias: Native | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    output_padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Native:
    """``F.conv_transpose2d``, cropped afterwards where the two sides of an axis differ."""
    inside, outside = _split(padding, 2)
    return _cropped(F.conv_transpose2d(x, weight, bias, stride, inside, output_padding, groups, dilation), outside)


@operations.native
def conv3d_transpose(
    x: Native,
    weight: Native,
    bias: Native | None = None,
    *,
    stride: Numbers = (1, 1, 1),
    padding: Padding = "valid",
    output_padding: Numbers = (0, 0, 0),
    dilation: Numbers = (1, 1, 1),
    groups: int = 1,
) -> Native:
    """``F.conv_transpose3d``, cropped afterwards where the two sides of an axis differ."""
    inside, outside = _split(padding, 3)
    return _cropped(F.conv_transpose3d(x, weight, bias, stride, inside, output_padding, groups, dilation), outside)


def _maximum(
    function: Callable[..., Native], x: Native, window: Numbers, stride: Numbers | None, padding: Padding, ceil_mode: bool
) -> Native:
    """Pooling by ``function``, after ``F.pad`` with -∞ where the two sides of an axis differ, or are more than half a window."""
    inside, outside = _split(padding, x.ndim - 2, min(window) // 2)
    if outside is not None:
        _require_floor(ceil_mode)
        x = F.pad(x, outside, value=-math.inf)
    return function(x, window, stride, inside, ceil_mode=ceil_mode)


@operations.native
def max_pool1d(
    x: Native, *, window: Numbers = (2,), stride: Numbers | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Native:
    """``F.max_pool1d``, after ``F.pad`` with -∞ where the two sides differ."""
    return _maximum(F.max_pool1d, x, window, stride, padding, ceil_mode)


@operations.native
def max_pool2d(
    x: Native, *, window: Pair = (2, 2), stride: Pair | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Native:
    """``F.max_pool2d``, after ``F.pad`` with -∞ where the two sides of an axis differ."""
    return _maximum(F.max_pool2d, x, window, stride, padding, ceil_mode)


@operations.native
def max_pool3d(
    x: Native, *, window: Numbers = (2, 2, 2), stride: Numbers | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Native:
    """``F.max_pool3d``, after ``F.pad`` with -∞ where the two sides of an axis differ."""
    return _maximum(F.max_pool3d, x, window, stride, padding, ceil_mode)


@operations.native
def average_pool1d(
    x: Native,
    *,
    window: Numbers = (2,),
    stride: Numbers | None = None,
    padding: Padding = "valid",
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Native:
    """``F.avg_pool1d``, after ``F.pad`` where the two sides differ."""
    inside, outside = _split(padding, 1)
    if outside is None:
        return F.avg_pool1d(x, window, stride, inside, ceil_mode, count_include_pad=count_padding)
    _require_floor(ceil_mode)
    if not count_padding:
        raise Unsupported("F.avg_pool1d takes padding as one number and has no divisor, and padding added before is counted")
    return F.avg_pool1d(F.pad(x, outside), window, stride)


def _average(
    function: Callable[..., Native],
    x: Native,
    window: Numbers,
    stride: Numbers | None,
    padding: Padding,
    ceil_mode: bool,
    count_padding: bool,
) -> Native:
    """Pooling, after ``F.pad`` where the two sides of an axis differ; if padding does not count, sum over number."""
    inside, outside = _split(padding, x.ndim - 2)
    if outside is None:
        return function(x, window, stride, inside, ceil_mode, count_include_pad=count_padding)
    _require_floor(ceil_mode)
    if count_padding:
        return function(F.pad(x, outside), window, stride)
    total = function(F.pad(x, outside), window, stride, divisor_override=1)
    return total / function(F.pad(torch.ones_like(x), outside), window, stride, divisor_override=1)


@operations.native
def average_pool2d(
    x: Native,
    *,
    window: Pair = (2, 2),
    stride: Pair | None = None,
    padding: Padding = "valid",
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Native:
    """``F.avg_pool2d``, after ``F.pad`` where the two sides of an axis differ; if padding does not count, sum over number."""
    return _average(F.avg_pool2d, x, window, stride, padding, ceil_mode, count_padding)


@operations.native
def average_pool3d(
    x: Native,
    *,
    window: Numbers = (2, 2, 2),
    stride: Numbers | None = None,
    padding: Padding = "valid",
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Native:
    """``F.avg_pool3d``, after ``F.pad`` where the two sides of an axis differ; if padding does not count, sum over number."""
    return _average(F.avg_pool3d, x, window, stride, padding, ceil_mode, count_padding)


def _root_of_squares(
    function: Callable[..., Native], x: Native, window: Numbers, stride: Numbers | None, padding: Padding, ceil_mode: bool
) -> Native:
    """Pooling by ``function`` with the exponent 2."""
    if padding != "valid":
        raise Unsupported("F.lp_pool1d, 2d and 3d take no padding")
    # One number for the only axis of a sequence: what they take there, unlike other pooling.
    sizes = (window[0], stride and stride[0]) if len(window) == 1 else (window, stride)
    return function(x, 2.0, *sizes, ceil_mode=ceil_mode)


@operations.native
def l2_pool1d(
    x: Native, *, window: Numbers = (2,), stride: Numbers | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Native:
    """``F.lp_pool1d``."""
    return _root_of_squares(F.lp_pool1d, x, window, stride, padding, ceil_mode)


@operations.native
def l2_pool2d(
    x: Native, *, window: Pair = (2, 2), stride: Pair | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Native:
    """``F.lp_pool2d``."""
    return _root_of_squares(F.lp_pool2d, x, window, stride, padding, ceil_mode)


@operations.native
def l2_pool3d(
    x: Native, *, window: Numbers = (2, 2, 2), stride: Numbers | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Native:
    """``F.lp_pool3d``."""
    return _root_of_squares(F.lp_pool3d, x, window, stride, padding, ceil_mode)


def _require_floor(ceil_mode: bool) -> None:
    if ceil_mode:
        raise Unsupported("which windows may overhang depends on the padding, which PyTorch takes as one number per axis")


def _adaptive(kind: str, x: Native, output: Numbers) -> Native:
    """``F.adaptive_avg_pool2d`` and its kin: by the number of axes of positions."""
    return getattr(F, f"adaptive_{kind}_pool{x.ndim - 2}d")(x, output)


@operations.native
def adaptive_average_pool(x: Native, *, output: Numbers) -> Native:
    """``F.adaptive_avg_pool1d``, ``2d`` or ``3d``."""
    return _adaptive("avg", x, output)


@operations.native
def adaptive_max_pool(x: Native, *, output: Numbers) -> Native:
    """``F.adaptive_max_pool1d``, ``2d`` or ``3d``."""
    return _adaptive("max", x, output)


@operations.native
def global_average_pool(x: Native) -> Native:
    """``F.adaptive_avg_pool1d``, ``2d`` or ``3d`` to one position."""
    return _adaptive("avg", x, (1,) * (x.ndim - 2))


@operations.native
def global_max_pool(x: Native) -> Native:
    """``F.adaptive_max_pool1d``, ``2d`` or ``3d`` to one position."""
    return _adaptive("max", x, (1,) * (x.ndim - 2))
