"""Two-dimensional transposed convolution: see ``conv2d_transpose``."""

from functools import partial

from tensorproof_reference.operation import Operation, Work
from tensorproof_reference.operations._transposed_convolution import (
    transposed_convolution,
    transposed_convolution_samples,
    transposed_convolution_vjp,
    transposed_convolution_work,
    transposed_convolution_workload,
)
from tensorproof_reference.operations._windows import Padding, Pair
from tensorproof_reference.trees import Array, Gradients


def conv2d_transpose(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    output_padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    r"""The adjoint of ``conv2d`` with the same weight: each input pixel paints the kernel, scaled, onto the output.

    .. math:: y_{nohw} = b_o + \sum_{c,p,q,i,j} w_{coij}\, x_{ncpq}
              \quad\text{over}\quad s_h p + d_h i = h + \mathrm{top},\; s_w q + d_w j = w + \mathrm{left}

    where :math:`s` is the stride and :math:`d` the dilation. The paint covers full = (size - 1)·stride + dilation·(kernel - 1)
    + 1 rows. ``output_padding`` appends unpainted rows and columns at the end, and then ``padding`` is cropped from the sides: so
    ``output_padding`` uncovers paint that would have been cropped. It tells apart the sizes that ``conv2d`` maps to one.

    ``padding`` is ``"valid"`` (nothing is cropped), ``((top, bottom), (left, right))``, or ``"same"``: the adjoint of
    ``conv2d`` with ``"same"`` padding on an input of size·stride. That crops the total max(dilation·(kernel - 1) + 1 - stride, 0)
    in halves, the odd one at the end, and appends unpainted rows up to size·stride where the stride is the larger.

    Shapes: ``x`` (N, C, H, W); ``weight`` (C, O/groups, kH, kW); ``bias`` (O,) or ``None``; the result (N, O, outH, outW) with
    out = full + output_padding - padding, or size·stride. N may be 0.
    Special values: NaN and infinity reach the pixels that they paint, and no others. An unpainted pixel is the bias.
    Raises: ``ValueError`` if a rank, shape, stride, padding, dilation or number of groups does not fit, if ``output_padding`` is
    not less than the stride or comes with ``"same"`` padding, or if nothing is left of the output.
    Source: Dumoulin & Visin (2016), "A guide to convolution arithmetic for deep learning", ch. 4; the texts, 004 §4.4.
    """
    return transposed_convolution(
        *(2, x, weight, bias),
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        dilation=dilation,
        groups=groups,
    )


def vjp(
    dy: Array,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    output_padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Gradients:
    r""":math:`dx` is ``conv2d`` of :math:`dy` with the same weight; :math:`dw_{coij} = \sum_{n,p,q} x_{ncpq}\, dy_{n,o,\ldots}`
    is its weight gradient with image and cotangent exchanged; and :math:`db_o = \sum_{n,h,w} dy_{nohw}`."""
    return transposed_convolution_vjp(
        *(2, dy, x, weight, bias),
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        dilation=dilation,
        groups=groups,
    )


def work(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    output_padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Work:
    """A product and a sum for each pixel that a tap paints and that is not cropped; back twice that, as of ``conv2d``."""
    return transposed_convolution_work(
        *(2, x, weight, bias),
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        dilation=dilation,
        groups=groups,
    )


OPERATION = Operation(
    function=conv2d_transpose,
    vjp=vjp,
    samples=partial(transposed_convolution_samples, 2),
    family="window",
    differentiable=("x", "weight", "bias"),
    axes={"x": "n c h w", "weight": "i o h w", "bias": "o", "y": "n o h w"},
    documents=("004 §4.4",),
    workload=partial(transposed_convolution_workload, 2),
    work=work,
)
