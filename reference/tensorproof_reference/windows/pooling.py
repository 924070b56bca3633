"""Pooling of sequences and volumes: maximum and average, by the formulas of two dimensions."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from tensorproof_reference import rounding
from tensorproof_reference.operation import EXTENDED, Operation, Sample
from tensorproof_reference.operations._pooling import (
    average_pooling,
    average_pooling_vjp,
    average_pooling_work,
    max_pooling,
    max_pooling_vjp,
    max_pooling_work,
    pooling_workload,
)
from tensorproof_reference.operations._pooling_samples import (
    average_pooling_samples,
    distinct_inputs,
    max_pooling_samples,
    normal_inputs,
    same_lower_samples,
)
from tensorproof_reference.operations._window_samples import special
from tensorproof_reference.operations._windows import Numbers, Padding
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array
from tensorproof_reference.windows._names import inputs_and_outputs

LOWEST = {dtype: -rounding.FORMATS[dtype].fmax for dtype in ("float32", "bfloat16", "float16")}
"""The lowest finite number of each dtype."""


def max_pool1d(
    x: Array, *, window: Numbers = (2,), stride: Numbers | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Array:
    r"""The maximum of each window of a sequence: :math:`y_{ncp} = \max_{i<k} x_{n,\,c,\,s p + i - \mathrm{before}}`.

    ``stride`` :math:`s`, ``padding``, which never is the maximum, and ``ceil_mode`` are as in ``max_pool2d``, with one number for
    the only axis of positions. ``"same_lower"`` is ``"same"`` with the odd one at the beginning. The gradient goes to the first
    maximum of the window; padding takes none.

    Shapes: ``x`` (N, C, L); the result (N, C, outL) with out as in ``max_pool2d``. N may be 0.
    Special values: NaN in a window is its maximum, and the first NaN takes the gradient. A window of -∞ gives -∞.
    Raises: ``ValueError`` if the rank, window, stride or padding does not fit, the window is larger than the padded input,
    or the padding on some side is not less than the window.
    Source: Goodfellow, Bengio & Courville (2016), §9.3; ONNX MaxPool (opset 12), auto_pad.
    """
    return max_pooling((1,), x, window=window, stride=stride, padding=padding, ceil_mode=ceil_mode)


def max_pool3d(
    x: Array, *, window: Numbers = (2, 2, 2), stride: Numbers | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Array:
    r"""The maximum of each window of a volume: of :math:`x_{n,\,c,\,s_d p + i - \mathrm{front},\,s_h q + j - \mathrm{top},\,
    s_w r + k - \mathrm{left}}` over :math:`i < k_d`, :math:`j < k_h` and :math:`k < k_w`.

    ``stride`` :math:`s`, ``padding``, which never is the maximum, and ``ceil_mode`` are as in ``max_pool2d``, with three numbers
    for depth, height and width. ``"same_lower"`` is ``"same"`` with the odd one at the beginning. The gradient goes to the first
    maximum of the window in row-major order; padding takes none.

    Shapes: ``x`` (N, C, D, H, W); the result (N, C, outD, outH, outW) with out as in ``max_pool2d``. N may be 0.
    Special values: NaN in a window is its maximum, and the first NaN takes the gradient. A window of -∞ gives -∞.
    Raises: ``ValueError`` if the rank, window, stride or padding does not fit, the window is larger than the padded input,
    or the padding on some side is not less than the window.
    Source: Tran, Bourdev, Fergus, Torresani & Paluri (2015), section 3.1; ONNX MaxPool (opset 12), auto_pad.
    """
    return max_pooling((1, 1, 1), x, window=window, stride=stride, padding=padding, ceil_mode=ceil_mode)


def average_pool1d(
    x: Array,
    *,
    window: Numbers = (2,),
    stride: Numbers | None = None,
    padding: Padding = "valid",
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Array:
    r"""The mean of each window of a sequence: :math:`y_{ncp} = \frac{1}{m_p} \sum_{i<k} x_{n,\,c,\,s p + i - \mathrm{before}}`.

    The sum is over the positions of the input in the window, and :math:`m` is their number; with ``count_padding`` padded zeros
    count as well. ``"same_lower"`` is ``"same"`` with the odd one at the beginning. The rest is as in ``average_pool2d``,
    with one number for the only axis of positions.

    Shapes: ``x`` (N, C, L); the result (N, C, outL) with out as in ``max_pool2d``. N may be 0.
    Special values: NaN and infinity reach the windows that hold them, and no others; +∞ and -∞ in one window give NaN. The mean
    of large numbers is finite also where their sum is not (in samples that are not required).
    Raises: ``ValueError`` if the rank, window, stride or padding does not fit, the window is larger than the padded input,
    or the padding on some side is not less than the window.
    Source: LeCun, Bottou, Bengio & Haffner (1998), §II.B (subsampling); ONNX AveragePool (opset 19), auto_pad.
    """
    return average_pooling(
        *((1,), x),
        window=window,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_padding=count_padding,
    )


def average_pool3d(
    x: Array,
    *,
    window: Numbers = (2, 2, 2),
    stride: Numbers | None = None,
    padding: Padding = "valid",
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Array:
    r"""The mean of each window of a volume, over the positions :math:`(s_d p + i - \mathrm{front},\,s_h q + j - \mathrm{top},\,
    s_w r + k - \mathrm{left})` of the input with :math:`i < k_d`, :math:`j < k_h` and :math:`k < k_w`.

    With ``count_padding`` padded zeros count as well. ``"same_lower"`` is ``"same"`` with the odd one at the beginning. The rest
    is as in ``average_pool2d``, with three numbers for depth, height and width.

    Shapes: ``x`` (N, C, D, H, W); the result (N, C, outD, outH, outW) with out as in ``max_pool2d``. N may be 0.
    Special values: NaN and infinity reach the windows that hold them, and no others; +∞ and -∞ in one window give NaN. The mean
    of large numbers is finite also where their sum is not (in samples that are not required).
    Raises: ``ValueError`` if the rank, window, stride or padding does not fit, the window is larger than the padded input,
    or the padding on some side is not less than the window.
    Source: LeCun, Bottou, Bengio & Haffner (1998), §II.B (subsampling); ONNX AveragePool (opset 19), auto_pad.
    """
    return average_pooling(
        *((1, 1, 1), x),
        window=window,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_padding=count_padding,
    )


def _maximum_samples(axes: int, stream: Stream) -> Iterator[Sample]:
    yield from max_pooling_samples(axes, stream)
    yield from same_lower_samples(axes, distinct_inputs(axes, stream))


def _average_samples(axes: int, stream: Stream) -> Iterator[Sample]:
    yield from average_pooling_samples(axes, stream)
    yield from same_lower_samples(axes, normal_inputs(axes, stream))
    yield from same_lower_samples(axes, normal_inputs(axes, stream), count_padding=True)
    # Kernels may mark what is no input by the lowest finite number. Where it is input, it counts.
    for dtype, lowest in LOWEST.items():
        one = special(normal_inputs(axes, stream), f"magnitude_lowest_{dtype}", {(0, 1, *(3, 2, 1)[:axes]): lowest})
        yield replace(one, dtypes=(dtype,))


def _maximum(axes: int, function: Callable[..., Array]) -> Operation:
    """The operation of maximum pooling over so many axes of positions."""
    usual = function.__kwdefaults__ or {}
    return Operation(
        function=function,
        vjp=partial(max_pooling_vjp, (1,) * axes, **usual),
        samples=partial(_maximum_samples, axes),
        family="window",
        profile=EXTENDED,
        axes=inputs_and_outputs(axes),
        workload=partial(pooling_workload, axes),
        work=partial(max_pooling_work, (1,) * axes, **usual),
    )


def _average(axes: int, function: Callable[..., Array]) -> Operation:
    """The operation of average pooling over so many axes of positions."""
    usual = function.__kwdefaults__ or {}
    return Operation(
        function=function,
        vjp=partial(average_pooling_vjp, (1,) * axes, **usual),
        samples=partial(_average_samples, axes),
        family="window",
        profile=EXTENDED,
        axes=inputs_and_outputs(axes),
        conventions={"count_padding": (False, True)},
        workload=partial(pooling_workload, axes),
        work=partial(average_pooling_work, (1,) * axes, **usual),
    )


OPERATIONS = (
    _maximum(1, max_pool1d),
    _maximum(3, max_pool3d),
    _average(1, average_pool1d),
    _average(3, average_pool3d),
)
