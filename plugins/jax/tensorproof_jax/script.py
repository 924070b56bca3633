"""A call of JAX as a program of its own."""

from tensorproof.backend import ScriptTemplate
from tensorproof_jax.jitted import EAGER, REMAT, VMAP

SETUP = """import jax
import jax.numpy as jnp

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_default_device", jax.devices({platform!r})[{number}])
jax.config.update("jax_default_matmul_precision", "highest")


def array(values, dtype):
    return jax.device_put(np.asarray(values, jnp.dtype(dtype)))


def numbers(value):
    return np.asarray(value).astype(float)
"""
BATCHED = """

def as_batch(x):
    return jnp.stack([jnp.roll(x, 1), x])


def of_last(function):
    def call(*arguments):
        return jax.tree.map(lambda y: y[-1], jax.vmap(function)(*jax.tree.map(as_batch, arguments)))

    return call
"""
GRADIENT = """

def gradient(primals, constants, cotangents):
    outputs, pull, others = jax.vjp({called}, *primals, has_aux=True)
    return outputs, others, pull(tuple(dy.astype(y.dtype) for y, dy in zip(outputs, cotangents)))


outputs, others, gradients = {run}(primals, constants, cotangents)
"""


def template(mode: str, device: str) -> ScriptTemplate:
    """The template in a mode."""
    platform, _, number = device.partition(":")
    called = "lambda *leaves: function(leaves, constants)"
    run = "{}" if mode == EAGER else "jax.jit(of_last({}))" if mode == VMAP else "jax.jit({})"
    return ScriptTemplate(
        SETUP.format(platform=platform, number=int(number or 0)) + (BATCHED if mode == VMAP else ""),
        f"outputs, others = {run.format('jax.checkpoint(function)' if mode == REMAT else 'function')}(primals, constants)",
        GRADIENT.format(called=f"jax.checkpoint({called})" if mode == REMAT else called, run=run.format("gradient")),
    )
