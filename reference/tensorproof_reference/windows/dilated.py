"""Pooling of sequences, images and volumes by windows with gaps: maximum and average."""

from collections.abc import Callable
from functools import partial
from typing import Any

from tensorproof_reference.arguments import require_numbers
from tensorproof_reference.operation import EXTENDED, Operation, Work
from tensorproof_reference.operations._pooling import (
    average_pooling,
    average_pooling_vjp,
    average_pooling_work,
    max_pooling,
    max_pooling_vjp,
    max_pooling_work,
    pooling_workload,
)
from tensorproof_reference.operations._windows import Numbers, Padding, Pair
from tensorproof_reference.trees import Array, Gradients
from tensorproof_reference.windows._dilated_samples import dilated_average_samples, dilated_maximum_samples
from tensorproof_reference.windows._names import inputs_and_outputs


def dilated_max_pool1d(
    x: Array,
    *,
    window: Numbers = (2,),
    stride: Numbers = (1,),
    padding: Padding = "valid",
    dilation: Numbers = (2,),
    ceil_mode: bool = False,
) -> Array:
    r"""The maximum of each window of a sequence whose taps are d apart:
    :math:`y_{ncp} = \max_{i<k} x_{n,\,c,\,s p + d i - \mathrm{before}}`.

    ``padding`` and ``ceil_mode`` are as in ``dilated_max_pool2d``, with one number for the only axis of positions. The gradient
    goes to the first maximum of the window; padding takes none.

    Shapes: ``x`` (N, C, L); the result (N, C, outL) with out as in ``dilated_max_pool2d``. N may be 0.
    Special values: NaN in a window is its maximum, and the first NaN takes the gradient. What lies in its gaps leaves no trace.
    Raises: ``ValueError`` if the rank, window, stride, dilation or padding does not fit, the window's reach is larger than the
    padded input, or the padding on some side is not less than it.
    Source: Goodfellow, Bengio & Courville (2016), §9.3; Yu & Koltun (2016), eq. 2 (dilation); ONNX MaxPool (opset 12).
    """
    gaps = require_numbers(dilation, "dilation", 1, 1)
    return max_pooling(gaps, x, window=window, stride=stride, padding=padding, ceil_mode=ceil_mode)


def dilated_max_pool2d(
    x: Array,
    *,
    window: Pair = (2, 2),
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    dilation: Pair = (2, 2),
    ceil_mode: bool = False,
) -> Array:
    r"""The maximum of each window of an image whose taps are d apart:
    :math:`y_{ncpq} = \max_{i<k_h,\,j<k_w} x_{n,\,c,\,s_h p + d_h i - \mathrm{top},\,s_w q + d_w j - \mathrm{left}}`.

    ``padding``, which never is the maximum, and ``ceil_mode`` are as in ``max_pool2d``, for windows that reach over
    :math:`d (k - 1) + 1` pixels. ``"same_lower"`` is ``"same"`` with the odd one at the beginning. The gradient goes to the first
    maximum of the window in row-major order; padding takes none.

    Shapes: ``x`` (N, C, H, W); the result (N, C, outH, outW) with out = floor((size + padding - reach)/stride) + 1, or that
    with ceil, or ceil(size/stride) for ``"same"`` and ``"same_lower"``. N may be 0.
    Special values: NaN in a window is its maximum, and the first NaN takes the gradient. What lies in its gaps leaves no trace.
    Raises: ``ValueError`` if the rank, window, stride, dilation or padding does not fit, the window's reach is larger than the
    padded input, or the padding on some side is not less than it.
    Source: Goodfellow, Bengio & Courville (2016), §9.3; Yu & Koltun (2016), eq. 2 (dilation); ONNX MaxPool (opset 12).
    """
    gaps = require_numbers(dilation, "dilation", 1, 2)
    return max_pooling(gaps, x, window=window, stride=stride, padding=padding, ceil_mode=ceil_mode)


def dilated_max_pool3d(
    x: Array,
    *,
    window: Numbers = (2, 2, 2),
    stride: Numbers = (1, 1, 1),
    padding: Padding = "valid",
    dilation: Numbers = (2, 2, 2),
    ceil_mode: bool = False,
) -> Array:
    r"""The maximum of each window of a volume whose taps are d apart: of
    :math:`x_{n,\,c,\,s_d p + d_d i - \mathrm{front},\,s_h q + d_h j - \mathrm{top},\,s_w r + d_w k - \mathrm{left}}` over
    :math:`i < k_d`, :math:`j < k_h` and :math:`k < k_w`.

    ``padding`` and ``ceil_mode`` are as in ``dilated_max_pool2d``, with three numbers for depth, height and width. The gradient
    goes to the first maximum of the window in row-major order; padding takes none.

    Shapes: ``x`` (N, C, D, H, W); the result (N, C, outD, outH, outW) with out as in ``dilated_max_pool2d``. N may be 0.
    Special values: NaN in a window is its maximum, and the first NaN takes the gradient. What lies in its gaps leaves no trace.
    Raises: ``ValueError`` if the rank, window, stride, dilation or padding does not fit, the window's reach is larger than the
    padded input, or the padding on some side is not less than it.
    Source: Goodfellow, Bengio & Courville (2016), §9.3; Yu & Koltun (2016), eq. 2 (dilation); ONNX MaxPool (opset 12).
    """
    gaps = require_numbers(dilation, "dilation", 1, 3)
    return max_pooling(gaps, x, window=window, stride=stride, padding=padding, ceil_mode=ceil_mode)


def dilated_average_pool1d(
    x: Array,
    *,
    window: Numbers = (2,),
    stride: Numbers = (1,),
    padding: Padding = "valid",
    dilation: Numbers = (2,),
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Array:
    r"""The mean of each window of a sequence whose taps are d apart: of :math:`x_{n,\,c,\,s p + d i - \mathrm{before}}` over
    :math:`i < k`.

    The mean is over the taps that lie on the sequence; with ``count_padding`` padded zeros count as well. ``padding`` and
    ``ceil_mode`` are as in ``dilated_max_pool1d``.

    Shapes: ``x`` (N, C, L); the result (N, C, outL) with out as in ``dilated_max_pool2d``. N may be 0.
    Special values: NaN and infinity reach the windows that have a tap on them, and no others.
    Raises: ``ValueError`` if the rank, window, stride, dilation or padding does not fit, the window's reach is larger than the
    padded input, or the padding on some side is not less than it.
    Source: LeCun, Bottou, Bengio & Haffner (1998), §II.B (subsampling); Yu & Koltun (2016), eq. 2 (dilation); ONNX AveragePool
    (opset 19).
    """
    return average_pooling(
        *(require_numbers(dilation, "dilation", 1, 1), x),
        window=window,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_padding=count_padding,
    )


def dilated_average_pool2d(
    x: Array,
    *,
    window: Pair = (2, 2),
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    dilation: Pair = (2, 2),
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Array:
    r"""The mean of each window of an image whose taps are d apart: of
    :math:`x_{n,\,c,\,s_h p + d_h i - \mathrm{top},\,s_w q + d_w j - \mathrm{left}}` over :math:`i < k_h` and :math:`j < k_w`.

    The mean is over the taps that lie on the image; with ``count_padding`` padded zeros count as well. ``padding`` and
    ``ceil_mode`` are as in ``dilated_max_pool2d``.

    Shapes: ``x`` (N, C, H, W); the result (N, C, outH, outW) with out as in ``dilated_max_pool2d``. N may be 0.
    Special values: NaN and infinity reach the windows that have a tap on them, and no others.
    Raises: ``ValueError`` if the rank, window, stride, dilation or padding does not fit, the window's reach is larger than the
    padded input, or the padding on some side is not less than it.
    Source: LeCun, Bottou, Bengio & Haffner (1998), §II.B (subsampling); Yu & Koltun (2016), eq. 2 (dilation); ONNX AveragePool
    (opset 19).
    """
    return average_pooling(
        *(require_numbers(dilation, "dilation", 1, 2), x),
        window=window,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_padding=count_padding,
    )


def dilated_average_pool3d(
    x: Array,
    *,
    window: Numbers = (2, 2, 2),
    stride: Numbers = (1, 1, 1),
    padding: Padding = "valid",
    dilation: Numbers = (2, 2, 2),
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Array:
    r"""The mean of each window of a volume whose taps are d apart: of
    :math:`x_{n,\,c,\,s_d p + d_d i - \mathrm{front},\,s_h q + d_h j - \mathrm{top},\,s_w r + d_w k - \mathrm{left}}` over
    :math:`i < k_d`, :math:`j < k_h` and :math:`k < k_w`.

    The mean is over the taps that lie on the volume; with ``count_padding`` padded zeros count as well. ``padding`` and
    ``ceil_mode`` are as in ``dilated_max_pool3d``.

    Shapes: ``x`` (N, C, D, H, W); the result (N, C, outD, outH, outW) with out as in ``dilated_max_pool2d``. N may be 0.
    Special values: NaN and infinity reach the windows that have a tap on them, and no others.
    Raises: ``ValueError`` if the rank, window, stride, dilation or padding does not fit, the window's reach is larger than the
    padded input, or the padding on some side is not less than it.
    Source: LeCun, Bottou, Bengio & Haffner (1998), §II.B (subsampling); Yu & Koltun (2016), eq. 2 (dilation); ONNX AveragePool
    (opset 19).
    """
    return average_pooling(
        *(require_numbers(dilation, "dilation", 1, 3), x),
        window=window,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_padding=count_padding,
    )


def _maximum_vjp(axes: int, dy: Array, x: Array, *, dilation: Numbers, **others: Any) -> Gradients:
    """The gradient of each window goes to its first maximum."""
    return max_pooling_vjp(require_numbers(dilation, "dilation", 1, axes), dy, x, **others)


def _average_vjp(axes: int, dy: Array, x: Array, *, dilation: Numbers, **others: Any) -> Gradients:
    """Each window's share goes to all of its taps."""
    return average_pooling_vjp(require_numbers(dilation, "dilation", 1, axes), dy, x, **others)


def _maximum_work(x: Array, *, window: Numbers, stride: Numbers, padding: Padding, dilation: Numbers, ceil_mode: bool) -> Work:
    """That of maximum pooling: the gaps cost nothing."""
    return max_pooling_work(dilation, x, window=window, stride=stride, padding=padding, ceil_mode=ceil_mode)


def _average_work(
    x: Array,
    *,
    window: Numbers,
    stride: Numbers,
    padding: Padding,
    dilation: Numbers,
    ceil_mode: bool,
    count_padding: bool,
) -> Work:
    """That of average pooling: the gaps cost nothing."""
    return average_pooling_work(
        *(dilation, x),
        window=window,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_padding=count_padding,
    )


def _maximum(axes: int, function: Callable[..., Array]) -> Operation:
    """The operation of maximum pooling over so many axes of positions."""
    usual = function.__kwdefaults__ or {}
    return Operation(
        function=function,
        vjp=partial(_maximum_vjp, axes, **usual),
        samples=partial(dilated_maximum_samples, axes),
        family="window",
        profile=EXTENDED,
        axes=inputs_and_outputs(axes),
        workload=partial(pooling_workload, axes),
        work=partial(_maximum_work, **usual),
    )


def _average(axes: int, function: Callable[..., Array]) -> Operation:
    """The operation of average pooling over so many axes of positions."""
    usual = function.__kwdefaults__ or {}
    return Operation(
        function=function,
        vjp=partial(_average_vjp, axes, **usual),
        samples=partial(dilated_average_samples, axes),
        family="window",
        profile=EXTENDED,
        axes=inputs_and_outputs(axes),
        conventions={"count_padding": (False, True)},
        workload=partial(pooling_workload, axes),
        work=partial(_average_work, **usual),
    )


OPERATIONS = (
    _maximum(1, dilated_max_pool1d),
    _maximum(2, dilated_max_pool2d),
    _maximum(3, dilated_max_pool3d),
    _average(1, dilated_average_pool1d),
    _average(2, dilated_average_pool2d),
    _average(3, dilated_average_pool3d),
)
