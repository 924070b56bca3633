"""The root of the sum of squares of each window, of sequences, images and volumes."""

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations import _windows
from tensorproof_reference.operations._pooling import padded_size, pooling_workload, taps_between
from tensorproof_reference.operations._pooling_samples import (
    geometry_samples,
    normal_inputs,
    overhang_samples,
    overlapping,
    padding_samples,
    same_lower_samples,
    shape,
    size_samples,
    unit_samples,
)
from tensorproof_reference.operations._window_samples import magnitudes, of_axes, special
from tensorproof_reference.operations._windows import Geometry, Numbers, Padding
from tensorproof_reference.operations._workloads import shaped
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients
from tensorproof_reference.windows._names import inputs_and_outputs


def l2_pool1d(
    x: Array, *, window: Numbers = (2,), stride: Numbers | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Array:
    r"""The root of the sum of squares of each window of a sequence:
    :math:`y_{ncp} = \sqrt{\sum_{i<k} x_{n,\,c,\,s p + i - \mathrm{before}}^2}`.

    ``stride`` :math:`s`, ``padding``, which is 0, and ``ceil_mode`` are as in ``average_pool1d``. ``"same_lower"`` is
    ``"same"`` with the odd one at the beginning. No sample asks for the gradient of a window of zeros, where there is none.

    Shapes: ``x`` (N, C, L); the result (N, C, outL) with out as in ``max_pool2d``. N may be 0.
    Special values: NaN reaches the windows that hold it, and no others; ±∞ makes its windows ∞.
    Raises: ``ValueError`` if the rank, window, stride or padding does not fit, the window is larger than the padded input,
    or the padding on some side is not less than the window.
    Source: ONNX LpPool (opset 18), p = 2; Boureau, Ponce & LeCun (2010).
    """
    return _pooled(1, x, window, stride, padding, ceil_mode)


def l2_pool2d(
    x: Array, *, window: Numbers = (2, 2), stride: Numbers | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Array:
    r"""The root of the sum of squares of each window of an image:
    :math:`y_{ncpq} = \sqrt{\sum_{i,j} x_{n,\,c,\,s_h p + i - \mathrm{top},\,s_w q + j - \mathrm{left}}^2}`.

    ``stride`` :math:`s`, ``padding``, which is 0, and ``ceil_mode`` are as in ``average_pool2d``. ``"same_lower"`` is
    ``"same"`` with the odd one at the beginning. No sample asks for the gradient of a window of zeros, where there is none.

    Shapes: ``x`` (N, C, H, W); the result (N, C, outH, outW) with out as in ``max_pool2d``. N may be 0.
    Special values: NaN reaches the windows that hold it, and no others; ±∞ makes its windows ∞.
    Raises: ``ValueError`` if the rank, window, stride or padding does not fit, the window is larger than the padded input,
    or the padding on some side is not less than the window.
    Source: ONNX LpPool (opset 18), p = 2; Boureau, Ponce & LeCun (2010).
    """
    return _pooled(2, x, window, stride, padding, ceil_mode)


def l2_pool3d(
    x: Array, *, window: Numbers = (2, 2, 2), stride: Numbers | None = None, padding: Padding = "valid", ceil_mode: bool = False
) -> Array:
    r"""The root of the sum of squares of each window of a volume: over :math:`x_{n,\,c,\,s_d p + i - \mathrm{front},\,
    s_h q + j - \mathrm{top},\,s_w r + k - \mathrm{left}}` with :math:`i < k_d`, :math:`j < k_h` and :math:`k < k_w`.

    ``stride`` :math:`s`, ``padding``, which is 0, and ``ceil_mode`` are as in ``average_pool3d``. ``"same_lower"`` is
    ``"same"`` with the odd one at the beginning. No sample asks for the gradient of a window of zeros, where there is none.

    Shapes: ``x`` (N, C, D, H, W); the result (N, C, outD, outH, outW) with out as in ``max_pool2d``. N may be 0.
    Special values: NaN reaches the windows that hold it, and no others; ±∞ makes its windows ∞.
    Raises: ``ValueError`` if the rank, window, stride or padding does not fit, the window is larger than the padded input,
    or the padding on some side is not less than the window.
    Source: ONNX LpPool (opset 18), p = 2; Boureau, Ponce & LeCun (2010).
    """
    return _pooled(3, x, window, stride, padding, ceil_mode)


def _pooled(axes: int, x: Array, window: Numbers, stride: Numbers | None, padding: Padding, ceil_mode: bool) -> Array:
    return _roots(x, _windows.pooling_geometry(x, (1,) * axes, window, stride, padding, ceil_mode))


def _roots(x: Array, place: Geometry) -> Array:
    return np.sqrt(np.sum(np.square(taps_between(x, place, 0.0)), axis=0))


def _vjp(
    axes: int,
    dy: Array,
    x: Array,
    *,
    window: Numbers,
    stride: Numbers | None = None,
    padding: Padding = "valid",
    ceil_mode: bool = False,
) -> Gradients:
    r""":math:`dx` at a position is :math:`x \sum dy / y` over the windows that hold it."""
    place = _windows.pooling_geometry(x, (1,) * axes, window, stride, padding, ceil_mode)
    share = _windows.sum_adjoint(dy / _roots(x, place), place.kernel, place.stride, place.dilation, padded_size(x, place))
    return {"x": x * _windows.crop(share, place.padding, _windows.positions(x))}


def _work(
    axes: int,
    x: Array,
    *,
    window: Numbers,
    stride: Numbers | None = None,
    padding: Padding = "valid",
    ceil_mode: bool = False,
) -> Work:
    """A square for each number, sums, one less for each window than it has positions, and a root.

    Back, a quotient for each window, sums where windows overlap, and a product for each number.
    """
    place = _windows.pooling_geometry(shaped(x), (1,) * axes, window, stride, padding, ceil_mode)
    planes, windows, pixels = x.shape[0] * x.shape[1], math.prod(place.outputs), math.prod(_windows.positions(x))
    taps = _windows.taps_inside(_windows.positions(x), place)
    return Work(
        flops=planes * (pixels + max(taps - windows, 0)),
        transcendentals=planes * windows,
        backward_flops=planes * (windows + max(taps - pixels, 0) + pixels),
    )


def _samples(axes: int, stream: Stream) -> Iterator[Sample]:
    """Windows of every shape, padding and overhang; NaN and infinity by hand."""
    of, images = of_axes(axes), shape(axes)
    draw = normal_inputs(axes, stream)
    yield from size_samples(axes, draw)
    yield from geometry_samples(axes, draw)
    yield from padding_samples(axes, draw)
    yield from same_lower_samples(axes, draw)
    yield from overhang_samples(axes, draw)
    yield from unit_samples(axes, draw)
    yield Sample(name="empty_batch", inputs=draw("empty_batch", (0, *images[1:])))
    moving, last = overlapping(axes), of(6, 5, 4)
    yield special(draw, "nan_overlapping", {(0, 1, *of(3, 2, 1)): np.nan, (1, 2, *last): np.nan}, **moving)
    yield special(draw, "infinity_inside", {(0, 1, *of(3, 2, 1)): np.inf, (1, 0, *of(0, 1, 0)): -np.inf})
    yield from magnitudes(draw, "256", "1e4", "1e_minus_4", "1e15")


def _pooling(axes: int, function: Callable[..., Array]) -> Operation:
    """The operation over so many axes of positions."""
    usual = function.__kwdefaults__ or {}
    return Operation(
        function=function,
        vjp=partial(_vjp, axes, **usual),
        samples=partial(_samples, axes),
        family="window",
        profile=EXTENDED,
        axes=inputs_and_outputs(axes),
        workload=partial(pooling_workload, axes),
        work=partial(_work, axes, **usual),
    )


OPERATIONS = (_pooling(1, l2_pool1d), _pooling(2, l2_pool2d), _pooling(3, l2_pool3d))
