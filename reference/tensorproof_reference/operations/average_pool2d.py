"""Two-dimensional average pooling: see ``average_pool2d``."""

from functools import partial

from tensorproof_reference.operation import Operation, Work
from tensorproof_reference.operations._pooling import average_pooling, average_pooling_vjp, average_pooling_work, pooling_workload
from tensorproof_reference.operations._pooling_samples import average_pooling_samples
from tensorproof_reference.operations._windows import Padding, Pair
from tensorproof_reference.trees import Array, Gradients


def average_pool2d(
    x: Array,
    *,
    window: Pair = (2, 2),
    stride: Pair | None = None,
    padding: Padding = "valid",
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Array:
    r"""The mean of each window:
    :math:`y_{ncpq} = \frac{1}{m_{pq}} \sum_{i,j} x_{n,\,c,\,s_h p + i - \mathrm{top},\,s_w q + j - \mathrm{left}}`.

    The sum is over the pixels of the input in the window, and :math:`m` is their number; with ``count_padding`` padded zeros
    count as well. ``stride``, ``padding`` and ``ceil_mode`` are those of ``max_pool2d``. What hangs over the end of the padded
    input in ceil mode never counts.

    Shapes: ``x`` (N, C, H, W); the result (N, C, outH, outW) as for ``max_pool2d``. N may be 0.
    Special values: NaN and infinity reach the windows that hold them, and no others; +∞ and -∞ in one window give NaN. The mean
    of large numbers is finite also where their sum is not (in samples that are not required).
    Raises: ``ValueError`` if the rank, window, stride or padding does not fit, the window is larger than the padded input,
    or the padding on some side is not less than the window.
    Source: LeCun, Bottou, Bengio & Haffner (1998), §II.B (subsampling); the texts, 000 §3.2.2.
    """
    return average_pooling(
        *((1, 1), x),
        window=window,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_padding=count_padding,
    )


def vjp(
    dy: Array,
    x: Array,
    *,
    window: Pair = (2, 2),
    stride: Pair | None = None,
    padding: Padding = "valid",
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Gradients:
    r""":math:`dx` at a pixel is the sum of :math:`dy_{pq}/m_{pq}` over the windows that hold it."""
    return average_pooling_vjp(
        *((1, 1), dy, x),
        window=window,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_padding=count_padding,
    )


def work(
    x: Array,
    *,
    window: Pair = (2, 2),
    stride: Pair | None = None,
    padding: Padding = "valid",
    ceil_mode: bool = False,
    count_padding: bool = False,
) -> Work:
    """Sums, one less for each window than it has pixels of the image, and a quotient.

    Back, a quotient for each window, and sums where windows overlap.
    """
    return average_pooling_work(
        *((1, 1), x),
        window=window,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_padding=count_padding,
    )


OPERATION = Operation(
    function=average_pool2d,
    vjp=vjp,
    samples=partial(average_pooling_samples, 2),
    family="window",
    axes={"x": "n c h w", "y": "n c h w"},
    conventions={"count_padding": (False, True)},
    documents=("000 §3.2.2", "004 §3.5"),
    workload=partial(pooling_workload, 2),
    work=work,
)
