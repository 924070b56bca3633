"""Transposed convolution of sequences and volumes: conv1d_transpose and conv3d_transpose, by the formulas of two dimensions."""

from collections.abc import Callable, Iterator
from functools import partial

from tensorproof_reference.operation import EXTENDED, Operation, Sample
from tensorproof_reference.operations._transposed_convolution import (
    transposed_convolution,
    transposed_convolution_samples,
    transposed_convolution_vjp,
    transposed_convolution_work,
    transposed_convolution_workload,
)
from tensorproof_reference.operations._windows import Numbers, Padding
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array
from tensorproof_reference.windows._group_samples import transposed_group_samples
from tensorproof_reference.windows._names import convolved


def conv1d_transpose(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Numbers = (1,),
    padding: Padding = "valid",
    output_padding: Numbers = (0,),
    dilation: Numbers = (1,),
    groups: int = 1,
) -> Array:
    r"""The adjoint of ``conv1d`` with the same weight: each input position paints the kernel, scaled, onto the output:
    :math:`y_{nol} = b_o + \sum w_{coi}\, x_{ncp}` over :math:`s p + d i = l + \mathrm{before}`.

    Stride :math:`s`, dilation :math:`d`, ``output_padding``, ``groups`` and what ``padding`` crops are as in
    ``conv2d_transpose``, with one number for the only axis of positions.

    Shapes: ``x`` (N, C, L); ``weight`` (C, O/groups, kL); ``bias`` (O,) or ``None``; the result (N, O, outL) with
    out = (size - 1)·stride + dilation·(kernel - 1) + 1 + output_padding - padding, or size·stride for ``"same"``. N may be 0.
    Special values: NaN and infinity reach the positions that they paint, and no others. An unpainted position is the bias.
        Where a part of what they paint is cropped, the gradient of ``weight`` has 0 · NaN or no term: no sample asks.
    Raises: ``ValueError`` if a rank, shape, stride, padding, dilation or number of groups does not fit, if ``output_padding`` is
    not less than the stride or comes with ``"same"`` padding, or if nothing is left of the output.
    Source: Dumoulin & Visin (2016), "A guide to convolution arithmetic for deep learning", ch. 4.
    """
    return transposed_convolution(
        *(1, x, weight, bias),
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        dilation=dilation,
        groups=groups,
    )


def conv3d_transpose(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Numbers = (1, 1, 1),
    padding: Padding = "valid",
    output_padding: Numbers = (0, 0, 0),
    dilation: Numbers = (1, 1, 1),
    groups: int = 1,
) -> Array:
    r"""The adjoint of ``conv3d`` with the same weight: each input position paints the kernel, scaled, onto the output.

    .. math:: y_{nozhw} = b_o + \sum w_{coijk}\, x_{ncpqr} \quad\text{over}\quad
              s_d p + d_d i = z + \mathrm{front},\; s_h q + d_h j = h + \mathrm{top},\; s_w r + d_w k = w + \mathrm{left}

    Stride :math:`s`, dilation :math:`d`, ``output_padding``, ``groups`` and what ``padding`` crops are as in
    ``conv2d_transpose``, with three numbers for depth, height and width.

    Shapes: ``x`` (N, C, D, H, W); ``weight`` (C, O/groups, kD, kH, kW); ``bias`` (O,) or ``None``; the result
    (N, O, outD, outH, outW) with out = (size - 1)·stride + dilation·(kernel - 1) + 1 + output_padding - padding, or
    size·stride for ``"same"``. N may be 0.
    Special values: NaN and infinity reach the positions that they paint, and no others. An unpainted position is the bias.
        Where a part of what they paint is cropped, the gradient of ``weight`` has 0 · NaN or no term: no sample asks.
    Raises: ``ValueError`` if a rank, shape, stride, padding, dilation or number of groups does not fit, if ``output_padding`` is
    not less than the stride or comes with ``"same"`` padding, or if nothing is left of the output.
    Source: Dumoulin & Visin (2016), "A guide to convolution arithmetic for deep learning", ch. 4.
    """
    return transposed_convolution(
        *(3, x, weight, bias),
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        dilation=dilation,
        groups=groups,
    )


def _samples(axes: int, stream: Stream) -> Iterator[Sample]:
    yield from transposed_convolution_samples(axes, stream)
    yield from transposed_group_samples(axes, stream)


def _transposed(axes: int, function: Callable[..., Array]) -> Operation:
    """The operation of transposed convolution over so many axes of positions."""
    usual = function.__kwdefaults__ or {}
    return Operation(
        function=function,
        vjp=partial(transposed_convolution_vjp, axes, **usual),
        samples=partial(_samples, axes),
        family="window",
        profile=EXTENDED,
        differentiable=("x", "weight", "bias"),
        axes=convolved(axes, "i o"),
        workload=partial(transposed_convolution_workload, axes),
        work=partial(transposed_convolution_work, axes, **usual),
    )


OPERATIONS = (_transposed(1, conv1d_transpose), _transposed(3, conv3d_transpose))
