"""Functions of one number and of two, choices and comparisons (profile ``extended``)."""

from tensorproof.backend import Native, Unsupported
from tensorproof_reference.rounding import INTEGERS
from tensorproof_tensorflow.framework import tf
from tensorproof_tensorflow.table import operations

# Functions of their own, and no table of the framework's: ``--dump`` writes the source of each into its script.


@operations.native
def negative(x: Native) -> Native:
    """``tf.math.negative``."""
    return tf.math.negative(x)


@operations.native
def abs(x: Native) -> Native:
    """``tf.math.abs``."""
    return tf.math.abs(x)


@operations.native
def sign(x: Native) -> Native:
    """``tf.math.sign``."""
    return tf.math.sign(x)


@operations.native
def exp(x: Native) -> Native:
    """``tf.math.exp``."""
    return tf.math.exp(x)


@operations.native
def log(x: Native) -> Native:
    """``tf.math.log``."""
    return tf.math.log(x)


@operations.native
def log1p(x: Native) -> Native:
    """``tf.math.log1p``."""
    return tf.math.log1p(x)


@operations.native
def expm1(x: Native) -> Native:
    """``tf.math.expm1``."""
    return tf.math.expm1(x)


@operations.native
def sqrt(x: Native) -> Native:
    """``tf.math.sqrt``."""
    return tf.math.sqrt(x)


@operations.native
def rsqrt(x: Native) -> Native:
    """``tf.math.rsqrt``."""
    return tf.math.rsqrt(x)


@operations.native
def square(x: Native) -> Native:
    """``tf.math.square``."""
    return tf.math.square(x)


@operations.native
def reciprocal(x: Native) -> Native:
    """``tf.math.reciprocal``."""
    return tf.math.reciprocal(x)


@operations.native
def sin(x: Native) -> Native:
    """``tf.math.sin``."""
    return tf.math.sin(x)


@operations.native
def cos(x: Native) -> Native:
    """``tf.math.cos``."""
    return tf.math.cos(x)


@operations.native
def erf(x: Native) -> Native:
    """``tf.math.erf``."""
    return tf.math.erf(x)


@operations.native
def floor(x: Native) -> Native:
    """``tf.math.floor``."""
    return tf.math.floor(x)


@operations.native
def round(x: Native) -> Native:
    """``tf.math.round``."""
    return tf.math.round(x)


@operations.native
def add(a: Native, b: Native) -> Native:
    """``tf.math.add``."""
    return tf.math.add(a, b)


@operations.native
def subtract(a: Native, b: Native) -> Native:
    """``tf.math.subtract``."""
    return tf.math.subtract(a, b)


@operations.native
def multiply(a: Native, b: Native) -> Native:
    """``tf.math.multiply``."""
    return tf.math.multiply(a, b)


@operations.native
def divide(a: Native, b: Native) -> Native:
    """``tf.math.divide``."""
    return tf.math.divide(a, b)


@operations.native
def power(a: Native, b: Native) -> Native:
    """``tf.math.pow``."""
    return tf.math.pow(a, b)


@operations.native
def maximum(a: Native, b: Native, *, ties: str = "halves") -> Native:
    """``tf.math.maximum``, which gives the first of ties all of the gradient."""
    return tf.math.maximum(a, b)


@operations.native
def minimum(a: Native, b: Native, *, ties: str = "halves") -> Native:
    """``tf.math.minimum``, which gives the first of ties all of the gradient."""
    return tf.math.minimum(a, b)


@operations.native
def where(condition: Native, a: Native, b: Native) -> Native:
    """``tf.where``."""
    return tf.where(condition, a, b)


@operations.native
def equal(a: Native, b: Native) -> Native:
    """``tf.math.equal``."""
    return tf.math.equal(a, b)


@operations.native
def not_equal(a: Native, b: Native) -> Native:
    """``tf.math.not_equal``."""
    return tf.math.not_equal(a, b)


@operations.native
def less(a: Native, b: Native) -> Native:
    """``tf.math.less``."""
    return tf.math.less(a, b)


@operations.native
def less_equal(a: Native, b: Native) -> Native:
    """``tf.math.less_equal``."""
    return tf.math.less_equal(a, b)


@operations.native
def greater(a: Native, b: Native) -> Native:
    """``tf.math.greater``."""
    return tf.math.greater(a, b)


@operations.native
def greater_equal(a: Native, b: Native) -> Native:
    """``tf.math.greater_equal``."""
    return tf.math.greater_equal(a, b)


@operations.native
def cast(x: Native, *, dtype: str = "float16", saturate: bool = False, overflow: str = "saturates") -> Native:
    """``tf.cast``."""
    if dtype == "float8_e4m3fn" and saturate:
        raise Unsupported("tf.cast makes what is beyond the range of float8_e4m3fn NaN")
    if dtype in INTEGERS and overflow == "wraps":
        raise Unsupported("tf.cast makes what is beyond the range of an integer its nearest end")
    return tf.cast(x, dtype)


@operations.native
def cast_through(x: Native, *, dtype: str = "float16", saturate: bool = False) -> Native:
    """``tf.cast``, there and back."""
    if dtype == "float8_e4m3fn" and saturate:
        raise Unsupported("tf.cast makes what is beyond the range of float8_e4m3fn NaN")
    return tf.cast(tf.cast(x, dtype), x.dtype)


@operations.native
def fake_quantize(x: Native, *, scale: float = 0.125, zero_point: int = 0, lowest: int = -128, highest: int = 127) -> Native:
    """``tf.quantization.fake_quant_with_min_max_args``, which takes the ends of the range and the number of bits."""
    if x.dtype != tf.float32:
        raise Unsupported("tf.quantization.fake_quant_with_min_max_args takes float32 only")
    steps = highest - lowest + 1
    bits = steps.bit_length() if steps % 2 else steps.bit_length() - 1
    ends = ((lowest - zero_point) * scale, (highest - zero_point) * scale)
    return tf.quantization.fake_quant_with_min_max_args(x, *ends, num_bits=bits, narrow_range=steps % 2 == 1)


@operations.native
def clip(x: Native, *, low: float | None = -0.5, high: float | None = 2.0) -> Native:
    """``tf.clip_by_value``."""
    if low is None or high is None:
        raise Unsupported("tf.clip_by_value takes both limits")
    return tf.clip_by_value(x, low, high)
