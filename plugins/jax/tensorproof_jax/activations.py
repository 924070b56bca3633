"""Activations beyond those of the texts (profile ``extended``)."""

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import jax, jnp
from tensorproof_jax.table import operations


@operations.native
def elu(x: Native, *, alpha: float = 1.0) -> Native:
    """``jax.nn.elu``."""
    return jax.nn.elu(x, alpha)


@operations.native
def selu(x: Native) -> Native:
    """``jax.nn.selu``."""
    return jax.nn.selu(x)


@operations.native
def celu(x: Native, *, alpha: float = 1.0) -> Native:
    """``jax.nn.celu``."""
    return jax.nn.celu(x, alpha)


@operations.native
def mish(x: Native) -> Native:
    """``jax.nn.mish``."""
    return jax.nn.mish(x)


@operations.native
def softsign(x: Native) -> Native:
    """``jax.nn.soft_sign``."""
    return jax.nn.soft_sign(x)


@operations.native
def relu6(x: Native) -> Native:
    """``jax.nn.relu6``."""
    return jax.nn.relu6(x)


@operations.native
def hard_sigmoid(x: Native, *, slope: str = "sixth") -> Native:
    """``jax.nn.hard_sigmoid``."""
    if slope != "sixth":
        raise Unsupported("jax.nn.hard_sigmoid has a slope of 1/6")
    return jax.nn.hard_sigmoid(x)


@operations.native
def hard_swish(x: Native) -> Native:
    """``jax.nn.hard_swish``."""
    return jax.nn.hard_swish(x)


@operations.native
def hard_tanh(x: Native, *, low: float = -1.0, high: float = 1.0) -> Native:
    """``jax.nn.hard_tanh``."""
    if (low, high) != (-1.0, 1.0):
        raise Unsupported("jax.nn.hard_tanh is between -1 and 1")
    return jax.nn.hard_tanh(x)


@operations.composed
def threshold(x: Native, *, threshold: float = 1.0, value: float = 0.0) -> Native:
    """The formula."""
    return jnp.where(x <= threshold, value, x)


@operations.native
def prelu(x: Native, slope: Native) -> Native:
    """``jax.nn.leaky_relu`` with an array of slopes: ``flax.linen.PReLU`` has a single one."""
    return jax.nn.leaky_relu(x, slope.reshape(-1, *(1,) * (x.ndim - 2)))


@operations.native
def glu(x: Native, *, axis: int = -1) -> Native:
    """``jax.nn.glu``."""
    return jax.nn.glu(x, axis)


@operations.composed
def swiglu(x: Native, *, axis: int = -1) -> Native:
    """The product of ``jax.nn.silu`` and the other half."""
    gate, value = jnp.split(x, 2, axis)
    return jax.nn.silu(gate) * value
