"""``jax.jit``, with a count of what it traced; and what JAX keeps of functions that are not jitted."""

import functools
import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

from tensorproof_jax.framework import jax

JITTED = Counter({"compiled": 0, "left_eager": 0})
"""How often the body of a jitted function was traced, and how often it was run as it was, with ``jax_disable_jit``."""


def counted_jit(function: Callable[..., Any]) -> Any:
    """The function compiled by ``jax.jit``. Its body runs only when it is traced, or when nothing is compiled."""

    @functools.wraps(function)
    def body(*arguments: Any) -> Any:
        JITTED["left_eager" if jax.config.jax_disable_jit else "compiled"] += 1
        return function(*arguments)

    return jax.jit(body)


KEPT = 100
"""Functions that ran without ``jit`` and whose programs are kept."""
_eager = itertools.count(1)


def make_room(mode: str) -> None:
    """Forget programs now and then: without ``jit`` each primitive on each shape is one, and keeps maps of memory.

    Linux gives a process 65,530; then it ends with signal 11.
    """
    if mode != "jit" and next(_eager) % KEPT == 0:
        jax.clear_caches()
