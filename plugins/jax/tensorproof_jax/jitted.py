"""``jax.jit``, with a count of what it traced."""

import functools
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
