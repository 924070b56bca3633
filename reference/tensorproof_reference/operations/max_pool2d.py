"""Two-dimensional maximum pooling: see ``max_pool2d``."""

from functools import partial

from tensorproof_reference.operation import Operation, Work
from tensorproof_reference.operations._pooling import max_pooling, max_pooling_vjp, max_pooling_work, pooling_workload
from tensorproof_reference.operations._pooling_samples import max_pooling_samples
from tensorproof_reference.operations._windows import Padding, Pair
from tensorproof_reference.trees import Array, Gradients


def max_pool2d(
    x: Array, *, window: Pair = (2, 2), stride: Pair | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Array:
    r"""The maximum of each window:
    :math:`y_{ncpq} = \max_{i<k_h,\,j<k_w} x_{n,\,c,\,s_h p + i - \mathrm{top},\,s_w q + j - \mathrm{left}}`.

    ``stride`` :math:`s` is the window unless given. ``padding`` is ``"valid"``, ``"same"`` or ``((top, bottom), (left, right))``
    as in ``conv2d``; what is padded never is the maximum (it is -∞). With ``ceil_mode`` the last window may hang over the end,
    if it starts within the input or the padding before it.

    The gradient goes to the first maximum of the window in row-major order; padding takes none.

    Shapes: ``x`` (N, C, H, W); the result (N, C, outH, outW) with out = floor((size + padding - window)/stride) + 1, or that
    with ceil, or ceil(size/stride) for ``"same"``. N may be 0.
    Special values: NaN in a window is its maximum, and the first NaN takes the gradient. A window of -∞ gives -∞.
    Raises: ``ValueError`` if the rank, window, stride or padding does not fit, the window is larger than the padded input,
    or the padding on some side is not less than the window.
    Source: Goodfellow, Bengio & Courville (2016), §9.3; the texts, 000 §3.2.2.
    """
    return max_pooling((1, 1), x, window=window, stride=stride, padding=padding, ceil_mode=ceil_mode)


def vjp(
    dy: Array, x: Array, *, window: Pair = (2, 2), stride: Pair | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Gradients:
    r""":math:`dx` at a pixel is the sum of :math:`dy` over the windows whose first maximum it is."""
    return max_pooling_vjp((1, 1), dy, x, window=window, stride=stride, padding=padding, ceil_mode=ceil_mode)


def work(
    x: Array, *, window: Pair = (2, 2), stride: Pair | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Work:
    """Comparisons: one less for each window than it has pixels of the image; back, a sum for each window."""
    return max_pooling_work((1, 1), x, window=window, stride=stride, padding=padding, ceil_mode=ceil_mode)


OPERATION = Operation(
    function=max_pool2d,
    vjp=vjp,
    samples=partial(max_pooling_samples, 2),
    family="window",
    axes={"x": "n c h w", "y": "n c h w"},
    documents=("000 §3.2.2", "003 §3.2.2", "004 §3.5"),
    workload=partial(pooling_workload, 2),
    work=work,
)
