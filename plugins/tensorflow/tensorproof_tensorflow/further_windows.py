"""Pooling by windows with gaps, and separable convolution."""

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow.framework import tf
from tensorproof_tensorflow.table import operations
from tensorproof_tensorflow.windows import Numbers, Padding, Pair, _biased, _padded, _padding, require_known


def _pooled(kind: str, x: Native, window: Numbers, stride: Numbers, padding: str, dilation: Numbers, ceil_mode: bool) -> Native:
    """``tf.nn.pool``."""
    ones = (1,) * len(window)
    if ceil_mode:
        raise Unsupported("tf.nn.pool has no ceil mode")
    if stride != ones and dilation != ones:
        raise Unsupported("tf.nn.pool has no strides together with dilations")
    if padding == "same" and dilation != ones:
        raise Unsupported("tf.nn.pool has no SAME padding together with dilations")
    return tf.nn.pool(x, window, kind, strides=stride, padding=padding.upper(), dilations=dilation)


def _maximum(x: Native, window: Numbers, stride: Numbers, padding: Padding, dilation: Numbers, ceil_mode: bool) -> Native:
    """``tf.nn.pool``."""
    require_known(padding)
    if not isinstance(padding, str):
        raise Unsupported("tf.nn.pool takes no explicit padding")
    return _pooled("MAX", x, window, stride, padding, dilation, ceil_mode)


def _average(
    x: Native,
    window: Numbers,
    stride: Numbers,
    padding: Padding,
    dilation: Numbers,
    ceil_mode: bool,
    count_padding: bool,
) -> Native:
    """``tf.nn.pool``, after ``tf.pad`` where explicit padding counts."""
    if not (isinstance(padding, str) or count_padding):
        raise Unsupported("tf.nn.pool takes no explicit padding, and padding added before is counted")
    x, rest = _padded(x, padding)
    return _pooled("AVG", x, window, stride, rest.lower(), dilation, ceil_mode)


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
    """``tf.nn.pool``."""
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
    """``tf.nn.pool``."""
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
    """``tf.nn.pool``."""
    return _maximum(x, window, stride, padding, dilation, ceil_mode)


@operations.native
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
    """``tf.nn.pool``, which does not count its padding; padding that counts is added before, by ``tf.pad``."""
    return _average(x, window, stride, padding, dilation, ceil_mode, count_padding)


@operations.native
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
    """``tf.nn.pool``, which does not count its padding; padding that counts is added before, by ``tf.pad``."""
    return _average(x, window, stride, padding, dilation, ceil_mode, count_padding)


@operations.native
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
    """``tf.nn.pool``, which does not count its padding; padding that counts is added before, by ``tf.pad``."""
    return _average(x, window, stride, padding, dilation, ceil_mode, count_padding)


@operations.native
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
    """``tf.nn.separable_conv2d``, and ``tf.nn.bias_add``."""
    if stride != (1, 1) and dilation != (1, 1):
        raise Unsupported("tf.nn.separable_conv2d has strides of 1 where it has dilations")
    strides, ends = (1, *stride, 1), _padding(padding)
    return _biased(tf.nn.separable_conv2d(x, depthwise, pointwise, strides, ends, dilations=dilation), bias)
