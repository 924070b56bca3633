"""The table of operations, and how the modules of this package fill it."""

import functools
import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tensorproof.backend import Native, OperationTable, Unsupported
from tensorproof_pytensor.programs import program
from tensorproof_reference import trees

operations = OperationTable()

Given = SimpleNamespace
"""An operation's arguments as attributes, those that are left out with their defaults."""

ARRAYS = (np.ndarray, np.generic)


def require(condition: bool, reason: str) -> None:
    """Go on only where PyTensor has what is asked for.

    Raises:
        Unsupported: it has not; the reason says what it does.
    """
    if not condition:
        raise Unsupported(reason)


def sizes(x: Native) -> tuple[int, ...]:
    """The lengths of a symbol's axes, which are known: arguments have them, and Ops pass them on."""
    assert None not in x.type.shape, x
    return tuple(x.type.shape)


def _computed(body: Callable[[Given], Any], arguments: dict[str, Any]) -> Any:
    """An operation of arrays outside of a program: one of its own is made for it."""
    result: list[Any] = []

    def build(symbols: list[Native]) -> list[list[Native]]:
        given = iter(symbols)
        filled = trees.replace_leaves(arguments, lambda path, leaf: next(given) if isinstance(leaf, ARRAYS) else leaf)
        result.append(body(Given(**filled)))
        return [[leaf for _, leaf in trees.leaves(result[0])]]

    arrays = [np.asarray(leaf) for _, leaf in trees.leaves(arguments) if isinstance(leaf, ARRAYS)]
    values = iter(program(build, "py")([arrays])[0])
    found = trees.replace_leaves(result[0], lambda path, leaf: next(values))
    return tuple(found) if isinstance(result[0], tuple) else found


def _register(source: Callable[..., Any], name: str, body: Callable[[Given], Any], **only: Any) -> None:
    signature = inspect.signature(operations.specification[name].function)

    def call(*given: Any, **keywords: Any) -> Any:
        bound = signature.bind(*given, **keywords)
        bound.apply_defaults()
        for keyword, value in only.items():
            require(bound.arguments[keyword] == value, f"PyTensor has {keyword}={value!r} only")
        if any(isinstance(leaf, ARRAYS) for _, leaf in trees.leaves(dict(bound.arguments))):
            return _computed(body, dict(bound.arguments))
        return body(Given(**bound.arguments))

    call.__name__ = name
    call.__signature__ = signature  # type: ignore[attr-defined]
    source(call)


native = functools.partial(_register, operations.native)
"""Register a function of PyTensor's as an operation: its name, a body that gets the arguments as attributes, and the values of
keywords that it does not let choose."""
composed = functools.partial(_register, operations.composed)
"""Register in the same way what is written here of PyTensor's primitives."""
