"""Convolution by ``jax.lax``, channels first, and pooling by Flax, channels last."""

from collections.abc import Sequence
from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import jax, linen
from tensorproof_jax.table import operations

IMAGES = {"x": "n h w c", "y": "n h w c"}
LAYOUTS = {"max_pool2d": IMAGES, "average_pool2d": IMAGES}
CHANNELS_FIRST = ("NCHW", "OIHW", "NCHW")

Pair = tuple[int, int]
Padding = str | tuple[Pair, Pair]


def lax_padding(padding: Padding) -> Any:
    """Padding in JAX's words."""
    return padding.upper() if isinstance(padding, str) else padding


def cropping_padding(padding: Padding, kernel: Sequence[int], dilation: Pair, output_padding: Pair) -> Any:
    """What ``jax.lax.conv_transpose`` pads before it convolves: by the kernel's reach, less what is cropped.

    JAX's own "VALID" makes the output larger where the stride exceeds the kernel, so ``valid`` is given as numbers too.
    """
    if padding == "same":
        return "SAME"
    crops = ((0, 0), (0, 0)) if isinstance(padding, str) else padding
    reach = [(kernel[axis] - 1) * dilation[axis] for axis in (0, 1)]
    return [(reach[axis] - crops[axis][0], reach[axis] - crops[axis][1] + output_padding[axis]) for axis in (0, 1)]


def _biased(y: Native, bias: Native | None) -> Native:
    return y if bias is None else y + bias[:, None, None]


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
    """``jax.lax.conv_general_dilated``."""
    y = jax.lax.conv_general_dilated(
        *(x, weight, stride, lax_padding(padding)),
        rhs_dilation=dilation,
        dimension_numbers=CHANNELS_FIRST,
        feature_group_count=groups,
    )
    return _biased(y, bias)


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
    """``jax.lax.conv_transpose``, whose kernels are told to be those of the convolution."""
    if groups != 1:
        raise Unsupported("jax.lax.conv_transpose has no groups")
    y = jax.lax.conv_transpose(
        *(x, weight, stride, cropping_padding(padding, weight.shape[2:], dilation, output_padding)),
        rhs_dilation=dilation,
        dimension_numbers=CHANNELS_FIRST,
        transpose_kernel=True,
    )
    return _biased(y, bias)


def _require_floor(ceil_mode: bool) -> None:
    if ceil_mode:
        raise Unsupported("the pooling of Flax has no ceil mode")


@operations.library
def max_pool2d(
    x: Native, *, window: Pair = (2, 2), stride: Pair | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Native:
    """``flax.linen.max_pool``."""
    _require_floor(ceil_mode)
    return linen.max_pool(x, window, window if stride is None else stride, lax_padding(padding))


@operations.library
def average_pool2d(
    x: Native,
    *,
    window: Pair = (2, 2),
    stride: Pair | None = None,
    padding: Padding = "valid",
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Native:
    """``flax.linen.avg_pool``, which counts padding unless told otherwise; it is told where there is any."""
    _require_floor(ceil_mode)
    count = count_padding or padding == "valid"
    return linen.avg_pool(x, window, window if stride is None else stride, lax_padding(padding), count_include_pad=count)
