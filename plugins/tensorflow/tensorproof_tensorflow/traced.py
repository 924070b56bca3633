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


XLA, NESTED = "xla", "xla:nested"
JITTED = (XLA, NESTED)
"""The modes whose functions XLA compiles."""


def nested(function: Callable[..., Any], mode: str) -> Callable[..., Any]:
    """The function, in mode ``xla:nested`` as a ``tf.function`` of its own inside of the one that is compiled."""
    if mode != NESTED:
        return function

    def call(*arguments: Any) -> Any:
        return function(*arguments)

    inner: Callable[..., Any] = tf.function(call, autograph=False)
    return inner
