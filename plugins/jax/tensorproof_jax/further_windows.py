"""Pooling by windows with gaps, and separable convolution."""

import math
from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import jax, jnp
from tensorproof_jax.table import operations
from tensorproof_jax.windows import Numbers, Padding, Pair, _convolved, lax_padding


def _maximum(x: Native, window: Numbers, stride: Numbers, padding: Padding, dilation: Numbers, ceil_mode: bool) -> Native:
    """``jax.lax.reduce_window``."""
    _require_floor(ceil_mode)
    return _reduced(x, jax.lax.max, -jnp.inf, window, stride, padding, dilation)


def _average(
    x: Native,
    window: Numbers,
    stride: Numbers,
    padding: Padding,
    dilation: Numbers,
    ceil_mode: bool,
    count_padding: bool,
) -> Native:
    """``jax.lax.reduce_window`` of the numbers, divided by that of ones, or by the size of the window if padding counts."""
    _require_floor(ceil_mode)
    total = _reduced(x, jax.lax.add, 0.0, window, stride, padding, dilation)
    if count_padding:
        return total / math.prod(window)
    return total / _reduced(jnp.ones_like(x), jax.lax.add, 0.0, window, stride, padding, dilation)


def _require_floor(ceil_mode: bool) -> None:
    if ceil_mode:
        raise Unsupported("jax.lax.reduce_window has no ceil mode")


def _reduced(
    x: Native, function: Any, start: float, window: Numbers, stride: Numbers, padding: Padding, dilation: Numbers
) -> Native:
    """Of channels last."""
    ends = lax_padding(padding)
    pairs = ends if isinstance(ends, str) else ((0, 0), *ends, (0, 0))
    return jax.lax.reduce_window(
        *(x, x.dtype.type(start), function, (1, *window, 1), (1, *stride, 1), pairs), window_dilation=(1, *dilation, 1)
    )


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
    """``jax.lax.reduce_window``: the pooling of Flax has no dilation."""
    return _maximum(x, window, stride, padding, dilation, ceil_mode)


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
    """``jax.lax.reduce_window``: the pooling of Flax has no dilation."""
    return _maximum(x, window, stride, padding, dilation, ceil_mode)


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
    """``jax.lax.reduce_window``: the pooling of Flax has no dilation."""
    return _maximum(x, window, stride, padding, dilation, ceil_mode)


@operations.composed
def dilated_average_pool1d(
    x: Native,
    *,
    window: Numbers = (2,),
    stride: Numbers = (1,),
    padding: Padding = "valid",
    dilation: Numbers = (2,),
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Native:
    """``jax.lax.reduce_window``, and a division: the pooling of Flax has no dilation."""
    return _average(x, window, stride, padding, dilation, ceil_mode, count_padding)


@operations.composed
def dilated_average_pool2d(
    x: Native,
    *,
    window: Pair = (2, 2),
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    dilation: Pair = (2, 2),
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Native:
    """``jax.lax.reduce_window``, and a division: the pooling of Flax has no dilation."""
    return _average(x, window, stride, padding, dilation, ceil_mode, count_padding)


@operations.composed
def dilated_average_pool3d(
    x: Native,
    *,
    window: Numbers = (2, 2, 2),
    stride: Numbers = (1, 1, 1),
    padding: Padding = "valid",
    dilation: Numbers = (2, 2, 2),
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Native:
    """``jax.lax.reduce_window``, and a division: the pooling of Flax has no dilation."""
    return _average(x, window, stride, padding, dilation, ceil_mode, count_padding)


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
    """``jax.lax.conv_general_dilated`` twice: neither JAX nor Flax has a layer of both."""
    kernels = depthwise.reshape(-1, 1, *depthwise.shape[2:])
    between = _convolved(x, kernels, None, stride, padding, dilation, x.shape[1])
    return _convolved(between, pointwise, bias, (1, 1), "valid", (1, 1), 1)
