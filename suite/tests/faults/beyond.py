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
