"""Convolution by ``jax.lax``, channels first, and pooling by Flax, channels last."""

from collections.abc import Sequence
from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import jax, jnp, linen
from tensorproof_jax.table import operations

POSITIONS = {"1d": "l", "2d": "h w", "3d": "d h w"}
LAYOUTS = {
    f"{kind}{rank}": {"x": f"n {axes} c", "y": f"n {axes} c"}
    for kind in ("max_pool", "average_pool", "dilated_max_pool", "dilated_average_pool")
    for rank, axes in POSITIONS.items()
}
CHANNELS_FIRST = {3: ("NCH", "OIH", "NCH"), 4: ("NCHW", "OIHW", "NCHW"), 5: ("NCDHW", "OIDHW", "NCDHW")}
"""The axes of images, weights and outputs, by their number."""

Numbers = tuple[int, ...]
Pair = tuple[int, int]
Padding = str | tuple[Pair, ...]


def lax_padding(padding: Padding) -> Any:
    """Padding in JAX's words."""
    return padding.upper() if isinstance(padding, str) else padding


def cropping_padding(padding: Padding, kernel: Sequence[int], dilation: Numbers, output_padding: Numbers) -> Any:
    """What ``jax.lax.conv_transpose`` pads before it convolves: by the kernel's reach, less what is cropped.

    JAX's own "VALID" makes the output larger where the stride exceeds the kernel, so ``valid`` is given as numbers too.
    """
    if padding == "same":
        return "SAME"
    axes = range(len(kernel))
    crops = ((0, 0),) * len(kernel) if isinstance(padding, str) else padding
    reach = [(kernel[axis] - 1) * dilation[axis] for axis in axes]
    return [(reach[axis] - crops[axis][0], reach[axis] - crops[axis][1] + output_padding[axis]) for axis in axes]


def _biased(y: Native, bias: Native | None) -> Native:
    return y if bias is None else y + bias.reshape(-1, *(1,) * (y.ndim - 2))


def _convolved(
    x: Native, weight: Native, bias: Native | None, stride: Numbers, padding: Padding, dilation: Numbers, groups: int
) -> Native:
    y = jax.lax.conv_general_dilated(
        *(x, weight, stride, lax_padding(padding)),
        rhs_dilation=dilation,
        dimension_numbers=CHANNELS_FIRST[x.ndim],
        feature_group_count=groups,
    )
    return _biased(y, bias)


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
    """``jax.lax.conv_general_dilated``."""
    return _convolved(x, weight, bias, stride, padding, dilation, groups)


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
    return _convolved(x, weight, bias, stride, padding, dilation, groups)


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
    """``jax.lax.conv_general_dilated``."""
    return _convolved(x, weight, bias, stride, padding, dilation, groups)


def _painted(
    x: Native,
    weight: Native,
    bias: Native | None,
    stride: Numbers,
    padding: Padding,
    output_padding: Numbers,
    dilation: Numbers,
    groups: int,
) -> Native:
    if groups != 1:
        raise Unsupported("jax.lax.conv_transpose has no groups")
    y = jax.lax.conv_transpose(
        *(x, weight, stride, cropping_padding(padding, weight.shape[2:], dilation, output_padding)),
        rhs_dilation=dilation,
        dimension_numbers=CHANNELS_FIRST[x.ndim],
        transpose_kernel=True,
    )
    return _biased(y, bias)


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
    """``jax.lax.conv_transpose``, whose kernels are told to be those of the convolution."""
    return _painted(x, weight, bias, stride, padding, output_padding, dilation, groups)


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
    return _painted(x, weight, bias, stride, padding, output_padding, dilation, groups)


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
    """``jax.lax.conv_transpose``, whose kernels are told to be those of the convolution."""
    return _painted(x, weight, bias, stride, padding, output_padding, dilation, groups)


def _require_floor(ceil_mode: bool) -> None:
    if ceil_mode:
        raise Unsupported("the pooling of Flax has no ceil mode")


def _maximum(x: Native, window: Numbers, stride: Numbers | None, padding: Padding, ceil_mode: bool) -> Native:
    _require_floor(ceil_mode)
    return linen.max_pool(x, window, window if stride is None else stride, lax_padding(padding))


@operations.library
def max_pool1d(
    x: Native, *, window: Numbers = (2,), stride: Numbers | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Native:
    """``flax.linen.max_pool``."""
    return _maximum(x, window, stride, padding, ceil_mode)


@operations.library
def max_pool2d(
    x: Native, *, window: Pair = (2, 2), stride: Pair | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Native:
    """``flax.linen.max_pool``."""
    return _maximum(x, window, stride, padding, ceil_mode)


@operations.library
def max_pool3d(
    x: Native, *, window: Numbers = (2, 2, 2), stride: Numbers | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Native:
    """``flax.linen.max_pool``."""
    return _maximum(x, window, stride, padding, ceil_mode)


def _average(
    x: Native, window: Numbers, stride: Numbers | None, padding: Padding, ceil_mode: bool, count_padding: bool
) -> Native:
    _require_floor(ceil_mode)
    count = count_padding or padding == "valid"
    return linen.avg_pool(x, window, window if stride is None else stride, lax_padding(padding), count_include_pad=count)


@operations.library
def average_pool1d(
    x: Native,
    *,
    window: Numbers = (2,),
    stride: Numbers | None = None,
    padding: Padding = "valid",
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Native:
    """``flax.linen.avg_pool``, which counts padding unless told otherwise; it is told where there is any."""
    return _average(x, window, stride, padding, ceil_mode, count_padding)


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
    return _average(x, window, stride, padding, ceil_mode, count_padding)


@operations.library
def average_pool3d(
    x: Native,
    *,
    window: Numbers = (2, 2, 2),
    stride: Numbers | None = None,
    padding: Padding = "valid",
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Native:
    """``flax.linen.avg_pool``, which counts padding unless told otherwise; it is told where there is any."""
    return _average(x, window, stride, padding, ceil_mode, count_padding)


def _over_positions(x: Native) -> Numbers:
    return tuple(range(2, x.ndim))


@operations.native
def global_average_pool(x: Native) -> Native:
    """``jnp.mean`` over the axes of positions, as Flax's documentation does it."""
    return jnp.mean(x, axis=_over_positions(x), keepdims=True)


@operations.native
def global_max_pool(x: Native) -> Native:
    """``jnp.max`` over the axes of positions."""
    return jnp.max(x, axis=_over_positions(x), keepdims=True)


for name in ("adaptive_average_pool", "adaptive_max_pool"):
    operations.unsupported(name, "neither JAX nor Flax has adaptive pooling")


for name in ("l2_pool1d", "l2_pool2d", "l2_pool3d"):
    operations.unsupported(name, "neither JAX nor Flax has pooling by the root of the sum of squares")
