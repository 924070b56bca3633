"""Convolution of sequences and volumes: conv1d and conv3d, by the formulas of ``conv2d``."""

from collections.abc import Callable, Iterator
from functools import partial

from tensorproof_reference.operation import EXTENDED, Operation, Sample
from tensorproof_reference.operations._convolution import (
    convolution,
    convolution_same_lower_samples,
    convolution_samples,
    convolution_vjp,
    convolution_work,
    convolution_workload,
)
from tensorproof_reference.operations._windows import Numbers, Padding
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array
from tensorproof_reference.windows._group_samples import convolution_group_samples
from tensorproof_reference.windows._names import convolved


def conv1d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Numbers = (1,),
    padding: Padding = "valid",
    dilation: Numbers = (1,),
    groups: int = 1,
) -> Array:
    r"""Cross-correlation of sequences with kernels, which are not flipped:
    :math:`y_{nop} = b_o + \sum_{c,i} w_{oci}\, x_{n,\,c,\,s p + d i - \mathrm{before}}`.

    Stride :math:`s`, dilation :math:`d`, ``groups`` and ``"same"`` padding are as in ``conv2d``, with one number for the only
    axis of positions: ``stride=(2,)``, ``padding=((before, after),)``. ``"same_lower"`` is ``"same"`` with the odd one at the
    beginning.

    Shapes: ``x`` (N, C, L); ``weight`` (O, C/groups, kL); ``bias`` (O,) or ``None``; the result (N, O, outL) with
    out = floor((size + padding - dilation·(kernel - 1) - 1)/stride) + 1. N may be 0.
    Special values: NaN and infinity reach the windows that hold them, and no others.
    Raises: ``ValueError`` if a rank, shape, stride, padding, dilation or number of groups does not fit, or the dilated kernel
    is larger than the padded input.
    Source: Goodfellow, Bengio & Courville (2016), eq. 9.3 and 9.6, without flipping; ONNX Conv (opset 11), auto_pad.
    """
    return convolution(1, x, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)


def conv3d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Numbers = (1, 1, 1),
    padding: Padding = "valid",
    dilation: Numbers = (1, 1, 1),
    groups: int = 1,
) -> Array:
    r"""Cross-correlation of volumes with kernels, which are not flipped:

    .. math:: y_{nopqr} = b_o + \sum_{c,i,j,k} w_{ocijk}\,
              x_{n,\,c,\,s_d p + d_d i - \mathrm{front},\,s_h q + d_h j - \mathrm{top},\,s_w r + d_w k - \mathrm{left}}

    Stride :math:`s`, dilation :math:`d`, ``groups`` and ``"same"`` padding are as in ``conv2d``, with three numbers for depth,
    height and width; explicit padding is ``((front, back), (top, bottom), (left, right))``. ``"same_lower"`` is ``"same"`` with
    the odd one at the beginning.

    Shapes: ``x`` (N, C, D, H, W); ``weight`` (O, C/groups, kD, kH, kW); ``bias`` (O,) or ``None``; the result
    (N, O, outD, outH, outW) with out = floor((size + padding - dilation·(kernel - 1) - 1)/stride) + 1. N may be 0.
    Special values: NaN and infinity reach the windows that hold them, and no others.
    Raises: ``ValueError`` if a rank, shape, stride, padding, dilation or number of groups does not fit, or the dilated kernel
    is larger than the padded input.
    Source: Tran, Bourdev, Fergus, Torresani & Paluri (2015), section 3.1; ONNX Conv (opset 11), auto_pad.
    """
    return convolution(3, x, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)


def _samples(axes: int, stream: Stream) -> Iterator[Sample]:
    yield from convolution_samples(axes, stream)
    yield from convolution_same_lower_samples(axes, stream)
    yield from convolution_group_samples(axes, stream)


def _convolution(axes: int, function: Callable[..., Array]) -> Operation:
    """The operation of convolution over so many axes of positions."""
    usual = function.__kwdefaults__ or {}
    return Operation(
        function=function,
        vjp=partial(convolution_vjp, axes, **usual),
        samples=partial(_samples, axes),
        family="window",
        profile=EXTENDED,
        differentiable=("x", "weight", "bias"),
        axes=convolved(axes, "o i"),
        workload=partial(convolution_workload, axes),
        work=partial(convolution_work, axes, **usual),
    )


OPERATIONS = (_convolution(1, conv1d), _convolution(3, conv3d))
