"""Faults that no check notices: the suite's known limits, each with the reason and what would notice it."""

import numpy as np
from faulty import Faults, reference, right_vjp
from small_backend import SmallBackend, Value, to_dtype, working_dtype

FAULTS = Faults()


@FAULTS.framework(
    "average_pool2d",
    "bfloat16",
    missing="an error bar is one typical rounding, and truncation is off by at most two; only a test of bias would tell",
)
class Bfloat16TruncatedNotRounded(SmallBackend):
    def wrap(self, result, dtype):
        if dtype != "bfloat16" or isinstance(result, Value):
            return super().wrap(result, dtype)
        bits = np.asarray(result, np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
        return Value(bits.view(np.float32), dtype, "cpu", self)


@FAULTS.value(
    "layer_norm",
    "strided",
    missing="no input is a view of fewer numbers, with strides of 0, as broadcasting makes it; one that is would tell",
)
def broadcast_views_read_past_their_end(x, scale=None, offset=None, **keywords):
    return reference("layer_norm", x * 0.0 if 0 in x.strides and x.size else x, scale, offset, **keywords)


@FAULTS.gradient(
    "layer_norm",
    "bfloat16",
    missing="no sample adds up more than 64 rows, whose rounding errors are within the bars; thousands of rows would tell",
)
def scale_gradient_added_up_in_16_bits(dy, x, scale=None, offset=None, *, axes=(-1,), epsilon=1e-5):
    right = right_vjp("layer_norm", dy, x, scale, offset, axes=axes, epsilon=epsilon)
    if working_dtype() not in ("float16", "bfloat16") or scale is None or not x.size:
        return right
    total = np.zeros_like(scale)
    for row in (dy * reference("layer_norm", x, None, None, axes=axes, epsilon=epsilon)).reshape(-1, *scale.shape):
        total = to_dtype(total + row, working_dtype()).astype(scale.dtype)
    return {**right, "scale": total}


@FAULTS.gradient("leaky_relu", "plain", missing="no sample has a slope below 0; one that has would tell")
def gradient_by_the_sign_of_the_result(dy, x, negative_slope=0.2):
    y = reference("leaky_relu", x, negative_slope=negative_slope)
    return right_vjp("leaky_relu", dy, x if negative_slope >= 0 else y, negative_slope=negative_slope)


@FAULTS.gradient(
    "conv2d",
    "geometry",
    missing="no sample has a kernel of 1 with a stride and no padding; one would tell, as the extended residual block does",
)
def weight_gradient_of_kernels_of_one_without_the_stride(dy, x, weight, bias=None, *, padding="valid", **keywords):
    right = right_vjp("conv2d", dy, x, weight, bias, padding=padding, **keywords)
    if weight.shape[2:] != (1, 1) or padding != "valid" or keywords.get("stride", (1, 1)) == (1, 1):
        return right
    corner = x[:, :, : dy.shape[2], : dy.shape[3]]
    groups = keywords.get("groups", 1)
    return {**right, "weight": right_vjp("conv2d", dy, corner, weight, bias, groups=groups)["weight"]}


@FAULTS.gradient("matmul", "rank", missing="no sample has two leading axes beside a single matrix; one that has would tell")
def gradient_of_a_matrix_beside_two_leading_axes_of_the_first(dy, a, b):
    if a.ndim != 4 or b.ndim != 2 or not a.shape[0]:
        return right_vjp("matmul", dy, a, b)
    return {**right_vjp("matmul", dy, a, b), "b": right_vjp("matmul", dy[0], a[0], b)["b"]}
