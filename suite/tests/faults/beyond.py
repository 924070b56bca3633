"""Faults that no check notices: the suite's known limits, each with the reason and what would notice it."""

import numpy as np
from faulty import Faults, reference
from small_backend import SmallBackend, Value

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
