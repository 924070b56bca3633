"""The table of operations, and how the modules of this package fill it."""

import functools
import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import paddle

from tensorproof.backend import OperationTable, Unsupported

operations = OperationTable()

Given = SimpleNamespace
"""An operation's arguments as attributes, those that are left out with their defaults."""


def require(condition: bool, reason: str) -> None:
    """Go on only where Paddle has what is asked for.

    Raises:
        Unsupported: it has not; the reason says what it does.
    """
    if not condition:
        raise Unsupported(reason)


def require_eager(what: str) -> None:
    """Go on only outside of a program: what Paddle does between programs, it does not compile."""
    require(paddle.in_dynamic_mode(), f"{what} is not for programs")


def _register(source: Callable[..., Any], name: str, body: Callable[[Given], Any], **only: Any) -> None:
    signature = inspect.signature(operations.specification[name].function)

    def call(*arrays: Any, **keywords: Any) -> Any:
        bound = signature.bind(*arrays, **keywords)
        bound.apply_defaults()
        for keyword, value in only.items():
            require(bound.arguments[keyword] == value, f"Paddle has {keyword}={value!r} only")
        return body(Given(**bound.arguments))

    call.__name__ = name
    call.__signature__ = signature  # type: ignore[attr-defined]
    source(call)


native = functools.partial(_register, operations.native)
"""Register a function of Paddle's as an operation: its name, a body that gets the arguments as attributes, and the values of
keywords that Paddle does not let choose."""
composed = functools.partial(_register, operations.composed)
"""Register in the same way what is written here of Paddle's primitives."""
