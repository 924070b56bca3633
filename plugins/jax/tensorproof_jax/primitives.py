"""Functions of one number and of two, choices and comparisons (profile ``extended``)."""

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import jax, jnp
from tensorproof_jax.table import operations
from tensorproof_reference.rounding import INTEGERS

# Functions of their own, and no table of the framework's: ``--dump`` writes the source of each into its script.


@operations.native
def negative(x: Native) -> Native:
    """``jnp.negative``."""
    return jnp.negative(x)


@operations.native
def abs(x: Native) -> Native:
    """``jnp.abs``."""
    return jnp.abs(x)


@operations.native
def sign(x: Native) -> Native:
    """``jnp.sign``."""
    return jnp.sign(x)


@operations.native
def exp(x: Native) -> Native:
    """``jnp.exp``."""
    return jnp.exp(x)


@operations.native
def log(x: Native) -> Native:
    """``jnp.log``."""
    return jnp.log(x)


@operations.native
def log1p(x: Native) -> Native:
    """``jnp.log1p``."""
    return jnp.log1p(x)


@operations.native
def expm1(x: Native) -> Native:
    """``jnp.expm1``."""
    return jnp.expm1(x)


@operations.native
def sqrt(x: Native) -> Native:
    """``jnp.sqrt``."""
    return jnp.sqrt(x)


@operations.native
def rsqrt(x: Native) -> Native:
    """``jax.lax.rsqrt``."""
    return jax.lax.rsqrt(x)


@operations.native
def square(x: Native) -> Native:
    """``jnp.square``."""
    return jnp.square(x)


@operations.native
def reciprocal(x: Native) -> Native:
    """``jnp.reciprocal``."""
    return jnp.reciprocal(x)


@operations.native
def sin(x: Native) -> Native:
    """``jnp.sin``."""
    return jnp.sin(x)


@operations.native
def cos(x: Native) -> Native:
    """``jnp.cos``."""
    return jnp.cos(x)


@operations.native
def erf(x: Native) -> Native:
    """``jax.scipy.special.erf``."""
    return jax.scipy.special.erf(x)


@operations.native
def floor(x: Native) -> Native:
    """``jnp.floor``."""
    return jnp.floor(x)


@operations.native
def round(x: Native) -> Native:
    """``jnp.round``."""
    return jnp.round(x)


@operations.native
def add(a: Native, b: Native) -> Native:
    """``jnp.add``."""
    return jnp.add(a, b)


@operations.native
def subtract(a: Native, b: Native) -> Native:
    """``jnp.subtract``."""
    return jnp.subtract(a, b)


@operations.native
def multiply(a: Native, b: Native) -> Native:
    """``jnp.multiply``."""
    return jnp.multiply(a, b)


@operations.native
def divide(a: Native, b: Native) -> Native:
    """``jnp.divide``."""
    return jnp.divide(a, b)


@operations.native
def power(a: Native, b: Native) -> Native:
    """``jnp.power``."""
    return jnp.power(a, b)


@operations.native
def maximum(a: Native, b: Native, *, ties: str = "halves") -> Native:
    """``jnp.maximum``, which halves the gradient of ties."""
    return jnp.maximum(a, b)


@operations.native
def minimum(a: Native, b: Native, *, ties: str = "halves") -> Native:
    """``jnp.minimum``, which halves the gradient of ties."""
    return jnp.minimum(a, b)


@operations.native
def where(condition: Native, a: Native, b: Native) -> Native:
    """``jnp.where``."""
    return jnp.where(condition, a, b)


@operations.native
def equal(a: Native, b: Native) -> Native:
    """``jnp.equal``."""
    return jnp.equal(a, b)


@operations.native
def not_equal(a: Native, b: Native) -> Native:
    """``jnp.not_equal``."""
    return jnp.not_equal(a, b)


@operations.native
def less(a: Native, b: Native) -> Native:
    """``jnp.less``."""
    return jnp.less(a, b)


@operations.native
def less_equal(a: Native, b: Native) -> Native:
    """``jnp.less_equal``."""
    return jnp.less_equal(a, b)


@operations.native
def greater(a: Native, b: Native) -> Native:
    """``jnp.greater``."""
    return jnp.greater(a, b)


@operations.native
def greater_equal(a: Native, b: Native) -> Native:
    """``jnp.greater_equal``."""
    return jnp.greater_equal(a, b)


@operations.native
def cast(x: Native, *, dtype: str = "float16", saturate: bool = False, overflow: str = "saturates") -> Native:
    """``jax.Array.astype``."""
    if dtype == "float8_e4m3fn" and saturate:
        raise Unsupported("JAX casts what is beyond the range of float8_e4m3fn to NaN")
    if dtype in INTEGERS and overflow == "wraps":
        raise Unsupported("JAX casts what is beyond the range of an integer to its nearest end")
    return x.astype(dtype)


@operations.native
def cast_through(x: Native, *, dtype: str = "float16", saturate: bool = False) -> Native:
    """``jax.Array.astype``, there and back."""
    if dtype == "float8_e4m3fn" and saturate:
        raise Unsupported("JAX casts what is beyond the range of float8_e4m3fn to NaN")
    return x.astype(dtype).astype(x.dtype)


operations.unsupported("fake_quantize", "neither JAX nor Flax has fake quantization")


@operations.native
def clip(x: Native, *, low: float | None = -0.5, high: float | None = 2.0) -> Native:
    """``jax.numpy.clip``."""
    return jnp.clip(x, low, high)
