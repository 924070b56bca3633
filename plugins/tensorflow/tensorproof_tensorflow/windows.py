"""Convolution and pooling, channels last, and flattening."""

from typing import Any

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow.framework import keras, tf
from tensorproof_tensorflow.table import operations

IMAGES = "n h w c"
LAYOUTS = {
    "conv2d": {"x": IMAGES, "weight": "h w i o", "y": "n h w o"},
    "conv2d_transpose": {"x": IMAGES, "weight": "h w o i", "y": "n h w o"},
    "max_pool2d": {"x": IMAGES, "y": IMAGES},
    "average_pool2d": {"x": IMAGES, "y": IMAGES},
}

Pair = tuple[int, int]
Padding = str | tuple[Pair, Pair]


def _padding(padding: Padding) -> Any:
    """Padding in TensorFlow's words."""
    return padding.upper() if isinstance(padding, str) else [[0, 0], list(padding[0]), list(padding[1]), [0, 0]]


def _biased(y: Native, bias: Native | None) -> Native:
    return y if bias is None else tf.nn.bias_add(y, bias)


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
    if padding == "same":
        sizes = [x.shape[1] * stride[0], x.shape[2] * stride[1]]
    else:
        crops = ((0, 0), (0, 0)) if isinstance(padding, str) else padding
        sizes = [
            (x.shape[axis + 1] - 1) * stride[axis]
            + (weight.shape[axis] - 1) * dilation[axis]
            + 1
            + output_padding[axis]
            - sum(crops[axis])
            for axis in (0, 1)
        ]
    shape = [x.shape[0], *sizes, weight.shape[2] * groups]
    y = tf.nn.conv2d_transpose(x, weight, shape, strides=stride, padding=_padding(padding), dilations=dilation)
    return _biased(y, bias)


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
    if ceil_mode:
        raise Unsupported("tf.nn.max_pool2d has no ceil mode")
    return tf.nn.max_pool2d(x, window, window if stride is None else stride, _padding(padding))


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
    if ceil_mode:
        raise Unsupported("tf.nn.avg_pool2d has no ceil mode")
    if padding == "same" and count_padding:
        raise Unsupported("tf.nn.avg_pool2d does not count the padding that it adds")
    if not isinstance(padding, str):
        if not count_padding:
            raise Unsupported("tf.nn.avg_pool2d takes no explicit padding, and padding added before is counted")
        x, padding = tf.pad(x, _padding(padding)), "valid"
    return tf.nn.avg_pool2d(x, window, window if stride is None else stride, _padding(padding))


@operations.library
def flatten(x: Native, *, order: str = "channels_first") -> Native:
    """``keras.layers.Flatten``; told that channels come first, Keras moves them last before it flattens."""
    data_format = "channels_last" if order == "channels_first" else "channels_first"
    return keras.layers.Flatten(data_format=data_format, dtype=x.dtype.name)(x)
