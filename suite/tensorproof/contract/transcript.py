"""What a user's function did, as a plugin writes it down for ``tensorproof judge``: calls of operations of the specification.

Values have numbers, in the order in which they come up. A plugin walks through the graph that its framework traced and
calls one method for each value; what it has no operation for it calls ``unknown``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tensorproof_reference.operation import DTYPES

Operands = Mapping[str, int | tuple[int, ...]]
"""The numbers of an operation's arrays by the name of the argument; several for an argument that is a list."""


@dataclass(frozen=True)
class Entry:
    """One value."""

    kind: str
    """``argument``, ``captured``, ``number``, ``call`` or ``unknown``."""
    name: str = ""
    """What the framework calls it: ``aten.mm.default``."""
    value: Any = None
    """The framework's array of an argument or of what the function captured, or the number."""
    operation: str = ""
    operands: Operands = field(default_factory=dict)
    keywords: Mapping[str, Any] = field(default_factory=dict)


class Transcript:
    """The values of a function in the order in which they come up, arguments first."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.held: list[int] = []
        """The numbers of the values that let no gradient through to what they are made of."""

    def _add(self, entry: Entry) -> int:
        self.entries.append(entry)
        return len(self.entries) - 1

    def argument(self, value: Any) -> int:
        """An argument of the function: all of them, in order, before anything else."""
        return self._add(Entry("argument", value=value))

    def captured(self, value: Any, name: str = "") -> int:
        """An array that the function has from elsewhere: a parameter, a table. It is taken as it is, without gradient."""
        return self._add(Entry("captured", name, value))

    def number(self, value: float) -> int:
        """A number that is written in the function."""
        return self._add(Entry("number", value=float(value)))

    def call(self, name: str, operation: str, operands: Operands, keywords: Mapping[str, Any] | None = None) -> int:
        """A call of an operation of the specification, by its arguments' names there."""
        return self._add(Entry("call", name, None, operation, dict(operands), dict(keywords or {})))

    def unknown(self, name: str) -> int:
        """A value that no operation of the specification gives. What follows from it is not judged."""
        return self._add(Entry("unknown", name))

    def hold(self, name: str, number: int, shape: tuple[int, ...]) -> int:
        """The same value of a shape, through which no gradient goes."""
        held = self.call(name, "reshape", {"x": number}, {"shape": shape})
        self.held.append(held)
        return held


@dataclass(frozen=True)
class Value:
    """An array of the traced graph: its number in the transcript, and what it looks like."""

    number: int
    shape: tuple[int, ...]
    dtype: Any
    """As the framework names it."""


class Hand:
    """Writes the calls of operations that stand for one of the framework's."""

    def __init__(self, transcript: Transcript, name: str, like: Value) -> None:
        self.transcript = transcript
        self.name = name
        self.like = like
        """What the framework's call gives: number aside."""

    def call(self, operation: str, keywords: Mapping[str, Any] | None = None, /, **operands: Any) -> Value:
        """A call of an operation; operands are values, lists of them, or numbers; ``None`` is left out."""
        given = {name: self._operand(item) for name, item in operands.items() if item is not None}
        return self.as_result(self.transcript.call(self.name, operation, given, keywords))

    def hold(self, x: Value) -> Value:
        """The same value, through which no gradient goes."""
        return self.as_result(self.transcript.hold(self.name, x.number, x.shape))

    def cast(self, x: Value, dtype: Any) -> Value | None:
        """The value in another dtype, as the framework names it; ``None`` if no program computes in that."""
        if x.dtype == dtype:
            return x
        name = str(dtype).rpartition(".")[2]
        if name not in DTYPES:
            return None
        return Value(self.transcript.call(self.name, "cast", {"x": x.number}, {"dtype": name}), x.shape, dtype)

    def as_result(self, number: int) -> Value:
        """A value of the shape and dtype of what the framework's call gives."""
        return Value(number, self.like.shape, self.like.dtype)

    def _operand(self, item: Any) -> Any:
        if isinstance(item, list | tuple):
            return tuple(self._operand(part) for part in item)
        return item.number if isinstance(item, Value) else self.transcript.number(item)


@dataclass(frozen=True)
class Traced:
    """What a plugin tells of a function that it traced."""

    transcript: Transcript
    results: Sequence[int]
    """The numbers of the arrays that the function returns, in the order of ``flat_results``."""
    visible: Sequence[int]
    """The numbers of the calls whose values ``with_results`` can return."""
    with_results: Callable[[Sequence[int]], Callable[..., tuple[Any, ...]]]
    """The function of the same arguments that returns these values instead: what was traced, as the framework's own calls."""
    as_compiled: "Traced | None" = None
    """The same function as the framework's compiler sees it, in larger calls, where that differs: a pass of the compiler that
    is wrong is met there. Its ``results`` are empty."""
    plain: Callable[..., Any] | None = None
    """The function without what compiles it, if it came compiled by its user."""
    recompiled: Callable[[Callable[..., Any]], Callable[..., Any]] | None = None
    """Compiles another function as the user compiled this one, where the framework tells how."""
    as_run: Callable[[], Callable[..., Any]] | None = None
    """Runs the function once, and gives one that repeats the calls of that run. For a framework where a function can see that it
    is traced, and do something else then."""


def flat_results(results: Any) -> list[Any]:
    """The arrays of what a function returns: itself, or those in tuples, lists and dicts, one after the other.

    >>> flat_results(({"a": 1, "b": [2, 3]}, 4))
    [1, 2, 3, 4]
    """
    if isinstance(results, Mapping):
        return [leaf for item in results.values() for leaf in flat_results(item)]
    if isinstance(results, tuple | list):
        return [leaf for item in results for leaf in flat_results(item)]
    return [] if results is None else [results]
