"""Faults in pooling: padding, windows that hang over, divisors, NaN, ties."""

import numpy as np
from faulty import Faults, reference, right_vjp

from tensorproof_reference.operations import _windows
from tensorproof_reference.operations._pooling import taps_between

FAULTS = Faults()


def geometry(x, *, window=(2, 2), stride=None, padding="valid", ceil_mode=False, count_padding=False):
    return _windows.pooling_geometry(x, (1, 1), window, stride, padding, ceil_mode)


def _taps(x, place):
    return taps_between(x, place, -np.inf)


def pool(x, **keywords):
    return reference("max_pool2d", x, **keywords)


def exchanged(padding):
    return padding if isinstance(padding, str) else tuple((high, low) for low, high in padding)


def by_every_maximum(dy, x, share, **keywords):
    """A gradient that goes to every maximum of a window, or only to the last."""
    place = geometry(x, **keywords)
    (top, bottom), (left, right) = place.padding
    sizes = (x.shape[2] + top + bottom + place.overhang[0], x.shape[3] + left + right + place.overhang[1])
    dx = np.zeros((*x.shape[:2], *sizes), x.dtype)
    hits = _taps(x, place) == np.max(_taps(x, place), axis=0)
    if share == "last":
        hits &= np.cumsum(hits[::-1], axis=0)[::-1] == 1
    weights = hits / np.maximum(np.sum(hits, axis=0), 1) if share == "shared" else hits
    rows, columns = place.outputs
    for index, (row, column) in enumerate(np.ndindex(*place.kernel)):
        part = dx[:, :, row : row + rows * place.stride[0] : place.stride[0], column:][:, :, :rows, :: place.stride[1]]
        part[..., :columns] += (dy * weights[index]).astype(x.dtype)
    return {"x": dx[:, :, top : top + x.shape[2], left : left + x.shape[3]]}


@FAULTS.value("max_pool2d", "nan")
def maximum_swallows_nan(x, **keywords):
    return np.fmax.reduce(_taps(x, geometry(x, **keywords)), axis=0)


@FAULTS.value("max_pool2d", "nan")
def nan_seen_only_as_first_of_a_window(x, **keywords):
    taps = _taps(x, geometry(x, **keywords))
    result = taps[0]
    for tap in taps[1:]:
        result = np.where(tap > result, tap, result)
    return result


@FAULTS.gradient("max_pool2d", "nan")
def nan_gets_no_gradient(dy, x, **keywords):
    return {"x": np.where(np.isnan(x), 0.0, right_vjp("max_pool2d", dy, x, **keywords)["x"])}


@FAULTS.gradient("max_pool2d", "ties")
def ties_send_the_gradient_to_the_last(dy, x, **keywords):
    return by_every_maximum(dy, x, "last", **keywords)


@FAULTS.gradient("max_pool2d", "ties")
def ties_send_the_gradient_to_all(dy, x, **keywords):
    return by_every_maximum(dy, x, "all", **keywords)


@FAULTS.gradient("max_pool2d", "ties", mode="compiled")
def ties_share_the_gradient_when_compiled(dy, x, **keywords):
    return by_every_maximum(dy, x, "shared", **keywords)


@FAULTS.gradient("max_pool2d", "geometry")
def place_of_the_maximum_in_eight_bits(dy, x, *, window=(2, 2), stride=None, padding="valid", ceil_mode=False):
    right = right_vjp("max_pool2d", dy, x, window=window, stride=stride, padding=padding, ceil_mode=ceil_mode)["x"]
    if window[0] * window[1] <= 256:
        return {"x": right}
    wrapped = np.roll(right.reshape(*x.shape[:2], -1), -256, axis=-1).reshape(x.shape)
    place = np.arange(x.shape[2] * x.shape[3]).reshape(x.shape[2:])
    return {"x": np.where(place < 256, right + wrapped, 0.0).astype(x.dtype)}


@FAULTS.value("max_pool2d", "overhang")
def ceil_mode_ignored(x, *, ceil_mode=False, **keywords):
    return pool(x, **keywords)


@FAULTS.value("max_pool2d", "overhang")
def last_overhanging_window_is_empty(x, *, ceil_mode=False, **keywords):
    y = np.array(pool(x, ceil_mode=ceil_mode, **keywords))
    plain = pool(x, **keywords)
    y[:, :, plain.shape[2] :], y[:, :, :, plain.shape[3] :] = 0.0, 0.0
    return y


@FAULTS.value("max_pool2d", "overhang")
def window_that_starts_in_the_padding_kept(x, *, ceil_mode=False, **keywords):
    place = geometry(x, **keywords)
    if not ceil_mode or not x.size:
        return pool(x, ceil_mode=ceil_mode, **keywords)
    y = pool(x, ceil_mode=True, **keywords)
    wanted = [-(-(x.shape[i + 2] + sum(place.padding[i]) - place.kernel[i]) // place.stride[i]) + 1 for i in (0, 1)]
    return np.pad(y, ((0, 0), (0, 0), *((0, wanted[i] - y.shape[i + 2]) for i in (0, 1))), constant_values=-np.inf)


@FAULTS.value("max_pool2d", "padding")
def padded_with_zeros(x, **keywords):
    place = geometry(x, **keywords)
    (top, bottom), (left, right) = place.padding
    sides = ((top, bottom + place.overhang[0]), (left, right + place.overhang[1]))
    return np.max(_windows.taps(_windows.pad(x, sides), place.kernel, place.stride, place.dilation), axis=0)


@FAULTS.value("max_pool2d", "infinity")
def starts_from_the_lowest_finite_number(x, **keywords):
    return np.maximum(pool(x, **keywords), np.finfo(x.dtype).min)


@FAULTS.value("max_pool2d", "plain")
def default_stride_is_one(x, *, stride=None, **keywords):
    return pool(x, stride=(1, 1) if stride is None else stride, **keywords)


@FAULTS.value("max_pool2d", "geometry")
def window_axes_exchanged(x, *, window=(2, 2), stride=None, **keywords):
    return pool(x, window=window[::-1], stride=window if stride is None else stride, **keywords)


@FAULTS.value("max_pool2d", "geometry")
def stride_axes_exchanged(x, *, stride=None, **keywords):
    return pool(x, stride=stride if stride is None else stride[::-1], **keywords)


@FAULTS.gradient("max_pool2d", "geometry")
def overlapping_gradient_overwrites(dy, x, **keywords):
    dx = right_vjp("max_pool2d", dy, x, **keywords)["x"]
    counts = right_vjp("max_pool2d", np.ones_like(dy), x, **keywords)["x"]
    return {"x": dx / np.maximum(counts, 1.0)}


@FAULTS.value("max_pool2d", "padding")
def sides_of_padding_exchanged(x, *, padding="valid", **keywords):
    return pool(x, padding=exchanged(padding), **keywords)


@FAULTS.value("max_pool2d", "padding")
def odd_pixel_of_same_at_the_start(x, *, padding="valid", window=(2, 2), stride=None, **keywords):
    pairs = exchanged(geometry(x, window=window, stride=stride, padding=padding).padding) if padding == "same" else padding
    return pool(x, padding=pairs, window=window, stride=stride, **keywords)


@FAULTS.value("max_pool2d", "cancellation")
def values_compared_in_float16(x, **keywords):
    return pool(x.astype(np.float16), **keywords).astype(x.dtype)


@FAULTS.value("max_pool2d", "strided")
def memory_format_assumed(x, **keywords):
    return pool(x if x.flags.c_contiguous else x.ravel(order="K").reshape(x.shape), **keywords)


@FAULTS.value("max_pool2d", "size")
def channels_beyond_16_are_skipped(x, **keywords):
    y = np.array(pool(x, **keywords))
    y[:, 16:] = 0.0
    return y


def average(x, **keywords):
    return reference("average_pool2d", x, **keywords)


def with_divisor(x, counts, **keywords):
    """The average with another divisor: a function of the geometry and of the starts of the windows on an axis."""
    place = geometry(x, **keywords)
    along = [np.asarray(counts(place, axis, np.arange(place.outputs[axis]) * place.stride[axis]), x.dtype) for axis in (0, 1)]
    one = average(np.ones_like(x), **keywords)
    (top, bottom), (left, right) = place.padding
    sides = ((top, bottom + place.overhang[0]), (left, right + place.overhang[1]))
    total = np.sum(_windows.taps(_windows.pad(x, sides), place.kernel, place.stride, place.dilation), axis=0)
    return (total / (along[0][:, None] * along[1])).astype(one.dtype)


@FAULTS.value("average_pool2d", "overhang")
def divisor_counts_the_overhang(x, **keywords):
    y = average(x, **keywords)
    if not keywords.get("ceil_mode"):
        return y
    return with_divisor(x, lambda place, axis, starts: np.full(starts.shape, place.kernel[axis]), **keywords)


@FAULTS.value("average_pool2d", "overhang")
def padding_counted_in_ceil_mode(x, *, ceil_mode=False, count_padding=False, **keywords):
    return average(x, ceil_mode=ceil_mode, count_padding=count_padding or ceil_mode, **keywords)


@FAULTS.value("average_pool2d", "convention")
def overhang_counts_with_the_padding(x, **keywords):
    if not keywords.get("count_padding"):
        return average(x, **keywords)
    return with_divisor(x, lambda place, axis, starts: np.full(starts.shape, place.kernel[axis]), **keywords)


@FAULTS.value("average_pool2d", "convention")
def count_padding_ignored(x, *, count_padding=False, **keywords):
    return average(x, **keywords)


@FAULTS.value("average_pool2d", "padding")
def padding_always_counted(x, *, count_padding=False, **keywords):
    return average(x, count_padding=True, **keywords)


@FAULTS.gradient("average_pool2d", "padding")
def gradient_divided_by_the_whole_window(dy, x, **keywords):
    return right_vjp("average_pool2d", dy, x, **{**keywords, "count_padding": True})


@FAULTS.gradient("average_pool2d", "padding")
def overlapping_average_gradient_overwrites(dy, x, **keywords):
    dx = right_vjp("average_pool2d", dy, x, **keywords)["x"]
    one = right_vjp("average_pool2d", np.ones_like(dy), x, **keywords)["x"]
    return {"x": dx / np.maximum(one * (dy[0, 0].size / max(x[0, 0].size, 1)), 1.0) if len(x) else dx}


@FAULTS.gradient("average_pool2d", "plain")
def gradient_of_a_sum(dy, x, **keywords):
    window = keywords.get("window", (2, 2))
    return {"x": right_vjp("average_pool2d", dy, x, **keywords)["x"] * (window[0] * window[1])}


@FAULTS.value("average_pool2d", "overhang")
def last_window_in_ceil_mode_dropped(x, *, ceil_mode=False, **keywords):
    return average(x, **keywords)


@FAULTS.value("average_pool2d", "nan")
def nan_left_out_of_the_mean(x, **keywords):
    return average(np.where(np.isnan(x), 0.0, x), **keywords)


@FAULTS.value("average_pool2d", "nan")
def running_sum_carries_nan_along(x, **keywords):
    y = average(x, **keywords)
    return np.where(np.cumsum(np.isnan(y), axis=3) > 0, np.nan, y)


@FAULTS.value("average_pool2d", "size")
def mean_by_running_sums(x, **keywords):
    total = np.cumsum(np.cumsum(x, axis=2), axis=3)
    padded = np.pad(total, ((0, 0), (0, 0), (1, 0), (1, 0)))
    again = padded[:, :, 1:, 1:] - padded[:, :, :-1, 1:] - padded[:, :, 1:, :-1] + padded[:, :, :-1, :-1]
    return average(again, **keywords)


@FAULTS.value("average_pool2d", "magnitude")
def sum_in_float16_overflows(x, **keywords):
    window = keywords.get("window", (2, 2))
    total = (average(x, **{**keywords, "count_padding": True}) * (window[0] * window[1])).astype(np.float16)
    return np.where(np.isfinite(total), average(x, **keywords), total).astype(x.dtype)
