"""JAX, Flax and Optax, imported quietly, with 64-bit types and a cache of compilations that outlives the process."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import flax
import jax
import jax.numpy as jnp
import optax
from flax import linen

jax.config.update("jax_enable_x64", True)
if jax.config.jax_compilation_cache_dir is None:
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    jax.config.update("jax_compilation_cache_dir", str(caches / "tensorproof" / "jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)

__all__ = ["flax", "jax", "jnp", "linen", "optax"]
