"""Functions in a mode: ``jax.jit``, with a count of what it traced; and what JAX keeps of functions that are not jitted."""

import functools
import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tensorproof_jax.framework import jax, jnp

EAGER, JIT, VMAP, REMAT = "eager", "jit", "jit:vmap", "jit:remat"
MODES = {JIT: "all", EAGER: "spread"}
VARIANTS = {VMAP: "spread", REMAT: "spread"}

JITTED = Counter({"compiled": 0, "left_eager": 0})
"""How often the body of a jitted function was traced, and how often it was run as it was, with ``jax_disable_jit``."""


def counted_jit(function: Callable[..., Any]) -> Any:
    """The function compiled by ``jax.jit``. Its body runs only when it is traced, or when nothing is compiled."""

    @functools.wraps(function)
    def body(*arguments: Any) -> Any:
        JITTED["left_eager" if jax.config.jax_disable_jit else "compiled"] += 1
        return function(*arguments)

    return jax.jit(body)


def _batched(x: Any) -> Any:
    """A batch of two arrays: the numbers of one in other places, and that one."""
    return jnp.stack([jnp.roll(x, 1), x])


def vmapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function over a batch of its arguments, whose last result is theirs."""

    def call(*arguments: Any) -> Any:
        results = jax.vmap(function)(*jax.tree.map(_batched, arguments))
        return jax.tree.map(lambda y: y[-1], results)

    return call


def in_mode(function: Callable[..., Any], mode: str) -> Any:
    """The function as a mode runs it."""
    if mode == EAGER:
        return function
    return counted_jit(vmapped(function) if mode == VMAP else function)


def differentiated(function: Callable[..., Any], mode: str) -> Any:
    """The function as a mode differentiates it: ``jit:remat`` computes it again for the gradient."""
    return jax.checkpoint(function) if mode == REMAT else function


EVERY = 100
"""Functions without ``jit`` between two looks at what they have left."""
MOST_MAPS = 16_000
"""Maps of memory that are let be. Linux gives a process 65,530, and a recurrent layer's function was seen to make 260."""
MAPS = Path("/proc/self/maps")
_eager = itertools.count(1)


def make_room(mode: str) -> None:
    """Forget programs when there are many: without ``jit`` each primitive on each shape is one, and keeps maps of memory.

    A process that has no more of them ends with signal 11. Where a system does not tell, nothing is forgotten.
    """
    if mode == EAGER and next(_eager) % EVERY == 0 and MAPS.exists() and MAPS.read_bytes().count(b"\n") > MOST_MAPS:
        jax.clear_caches()
