"""Convolution and pooling. ONNX takes other padding on each side, and ``SAME_UPPER`` for the odd one at the end."""

from typing import Any

from tensorproof.backend import Unsupported
from tensorproof_onnxruntime.graph import Symbol, node
from tensorproof_onnxruntime.table import operations

Pair = tuple[int, int]
Padding = str | tuple[Pair, Pair]


def _pads(padding: Padding) -> dict[str, Any]:
    """Padding as attributes: what is added at the beginnings of the axes, then at their ends."""
    if isinstance(padding, str):
        return {"auto_pad": {"valid": "VALID", "same": "SAME_UPPER"}[padding]}
    (top, bottom), (left, right) = padding
    return {"pads": [top, left, bottom, right]}


@operations.native
def conv2d(
    x: Symbol,
    weight: Symbol,
    bias: Symbol | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Symbol:
    """``Conv``."""
    if padding == "same" and dilation != (1, 1):
        raise Unsupported("auto_pad is not for dilated windows")
    return node("Conv", x, weight, bias, strides=stride, dilations=dilation, group=groups, **_pads(padding))


@operations.native
def conv2d_transpose(
    x: Symbol,
    weight: Symbol,
    bias: Symbol | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    output_padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Symbol:
    """``ConvTranspose``."""
    attributes: dict[str, Any] = {"strides": stride, "dilations": dilation, "output_padding": output_padding}
    return node("ConvTranspose", x, weight, bias, group=groups, **attributes, **_pads(padding))


@operations.native
def max_pool2d(
    x: Symbol, *, window: Pair = (2, 2), stride: Pair | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Symbol:
    """``MaxPool``."""
    return node("MaxPool", x, kernel_shape=window, strides=stride or window, ceil_mode=int(ceil_mode), **_pads(padding))


@operations.native
def average_pool2d(
    x: Symbol,
    *,
    window: Pair = (2, 2),
    stride: Pair | None = None,
    padding: Padding = "valid",
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Symbol:
    """``AveragePool``."""
    if ceil_mode and padding == "same":
        raise Unsupported("auto_pad has no window that hangs over the end")
    attributes: dict[str, Any] = {"kernel_shape": window, "strides": stride or window, "ceil_mode": int(ceil_mode)}
    return node("AveragePool", x, count_include_pad=int(count_padding), **attributes, **_pads(padding))
