"""Convolution and pooling, channels last, and flattening."""

from collections.abc import Callable
from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow.framework import keras, tf
from tensorproof_tensorflow.table import operations

POSITIONS = {"1d": "l", "2d": "h w", "3d": "d h w"}
LAYOUTS = {
    **{f"conv{rank}": {"x": f"n {axes} c", "weight": f"{axes} i o", "y": f"n {axes} o"} for rank, axes in POSITIONS.items()},
    **{
        f"conv{rank}_transpose": {"x": f"n {axes} c", "weight": f"{axes} o i", "y": f"n {axes} o"}
        for rank, axes in POSITIONS.items()
    },
    **{
        f"{kind}_pool{rank}": {"x": f"n {axes} c", "y": f"n {axes} c"}
        for kind in ("max", "average", "dilated_max", "dilated_average")
        for rank, axes in POSITIONS.items()
    },
    **{
        f"{kind}_pool": {"x": "n ... c", "y": "n ... c"}
        for kind in ("adaptive_average", "adaptive_max", "global_average", "global_max")
    },
    "separable_conv2d": {"x": "n h w c", "depthwise": "h w c m", "pointwise": "h w k o", "y": "n h w o"},
}

Numbers = tuple[int, ...]
Pair = tuple[int, int]
Padding = str | tuple[Pair, ...]


def require_known(padding: Padding) -> None:
    """TensorFlow has SAME and VALID."""
    if padding == "same_lower":
        raise Unsupported("TensorFlow has SAME padding, whose odd one is at the end")


def _padding(padding: Padding) -> Any:
    """Padding in TensorFlow's words."""
    require_known(padding)
    return padding.upper() if isinstance(padding, str) else [[0, 0], *map(list, padding), [0, 0]]


def _padded(x: Native, padding: Padding) -> tuple[Native, str]:
    """The input after ``tf.pad``, for functions that take no explicit padding, and the rest of the padding."""
    require_known(padding)
    return (x, padding.upper()) if isinstance(padding, str) else (tf.pad(x, _padding(padding)), "VALID")


def _biased(y: Native, bias: Native | None) -> Native:
    return y if bias is None else tf.nn.bias_add(y, bias)


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
    """``tf.nn.conv1d``, after ``tf.pad`` where padding is explicit, and ``tf.nn.bias_add``."""
    x, rest = _padded(x, padding)
    return _biased(tf.nn.conv1d(x, weight, stride=stride[0], padding=rest, dilations=dilation[0]), bias)


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
    """``tf.nn.conv2d``, which finds the number of groups from the shapes, and ``tf.nn.bias_add``."""
    return _biased(tf.nn.conv2d(x, weight, strides=stride, padding=_padding(padding), dilations=dilation), bias)


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
    """``tf.nn.conv3d``, after ``tf.pad`` where padding is explicit, and ``tf.nn.bias_add``."""
    x, rest = _padded(x, padding)
    y = tf.nn.conv3d(x, weight, strides=(1, *stride, 1), padding=rest, dilations=(1, *dilation, 1))
    return _biased(y, bias)


def _painted_sizes(
    x: Native, weight: Native, stride: Numbers, padding: Padding, output_padding: Numbers, dilation: Numbers
) -> list[int]:
    """The sizes of the output of a transposed convolution, from which TensorFlow finds how much output padding there is."""
    axes = range(len(stride))
    if padding == "same":
        return [x.shape[axis + 1] * stride[axis] for axis in axes]
    crops = ((0, 0),) * len(stride) if isinstance(padding, str) else padding
    return [
        (x.shape[axis + 1] - 1) * stride[axis]
        + (weight.shape[axis] - 1) * dilation[axis]
        + 1
        + output_padding[axis]
        - sum(crops[axis])
        for axis in axes
    ]


def _cropped(y: Native, padding: Padding) -> Native:
    """The output without what explicit padding crops."""
    if isinstance(padding, str):
        return y
    return y[(slice(None), *(slice(low, y.shape[axis + 1] - high) for axis, (low, high) in enumerate(padding)))]


def _painted(
    function: Callable[..., Native],
    x: Native,
    weight: Native,
    bias: Native | None,
    stride: Numbers,
    padding: Padding,
    output_padding: Numbers,
    dilation: Numbers,
    groups: int,
) -> Native:
    """Transposed convolution by a function that takes no explicit padding: the output is cropped afterwards."""
    inside = padding if isinstance(padding, str) else "valid"
    sizes = _painted_sizes(x, weight, stride, inside, output_padding, dilation)
    shape = [x.shape[0], *sizes, weight.shape[-2] * groups]
    y = function(x, weight, shape, strides=stride, padding=inside.upper(), dilations=dilation)
    return _biased(_cropped(y, padding), bias)


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
    """``tf.nn.conv1d_transpose``, cropped afterwards where padding is explicit, and ``tf.nn.bias_add``."""
    return _painted(tf.nn.conv1d_transpose, x, weight, bias, stride, padding, output_padding, dilation, groups)


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
    """``tf.nn.conv2d_transpose``, whose output shape says how much output padding there is, and ``tf.nn.bias_add``."""
    sizes = _painted_sizes(x, weight, stride, padding, output_padding, dilation)
    shape = [x.shape[0], *sizes, weight.shape[2] * groups]
    y = tf.nn.conv2d_transpose(x, weight, shape, strides=stride, padding=_padding(padding), dilations=dilation)
    return _biased(y, bias)


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
    """``tf.nn.conv3d_transpose``, cropped afterwards where padding is explicit, and ``tf.nn.bias_add``."""
    return _painted(tf.nn.conv3d_transpose, x, weight, bias, stride, padding, output_padding, dilation, groups)


def _maximum(
    function: Callable[..., Native], x: Native, window: Numbers, stride: Numbers | None, padding: Padding, ceil_mode: bool
) -> Native:
    if ceil_mode:
        raise Unsupported(f"tf.nn.{function.__name__} has no ceil mode")
    return function(x, window, window if stride is None else stride, _padding(padding))


@operations.native
def max_pool1d(
    x: Native, *, window: Numbers = (2,), stride: Numbers | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Native:
    """``tf.nn.max_pool1d``."""
    if not isinstance(padding, str):
        raise Unsupported("tf.nn.max_pool1d takes no explicit padding")
    return _maximum(tf.nn.max_pool1d, x, window, stride, padding, ceil_mode)


@operations.native
def max_pool2d(
    x: Native,
    *,
    window: Pair = (2, 2),
    stride: Pair | None = None,
    padding: Padding = "valid",
    ceil_mode: bool = False,
) -> Native:
    """``tf.nn.max_pool2d``."""
    return _maximum(tf.nn.max_pool2d, x, window, stride, padding, ceil_mode)


@operations.native
def max_pool3d(
    x: Native, *, window: Numbers = (2, 2, 2), stride: Numbers | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Native:
    """``tf.nn.max_pool3d``."""
    if not isinstance(padding, str):
        raise Unsupported("tf.nn.max_pool3d takes no explicit padding")
    return _maximum(tf.nn.max_pool3d, x, window, stride, padding, ceil_mode)


def _average(
    function: Callable[..., Native],
    x: Native,
    window: Numbers,
    stride: Numbers | None,
    padding: Padding,
    ceil_mode: bool,
    count_padding: bool,
) -> Native:
    """Pooling by a function that does not count its padding; padding that counts is added before, by ``tf.pad``."""
    require_known(padding)
    if ceil_mode:
        raise Unsupported(f"tf.nn.{function.__name__} has no ceil mode")
    if padding == "same" and count_padding:
        raise Unsupported(f"tf.nn.{function.__name__} does not count the padding that it adds")
    if not isinstance(padding, str):
        if not count_padding:
            raise Unsupported(f"tf.nn.{function.__name__} takes no explicit padding, and padding added before is counted")
        x, padding = tf.pad(x, _padding(padding)), "valid"
    return function(x, window, window if stride is None else stride, _padding(padding))


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
    """``tf.nn.avg_pool1d``, which does not count its padding; padding that counts is added before, by ``tf.pad``."""
    return _average(tf.nn.avg_pool1d, x, window, stride, padding, ceil_mode, count_padding)


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
    """``tf.nn.avg_pool2d``, which does not count its padding; padding that counts is added before, by ``tf.pad``."""
    return _average(tf.nn.avg_pool2d, x, window, stride, padding, ceil_mode, count_padding)


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
    """``tf.nn.avg_pool3d``, which does not count its padding; padding that counts is added before, by ``tf.pad``."""
    return _average(tf.nn.avg_pool3d, x, window, stride, padding, ceil_mode, count_padding)


@operations.library
def adaptive_average_pool(x: Native, *, output: Numbers) -> Native:
    """``keras.ops.adaptive_average_pool``."""
    return keras.ops.adaptive_average_pool(x, output, data_format="channels_last")


@operations.library
def adaptive_max_pool(x: Native, *, output: Numbers) -> Native:
    """``keras.ops.adaptive_max_pool``."""
    if 1 in output:
        # Nothing can be caught: the process ends by SIGFPE.
        raise Unsupported(
            "keras.ops.adaptive_max_pool to one position pools with windows longer than the axis, which kills the process"
        )
    return keras.ops.adaptive_max_pool(x, output, data_format="channels_last")


@operations.library
def global_average_pool(x: Native) -> Native:
    """``keras.layers.GlobalAveragePooling1D``, ``2D`` or ``3D``."""
    layer = getattr(keras.layers, f"GlobalAveragePooling{len(x.shape) - 2}D")
    return layer(keepdims=True, data_format="channels_last", dtype=x.dtype.name)(x)


@operations.library
def global_max_pool(x: Native) -> Native:
    """``keras.layers.GlobalMaxPooling1D``, ``2D`` or ``3D``."""
    layer = getattr(keras.layers, f"GlobalMaxPooling{len(x.shape) - 2}D")
    return layer(keepdims=True, data_format="channels_last", dtype=x.dtype.name)(x)


@operations.library
def flatten(x: Native, *, order: str = "channels_first") -> Native:
    """``keras.layers.Flatten``; told that channels come first, Keras moves them last before it flattens."""
    data_format = "channels_last" if order == "channels_first" else "channels_first"
    return keras.layers.Flatten(data_format=data_format, dtype=x.dtype.name)(x)


for name in ("l2_pool1d", "l2_pool2d", "l2_pool3d"):
    operations.unsupported(name, "TensorFlow has no pooling by the root of the sum of squares")
