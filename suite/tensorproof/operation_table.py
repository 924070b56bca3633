"""The table of a plugin's operations: the function of each, where it comes from, and why others are missing."""

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tensorproof_reference.catalogue import known_operations
from tensorproof_reference.operation import Operation

SOURCES = ("native", "library", "composed")
"""Where an implementation comes from: the framework's own function; its ecosystem's (Keras, Flax, optax); or written in the
plugin from primitives, as a user would have to."""


UNWRITTEN = "not written yet"
"""The reason of an operation whose function in the plugin is a stub."""


class Unsupported(Exception):
    """Raised by a plugin for what its framework does not offer; the message is the reason that people read."""


class PluginError(Exception):
    """A plugin breaks the contract; the message says what to change."""


@dataclass(frozen=True)
class Implementation:
    """A backend's function for one operation."""

    function: Callable[..., Any]
    source: str


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint for a misspelt name, or an empty string.

    >>> did_you_mean("sofmax", ["softmax", "tanh"])
    ' (did you mean softmax?)'
    """
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _signature(function: Callable[..., Any]) -> list[tuple[str, str, Any]]:
    return [(item.name, item.kind.description, item.default) for item in inspect.signature(function).parameters.values()]


class OperationTable:
    """A backend's functions by operation name.

    Each function has the operation's name and parameters, with the same defaults, and takes and returns the framework's
    arrays: one array, or a tuple in the order of ``Operation.outputs``. Nested arguments (recurrent ``parameters``) and
    results (an optimizer's parameters) keep their structure of lists and dicts.
    """

    def __init__(self, specification: Mapping[str, Operation] | None = None) -> None:
        self.specification = known_operations() if specification is None else specification
        self.implementations: dict[str, Implementation] = {}
        self.reasons: dict[str, str] = {}

    def native(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Register the framework's own function (decorator)."""
        return self._register(function, "native")

    def library(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Register a function of a library of the framework's ecosystem (decorator)."""
        return self._register(function, "library")

    def composed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Register a function that the plugin composes from primitives (decorator)."""
        return self._register(function, "composed")

    def unwritten(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Register a stub (decorator): an operation that the plugin is yet to write. It counts as unsupported."""
        self._require_signature(function)
        self.reasons[function.__name__] = UNWRITTEN
        return function

    def unsupported(self, name: str, reason: str) -> None:
        """Say that the framework has no such operation, and why."""
        self._require_known(name)
        self.reasons[name] = reason

    def _register(self, function: Callable[..., Any], source: str) -> Callable[..., Any]:
        self._require_signature(function)
        self.implementations[function.__name__] = Implementation(function, source)
        return function

    def _require_signature(self, function: Callable[..., Any]) -> None:
        name = function.__name__
        self._require_known(name)
        expected = _signature(self.specification[name].function)
        if _signature(function) != expected:
            wanted = inspect.signature(self.specification[name].function)
            bare = [item.replace(annotation=item.empty) for item in wanted.parameters.values()]
            shown = inspect.Signature(bare)
            raise PluginError(f"{name}: the parameters must be those of the specification: {name}{shown}")

    def _require_known(self, name: str) -> None:
        if name not in self.specification:
            raise PluginError(f"no operation is called {name!r}{did_you_mean(name, self.specification)}")
