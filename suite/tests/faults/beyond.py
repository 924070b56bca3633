"""Faults that no check notices: the suite's known limits, each with the reason and what would notice it."""

import numpy as np
from faulty import Faults, SmallBackend, Value, reference

from tensorproof_reference.stream import Stream

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


@FAULTS.framework(
    "tanh",
    "compiled",
    missing="a compiled function is only ever called with the same values; a second call with others would tell",
)
class ResultsOfTheFirstCallKept(SmallBackend):
    def value_and_vjp(self, function, mode):
        run, kept = super().value_and_vjp(function, mode), {}

        def again(primals, constants, cotangents):
            if mode == "eager":
                return run(primals, constants, cotangents)
            if not kept:
                kept["results"] = run(primals, constants, cotangents)
            return kept["results"]

        return again


@FAULTS.framework(
    "softmax",
    "compiled",
    missing="where there is a gradient, only the value beside it is judged when compiled; running the value alone would tell",
)
class ValueWithoutGradientWrongWhenCompiled(SmallBackend):
    def forward(self, function, mode):
        run = super().forward(function, mode)

        def wrong(primals, constants):
            outputs, others = run(primals, constants)
            return (outputs if mode == "eager" else tuple(output * 2.0 for output in outputs)), others

        return wrong


@FAULTS.framework(
    "matmul",
    "strided",
    missing="sliced inputs begin where their memory begins; beginning at the second element would tell",
)
class OffsetOfAViewIgnored(SmallBackend):
    def from_numpy(self, array, dtype, device):
        if array.base is not None and array.base.flags.c_contiguous:
            array = np.lib.stride_tricks.as_strided(array.base.reshape(-1), array.shape, array.strides).copy()
        return super().from_numpy(array, dtype, device)


@FAULTS.framework(
    "matmul",
    "strided",
    missing="cotangents are always contiguous; giving them the sample's layout in memory would tell",
)
class StridesOfTheCotangentIgnored(SmallBackend):
    def value_and_vjp(self, function, mode):
        run = super().value_and_vjp(function, mode)

        def straight(primals, constants, cotangents):
            read = [Value(c.array.ravel(order="K").reshape(c.array.shape), c.dtype, "cpu", self) for c in cotangents]
            return run(primals, constants, read)

        return straight


def straight(array):
    """The numbers in the order in which they lie in memory."""
    return array.ravel(order="K").reshape(array.shape)


@FAULTS.value(
    "matmul",
    "strided",
    missing="all inputs of a sample lie alike in memory; one that is transposed beside one that is not would tell",
)
def transposition_ignored_beside_a_contiguous_operand(a, b):
    mixed = a.flags.c_contiguous != b.flags.c_contiguous
    return reference("matmul", *((straight(a), straight(b)) if mixed else (a, b)))


@FAULTS.value(
    "layer_norm",
    "strided",
    missing="no input is a view of fewer numbers, with strides of 0, as broadcasting makes it; one that is would tell",
)
def broadcast_views_read_past_their_end(x, scale=None, offset=None, **keywords):
    return reference("layer_norm", x * 0.0 if 0 in x.strides and x.size else x, scale, offset, **keywords)


@FAULTS.value(
    "sigmoid",
    "size",
    missing="no input has the 32,768 elements from which PyTorch shares out work among threads; a larger size would tell",
)
def elements_of_the_second_thread_left_zero(x):
    y = np.array(reference("sigmoid", x))
    y.reshape(-1)[32768:] = 0.0
    return y


def repeating(period):
    """A dropout whose mask repeats, and its gradient."""

    def apply(x, rate, training, seed):
        if not training or rate in (0.0, 1.0):
            return reference("dropout", x, rate=rate, training=training, seed=seed)
        kept = np.resize(Stream(seed)("another").uniform((period,)) >= rate, x.shape)
        return np.where(kept, x / (1.0 - rate), 0.0).astype(x.dtype)

    def value(x, *, rate=0.5, training=True, seed=0):
        return apply(x, rate, training, seed)

    def gradient(dy, x, *, rate=0.5, training=True, seed=0):
        return {"x": apply(dy, rate, training, seed)}

    return value, gradient


value, gradient = repeating(2**15)
value.__name__ = "mask_repeats_after_32768_elements"
FAULTS.value(
    "dropout",
    "statistics",
    vjp=gradient,
    missing="masks are correlated with themselves one element and one row on only; the correlation at every lag would tell",
)(value)
