"""A call of JAX as a program of its own."""

from tensorproof.backend import ScriptTemplate

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
GRADIENT = """

def gradient(primals, constants, cotangents):
    outputs, pull, others = jax.vjp(lambda *leaves: function(leaves, constants), *primals, has_aux=True)
    return outputs, others, pull(tuple(dy.astype(y.dtype) for y, dy in zip(outputs, cotangents)))


outputs, others, gradients = {run}(primals, constants, cotangents)
"""


def template(mode: str, device: str) -> ScriptTemplate:
    """The template in a mode."""
    platform, _, number = device.partition(":")
    compiled = mode == "jit"
    return ScriptTemplate(
        SETUP.format(platform=platform, number=int(number or 0)),
        f"outputs, others = {'jax.jit(function)' if compiled else 'function'}(primals, constants)",
        GRADIENT.format(run="jax.jit(gradient)" if compiled else "gradient"),
    )
