"""JAX, Flax and Optax, imported quietly, with 64-bit types and a cache of compilations that outlives the process."""

import hashlib
import importlib
import os
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

# Without types: most of these functions have none.
jax: Any = importlib.import_module("jax")
jnp: Any = importlib.import_module("jax.numpy")
linen: Any = importlib.import_module("flax.linen")
optax: Any = importlib.import_module("optax")


def default_cache() -> Path:
    """Where programs are kept unless told otherwise: a folder for each build, since JAX finds them by version."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    files = distribution("jaxlib").read_text("RECORD") or ""
    return caches / "tensorproof" / "jax" / hashlib.sha256(files.encode()).hexdigest()[:12]


jax.config.update("jax_enable_x64", True)
if jax.config.jax_compilation_cache_dir is None:
    jax.config.update("jax_compilation_cache_dir", str(default_cache()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)

__all__ = ["jax", "jnp", "linen", "optax"]
