"""Two-dimensional convolution: see ``conv2d``."""

from functools import partial

from tensorproof_reference.operation import Operation, Work
from tensorproof_reference.operations._convolution import (
    convolution,
    convolution_samples,
    convolution_vjp,
    convolution_work,
    convolution_workload,
)
from tensorproof_reference.operations._windows import Padding, Pair
from tensorproof_reference.trees import Array, Gradients


def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    r"""Cross-correlation of images with kernels, which are not flipped.

    .. math:: y_{nopq} = b_o + \sum_{c,i,j} w_{ocij}\, x_{n,\,c,\,s_h p + d_h i - \mathrm{top},\,s_w q + d_w j - \mathrm{left}}

    where :math:`s` is the stride, :math:`d` the dilation, and ``x`` is zero outside. With ``groups`` > 1 the channels and the
    filters fall into as many equal runs, and the filters of a run see the channels of that run only.

    ``padding`` is ``"valid"`` (none), ``"same"``, or ``((top, bottom), (left, right))``. ``"same"`` gives ceil(size/stride)
    outputs: the total max((outputs - 1)·stride + dilation·(kernel - 1) + 1 - size, 0) is split in halves, the odd one at the end.

    Shapes: ``x`` (N, C, H, W); ``weight`` (O, C/groups, kH, kW); ``bias`` (O,) or ``None``; the result (N, O, outH, outW) with
    out = floor((size + padding - dilation·(kernel - 1) - 1)/stride) + 1. N may be 0.
    Special values: NaN and infinity reach the windows that hold them, and no others.
    Raises: ``ValueError`` if a rank, shape, stride, padding, dilation or number of groups does not fit, or the dilated kernel
    is larger than the padded input.
    Source: Goodfellow, Bengio & Courville (2016), eq. 9.6; Dumoulin & Visin (2016), "A guide to convolution arithmetic for
    deep learning"; the texts, 000 §3.2.1.
    """
    return convolution(2, x, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)


def vjp(
    dy: Array,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Gradients:
    r""":math:`dx_{nchw} = \sum dy_{nopq} w_{ocij}` over the terms of y that hold it; so for
    :math:`dw_{ocij} = \sum_{n,p,q} dy_{nopq} x_{n,c,\ldots}`; and :math:`db_o = \sum_{n,p,q} dy_{nopq}`."""
    return convolution_vjp(2, dy, x, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)


def work(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Pair = (1, 1),
    padding: Padding = "valid",
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Work:
    """A product and a sum for each result and tap that lies on the image (what meets padding is none); back twice that."""
    return convolution_work(2, x, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)


OPERATION = Operation(
    function=conv2d,
    vjp=vjp,
    samples=partial(convolution_samples, 2),
    family="window",
    differentiable=("x", "weight", "bias"),
    axes={"x": "n c h w", "weight": "o i h w", "bias": "o", "y": "n o h w"},
    documents=("000 §3.2.1", "001 §3.4", "003 §3.2.1", "004 §3.4"),
    workload=partial(convolution_workload, 2),
    work=work,
)
