"""Faults in convolution and its transpose: kernels, strides, padding, dilation, groups, gradients."""

import math

import numpy as np
from faulty import Faults, reference, right_vjp
from small_backend import to_dtype, working_dtype

FAULTS = Faults()


def explicit(x, weight, stride, padding, dilation):
    """The padding as pairs."""
    if padding == "valid":
        return ((0, 0), (0, 0))
    if padding != "same":
        return padding
    pairs = []
    for axis in (0, 1):
        size, reach = x.shape[axis + 2], dilation[axis] * (weight.shape[axis + 2] - 1) + 1
        total = max((-(-size // stride[axis]) - 1) * stride[axis] + reach - size, 0)
        pairs.append((total // 2, total - total // 2))
    return tuple(pairs)


def swapped(pair):
    return (pair[1], pair[0])


def conv(x, weight, bias=None, **keywords):
    return reference("conv2d", x, weight, bias, **keywords)


@FAULTS.value("conv2d", "plain")
def kernel_flipped(x, weight, bias=None, **keywords):
    return conv(x, weight[:, :, ::-1, ::-1], bias, **keywords)


@FAULTS.value("conv2d", "size")
def square_kernel_transposed(x, weight, bias=None, **keywords):
    square = weight.shape[2] == weight.shape[3]
    return conv(x, np.swapaxes(weight, 2, 3) if square else weight, bias, **keywords)


@FAULTS.value("conv2d", "geometry")
def stride_axes_exchanged(x, weight, bias=None, *, stride=(1, 1), **keywords):
    return conv(x, weight, bias, stride=swapped(stride), **keywords)


@FAULTS.value("conv2d", "geometry")
def dilation_axes_exchanged(x, weight, bias=None, *, dilation=(1, 1), **keywords):
    return conv(x, weight, bias, dilation=swapped(dilation), **keywords)


@FAULTS.value("conv2d", "unit")
def first_stride_for_both_axes_of_flat_images(x, weight, bias=None, *, stride=(1, 1), **keywords):
    return conv(x, weight, bias, stride=(stride[0],) * 2 if x.shape[2] == 1 else stride, **keywords)


@FAULTS.value("conv2d", "geometry")
def kernel_of_one_pixel_ignores_the_stride(x, weight, bias=None, *, stride=(1, 1), **keywords):
    y = conv(x, weight, bias, stride=stride, **keywords)
    if stride == (1, 1) or weight.shape[3] != 1:
        return y
    return conv(x, weight, bias, stride=(stride[0], 1), **keywords)[..., : y.shape[3]]


@FAULTS.value("conv2d", "geometry")
def groups_interleaved(x, weight, bias=None, *, groups=1, **keywords):
    channels = np.arange(x.shape[1]).reshape(-1, groups).T.ravel()
    return conv(x[:, channels], weight, bias, groups=groups, **keywords)


@FAULTS.value("conv2d", "geometry")
def depthwise_multiplier_order(x, weight, bias=None, *, groups=1, **keywords):
    y = conv(x, weight, bias, groups=groups, **keywords)
    if groups == 1 or weight.shape[1] != 1 or weight.shape[0] == groups:
        return y
    return y[:, np.arange(y.shape[1]).reshape(groups, -1).T.ravel()]


@FAULTS.gradient("conv2d", "geometry")
def weight_gradient_without_dilation(dy, x, weight, bias=None, *, dilation=(1, 1), **keywords):
    right = right_vjp("conv2d", dy, x, weight, bias, dilation=dilation, **keywords)
    if dilation != (1, 1) and not keywords.get("groups", 1) > 1 and keywords.get("padding", "valid") == "valid":
        stride = keywords.get("stride", (1, 1))
        shape = [(dy.shape[i + 2] - 1) * stride[i] + weight.shape[i + 2] for i in (0, 1)]
        part = x[:, :, : shape[0], : shape[1]]
        right["weight"] = right_vjp("conv2d", dy, part, weight, bias, **keywords)["weight"]
    return right


@FAULTS.gradient("conv2d", "geometry")
def weight_gradient_of_the_first_column_where_dilation_exceeds_the_stride(
    dy, x, weight, bias=None, *, stride=(1, 1), dilation=(1, 1), **keywords
):
    right = right_vjp("conv2d", dy, x, weight, bias, stride=stride, dilation=dilation, **keywords)
    if dilation[1] > stride[1] > 1:
        right["weight"][..., 1:] = 0.0
    return right


@FAULTS.gradient("conv2d", "geometry")
def weight_gradient_of_groups_exchanged(dy, x, weight, bias=None, *, groups=1, **keywords):
    right = right_vjp("conv2d", dy, x, weight, bias, groups=groups, **keywords)
    parts = np.split(right["weight"], groups)
    return {**right, "weight": np.concatenate(parts[::-1])}


@FAULTS.gradient("conv2d", "geometry")
def input_gradient_stops_at_the_last_window(dy, x, weight, bias=None, **keywords):
    right = right_vjp("conv2d", dy, x, weight, bias, **keywords)
    stride, dx = keywords.get("stride", (1, 1)), np.array(right["x"])
    dx[:, :, dy.shape[2] * stride[0] :] = 0.0
    return {**right, "x": dx}


@FAULTS.gradient("conv2d", "plain")
def input_gradient_with_the_kernel_flipped(dy, x, weight, bias=None, **keywords):
    right = right_vjp("conv2d", dy, x, weight, bias, **keywords)
    return {**right, "x": right_vjp("conv2d", dy, x, weight[:, :, ::-1, ::-1], bias, **keywords)["x"]}


@FAULTS.gradient("conv2d", "plain")
def bias_gradient_of_the_first_image(dy, x, weight, bias=None, **keywords):
    right = right_vjp("conv2d", dy, x, weight, bias, **keywords)
    return {**right, "bias": None if bias is None else np.sum(dy[:1], axis=(0, 2, 3))}


@FAULTS.gradient("conv2d", "geometry")
def bias_gradient_of_the_first_image_with_groups(dy, x, weight, bias=None, *, groups=1, **keywords):
    right = right_vjp("conv2d", dy, x, weight, bias, groups=groups, **keywords)
    return {**right, "bias": np.sum(dy[:1], axis=(0, 2, 3))} if groups > 1 and bias is not None else right


@FAULTS.gradient("conv2d", "padding")
def input_gradient_cropped_symmetrically(
    dy, x, weight, bias=None, *, padding="valid", stride=(1, 1), dilation=(1, 1), **keywords
):
    pairs = explicit(x, weight, stride, padding, dilation)
    keywords |= {"stride": stride, "dilation": dilation}
    right = right_vjp("conv2d", dy, x, weight, bias, padding=padding, **keywords)
    shift = [sum(pair) // 2 - pair[0] for pair in pairs]
    return {**right, "x": np.roll(right["x"], [-s for s in shift], axis=(2, 3))}


@FAULTS.value("conv2d", "padding")
def padding_axes_exchanged(x, weight, bias=None, *, padding="valid", **keywords):
    return conv(x, weight, bias, padding=padding if isinstance(padding, str) else swapped(padding), **keywords)


@FAULTS.value("conv2d", "padding")
def padding_sides_exchanged(x, weight, bias=None, *, padding="valid", **keywords):
    pairs = padding if isinstance(padding, str) else tuple(swapped(pair) for pair in padding)
    return conv(x, weight, bias, padding=pairs, **keywords)


@FAULTS.value("conv2d", "padding")
def first_padding_of_each_axis_on_both_sides(x, weight, bias=None, *, padding="valid", **keywords):
    pairs = padding if isinstance(padding, str) else tuple((pair[0], pair[0]) for pair in padding)
    return conv(x, weight, bias, padding=pairs, **keywords)


@FAULTS.value("conv2d", "padding")
def odd_pixel_of_same_padding_at_the_start(x, weight, bias=None, *, stride=(1, 1), padding="valid", dilation=(1, 1), groups=1):
    pairs = explicit(x, weight, stride, padding, dilation)
    pairs = tuple(swapped(pair) for pair in pairs) if padding == "same" else pairs
    return conv(x, weight, bias, stride=stride, padding=pairs, dilation=dilation, groups=groups)


@FAULTS.value("conv2d", "padding")
def odd_pixel_of_same_padding_at_the_start_beside_a_stride(
    x, weight, bias=None, *, stride=(1, 1), padding="valid", dilation=(1, 1), groups=1
):
    pairs = explicit(x, weight, stride, padding, dilation)
    if padding == "same":
        pairs = tuple(swapped(pair) if step > 1 else pair for pair, step in zip(pairs, stride, strict=True))
    return conv(x, weight, bias, stride=stride, padding=pairs, dilation=dilation, groups=groups)


@FAULTS.value("conv2d", "padding")
def same_padding_of_half_a_kernel(x, weight, bias=None, *, stride=(1, 1), padding="valid", dilation=(1, 1), groups=1):
    if padding == "same":
        halves = [dilation[axis] * (weight.shape[axis + 2] - 1) // 2 for axis in (0, 1)]
        padding = tuple((half, half) for half in halves)
    return conv(x, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)


@FAULTS.value("conv2d", "padding")
def same_padding_as_if_stride_were_one(x, weight, bias=None, *, stride=(1, 1), padding="valid", dilation=(1, 1), groups=1):
    pairs = explicit(x, weight, (1, 1), padding, dilation)
    return conv(x, weight, bias, stride=stride, padding=pairs, dilation=dilation, groups=groups)


@FAULTS.value("conv2d", "padding")
def same_padding_as_if_dilation_were_one(x, weight, bias=None, *, stride=(1, 1), padding="valid", dilation=(1, 1), groups=1):
    if padding == "same" and dilation != (1, 1):
        right, small = explicit(x, weight, stride, padding, dilation), explicit(x, weight, stride, padding, (1, 1))
        total = [sum(pair) for pair in right]
        padding = tuple((pair[0], whole - pair[0]) for pair, whole in zip(small, total, strict=True))
    return conv(x, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)


@FAULTS.value("conv2d", "padding")
def padding_repeats_the_edge(x, weight, bias=None, *, stride=(1, 1), padding="valid", dilation=(1, 1), groups=1):
    pairs = explicit(x, weight, stride, padding, dilation)
    mode = "edge" if x.size else "constant"
    padded = np.pad(x, ((0, 0), (0, 0), *pairs), mode=mode)
    return conv(padded, weight, bias, stride=stride, dilation=dilation, groups=groups)


@FAULTS.value("conv2d", "padding")
def padding_limited_to_the_kernel(x, weight, bias=None, *, padding="valid", **keywords):
    if not isinstance(padding, str):
        y = conv(x, weight, bias, padding=padding, **keywords)
        return np.where(np.abs(y - (0.0 if bias is None else bias[:, None, None])) == 0.0, 0.0, y)
    return conv(x, weight, bias, padding=padding, **keywords)


@FAULTS.value("conv2d", "unit")
def every_image_is_the_first(x, weight, bias=None, **keywords):
    return conv(np.broadcast_to(x[:1], x.shape) if len(x) else x, weight, bias, **keywords)


@FAULTS.value("conv2d", "nan")
def fourier_transform_spreads_nan(x, weight, bias=None, **keywords):
    y = np.array(conv(x, weight, bias, **keywords))
    y[np.isnan(x).any(axis=(1, 2, 3))] = np.nan
    return y


@FAULTS.value("conv2d", "magnitude")
def fourier_transform_loses_four_digits(x, weight, bias=None, **keywords):
    y = conv(x, weight, bias, **keywords)
    scale = np.max(np.abs(np.where(np.isfinite(x), x, 0.0)), initial=0.0) * 2.0**-13
    return np.where(np.isfinite(y), np.rint(y / scale) * scale, y) if scale else y


@FAULTS.value("conv2d", "size")
def winograd_for_three_by_three(x, weight, bias=None, **keywords):
    y = conv(x, weight, bias, **keywords)
    return y * (1.0 + 2e-5) if weight.shape[2:] == (3, 3) else y


@FAULTS.value("conv2d", "bfloat16")
def channels_added_up_in_16_bits(x, weight, bias=None, *, groups=1, **keywords):
    if groups > 1:
        return conv(x, weight, bias, groups=groups, **keywords)
    total = conv(x[:, :1], weight[:, :1], **keywords)
    for c in range(1, x.shape[1]):
        total = to_dtype(total + conv(x[:, c : c + 1], weight[:, c : c + 1], **keywords), working_dtype()).astype(x.dtype)
    return total if bias is None else total + bias[:, None, None]


@FAULTS.value("conv2d", "optional")
def missing_bias_is_one(x, weight, bias=None, **keywords):
    return conv(x, weight, np.ones_like(weight[:, 0, 0, 0]) if bias is None else bias, **keywords)


@FAULTS.value("conv2d", "empty")
def empty_batch_raises(x, weight, bias=None, **keywords):
    return conv(x, weight, bias, **keywords) + 0.0 * x[0, 0, 0, 0]


@FAULTS.value("conv2d", "compiled", mode="compiled")
def dilation_lost_when_compiled(x, weight, bias=None, *, dilation=(1, 1), **keywords):
    right = conv(x, weight, bias, dilation=dilation, **keywords)
    return conv(x, weight, bias, **keywords)[:, :, : right.shape[2], : right.shape[3]]


def transpose(x, weight, bias=None, **keywords):
    return reference("conv2d_transpose", x, weight, bias, **keywords)


@FAULTS.value("conv2d_transpose", "plain")
def kernel_of_the_transpose_flipped(x, weight, bias=None, **keywords):
    return transpose(x, weight[:, :, ::-1, ::-1], bias, **keywords)


@FAULTS.value("conv2d_transpose", "padding")
def output_padding_at_the_start(x, weight, bias=None, *, output_padding=(0, 0), **keywords):
    y = transpose(x, weight, bias, output_padding=output_padding, **keywords)
    return np.roll(y, output_padding, axis=(2, 3))


@FAULTS.value("conv2d_transpose", "padding")
def output_padding_is_never_painted(x, weight, bias=None, *, output_padding=(0, 0), **keywords):
    y = np.array(transpose(x, weight, bias, output_padding=output_padding, **keywords))
    blank = np.zeros_like(y[:, :, :1, :1]) if bias is None else np.zeros_like(y[:, :, :1, :1]) + bias[:, None, None]
    y[:, :, y.shape[2] - output_padding[0] :] = blank
    y[:, :, :, y.shape[3] - output_padding[1] :] = blank
    return y


@FAULTS.value("conv2d_transpose", "padding")
def rows_of_output_padding_have_no_bias(x, weight, bias=None, *, output_padding=(0, 0), **keywords):
    y = np.array(reference("conv2d_transpose", x, weight, bias, output_padding=output_padding, **keywords))
    if bias is not None and output_padding[0]:
        y[:, :, -output_padding[0] :] -= bias[:, None, None]
    return y


@FAULTS.value("conv2d_transpose", "padding")
def output_padding_axes_exchanged(x, weight, bias=None, *, output_padding=(0, 0), **keywords):
    return transpose(x, weight, bias, output_padding=swapped(output_padding), **keywords)


@FAULTS.value("conv2d_transpose", "padding")
def odd_pixel_of_same_cropped_at_the_start(x, weight, bias=None, *, stride=(1, 1), padding="valid", dilation=(1, 1), **keywords):
    if padding == "same":
        totals = [dilation[axis] * (weight.shape[axis + 2] - 1) + 1 - stride[axis] for axis in (0, 1)]
        if min(totals) >= 0:
            padding = tuple((total - total // 2, total // 2) for total in totals)
    return transpose(x, weight, bias, stride=stride, padding=padding, dilation=dilation, **keywords)


@FAULTS.value("conv2d_transpose", "padding")
def cropped_sides_exchanged(x, weight, bias=None, *, padding="valid", **keywords):
    pairs = padding if isinstance(padding, str) else tuple(swapped(pair) for pair in padding)
    return transpose(x, weight, bias, padding=pairs, **keywords)


@FAULTS.value("conv2d_transpose", "geometry")
def unpainted_pixels_have_no_bias(x, weight, bias=None, **keywords):
    y = transpose(x, weight, bias, **keywords)
    painted = transpose(np.ones_like(x), np.ones_like(weight), **keywords)
    return np.where(painted == 0.0, 0.0, y)


@FAULTS.value("conv2d_transpose", "geometry")
def groups_of_the_transpose_interleaved(x, weight, bias=None, *, groups=1, **keywords):
    y = transpose(x, weight, None, groups=groups, **keywords)
    y = y[:, np.arange(y.shape[1]).reshape(groups, -1).T.ravel()]
    return y if bias is None else y + bias[:, None, None]


@FAULTS.value("conv2d_transpose", "geometry")
def dilation_axes_of_the_transpose_exchanged(x, weight, bias=None, *, dilation=(1, 1), **keywords):
    return transpose(x, weight, bias, dilation=swapped(dilation), **keywords)


@FAULTS.value("conv2d_transpose", "geometry")
def overlapping_paint_overwrites(x, weight, bias=None, **keywords):
    y = transpose(x, weight, bias, **keywords)
    painted = transpose(np.ones_like(x[:, :1]), np.ones_like(weight[:1, :1]), **{**keywords, "groups": 1})
    return y / np.maximum(painted, 1.0)


@FAULTS.gradient("conv2d_transpose", "plain")
def weight_gradient_flipped(dy, x, weight, bias=None, **keywords):
    right = right_vjp("conv2d_transpose", dy, x, weight, bias, **keywords)
    return {**right, "weight": right["weight"][:, :, ::-1, ::-1]}


@FAULTS.gradient("conv2d_transpose", "geometry")
def gradient_forgets_the_stride(dy, x, weight, bias=None, *, stride=(1, 1), **keywords):
    right = right_vjp("conv2d_transpose", dy, x, weight, bias, stride=stride, **keywords)
    if stride == (1, 1) or x.size == 0:
        return right
    return {**right, "x": np.roll(right["x"], 1, axis=3) if right["x"].shape[3] > 1 else right["x"] * 2.0}


@FAULTS.gradient("conv2d_transpose", "padding")
def bias_gradient_without_output_padding(dy, x, weight, bias=None, *, output_padding=(0, 0), **keywords):
    right = right_vjp("conv2d_transpose", dy, x, weight, bias, output_padding=output_padding, **keywords)
    rows, columns = (dy.shape[axis + 2] - output_padding[axis] for axis in (0, 1))
    return {**right, "bias": None if bias is None else np.sum(dy[:, :, :rows, :columns], axis=(0, 2, 3))}


@FAULTS.gradient("conv2d_transpose", "size")
def gradient_averaged_over_the_batch(dy, x, weight, bias=None, **keywords):
    right = right_vjp("conv2d_transpose", dy, x, weight, bias, **keywords)
    return {**right, "weight": right["weight"] / max(math.prod(x.shape[:1]), 1)}
