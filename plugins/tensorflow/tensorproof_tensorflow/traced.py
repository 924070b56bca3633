"""What ``tf.function`` traced, counted."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from tensorproof_tensorflow.framework import tf

TRACED = Counter({"compiled": 0, "left_eager": 0})
"""How often the body of a function was traced, and how often it was run as it was (``tf.config.run_functions_eagerly``)."""


def counted(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that counts when its body runs: as what ``tf.function`` takes, that is when it is traced, or not compiled."""

    def body(*arguments: Any) -> Any:
        TRACED["left_eager" if tf.executing_eagerly() else "compiled"] += 1
        return function(*arguments)

    return body
