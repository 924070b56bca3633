"""A user's function traced to a jaxpr, for ``tensorproof judge``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tensorproof.backend import Hand, Native, Traced, Transcript, Unsupported, Value, flat_results
from tensorproof_jax.framework import jax, jnp
from tensorproof_jax.lax_rules import RULES
from tensorproof_jax.repeated_run import repeats

INLINED = ("jaxpr", "call_jaxpr", "fun_jaxpr")
"""The parameters that hold what a primitive only calls."""
CALLS = ("jit", "pjit", "closed_call", "core_call", "checkpoint", "remat2", "custom_jvp_call", "custom_vjp_call", "custom_lin")


@dataclass(frozen=True)
class Step:
    """One call of a primitive: places among all values of its arguments, or literals, and of its results."""

    equation: Any
    takes: tuple[Any, ...]
    gives: tuple[int, ...]


@dataclass(frozen=True)
class Literal:
    """A number that is written in a jaxpr."""

    value: Any


def trace(function: Callable[..., Any], arguments: Sequence[Native]) -> Traced:
    """Trace a function with arrays like these, and write its calls down; what only calls is taken apart.

    Raises:
        Unsupported: it cannot be traced; the message says why.
    """
    try:
        closed = jax.make_jaxpr(lambda *given: flat_results(function(*given)))(*arguments)
    except Exception as error:
        raise Unsupported(f"the function cannot be traced: {type(error).__name__}: {error}") from error
    flat = _Flat(closed)
    walk = _Walk(flat, arguments)
    places = {value.number: place for place, value in walk.values.items()}
    calls = [number for number in places if walk.transcript.entries[number].kind == "call"]
    results = [walk.number_of(item) for item in flat.results]

    def with_results(numbers: Sequence[int]) -> Callable[..., tuple[Any, ...]]:
        wanted = [places[number] for number in numbers]
        return lambda *given: flat.run(given, wanted)

    return Traced(walk.transcript, results, sorted(calls), with_results, as_run=partial(repeats, function, arguments))


class _Flat:
    """A jaxpr as one list of steps, whose values have places: constants, arguments, then results."""

    def __init__(self, closed: Any) -> None:
        self.constants: dict[int, Any] = {}
        self.steps: list[Step] = []
        self._count = 0
        arguments = [self._new() for _ in closed.jaxpr.invars]
        self.arguments = arguments
        self.results = self._inlined(closed.jaxpr, closed.consts, arguments)

    def _new(self) -> int:
        self._count += 1
        return self._count - 1

    def _inlined(self, jaxpr: Any, constants: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
        """Take a jaxpr apart; the places of its results."""
        known: dict[Any, Any] = dict(zip(jaxpr.invars, arguments, strict=True))
        for variable, value in zip(jaxpr.constvars, constants, strict=True):
            known[variable] = self._new()
            self.constants[known[variable]] = value

        def place_of(atom: Any) -> Any:
            return Literal(atom.val) if hasattr(atom, "val") else known[atom]

        for equation in jaxpr.eqns:
            takes = [place_of(atom) for atom in equation.invars]
            inner = next((equation.params[name] for name in INLINED if name in equation.params), None)
            if equation.primitive.name in CALLS and inner is not None:
                opened, consts = (inner.jaxpr, inner.consts) if hasattr(inner, "consts") else (inner, ())
                gives = self._inlined(opened, consts, takes)
            else:
                gives = [self._new() for _ in equation.outvars]
                self.steps.append(Step(equation, tuple(takes), tuple(gives)))
            known.update(zip(equation.outvars, gives, strict=True))
        return [place_of(atom) for atom in jaxpr.outvars]

    def run(self, arguments: Sequence[Any], wanted: Sequence[int]) -> tuple[Any, ...]:
        """The values at some places, by the primitives themselves."""
        values = {**self.constants, **dict(zip(self.arguments, arguments, strict=True))}
        needed = set(wanted)
        kept = []
        for step in reversed(self.steps):
            if needed & set(step.gives):
                needed.update(item for item in step.takes if isinstance(item, int))
                kept.append(step)
        for step in reversed(kept):
            values.update(zip(step.gives, evaluated(step.equation, [_at(item, values) for item in step.takes]), strict=True))
        return tuple(values[place] for place in wanted)


def _at(item: Any, values: dict[int, Any]) -> Any:
    return item.value if isinstance(item, Literal) else values[item]


def evaluated(equation: Any, given: Sequence[Any]) -> list[Any]:
    """What a primitive gives."""
    results = equation.primitive.bind(*given, **equation.primitive.get_bind_params(equation.params))
    return list(results) if equation.primitive.multiple_results else [results]


class _Walk:
    """A walk through the steps that writes down each value.

    What depends on no floating array is computed at once and taken as it is: indices, masks, shapes.
    """

    def __init__(self, flat: _Flat, arguments: Sequence[Native]) -> None:
        self.transcript = Transcript()
        self.values: dict[int, Value] = {}
        self.concrete: dict[int, Any] = {}
        self.nameless: dict[int, tuple[Value, str]] = {}
        """What a rule leaves out, and the primitive: not known, if something takes it."""
        for place, array in zip(flat.arguments, arguments, strict=True):
            self.values[place] = _like(self.transcript.argument(array), array)
            if not jnp.issubdtype(array.dtype, jnp.floating):
                self.concrete[place] = array
        for place, array in flat.constants.items():
            self.concrete[place] = jnp.asarray(array)
        for step in flat.steps:
            self._visit(step)

    def number_of(self, item: Any) -> int:
        """The number of a result; of a literal an unknown one."""
        return self.transcript.unknown("literal") if isinstance(item, Literal) else self._value(item).number

    def _visit(self, step: Step) -> None:
        integers = all(not jnp.issubdtype(item.aval.dtype, jnp.floating) for item in step.equation.outvars)
        name = step.equation.primitive.name
        known = [isinstance(item, Literal) or item in self.concrete for item in step.takes]
        if all(known) and (integers or name in ("broadcast_in_dim", "convert_element_type", "iota")):
            given = [_at(item, self.concrete) for item in step.takes]
            self.concrete.update(zip(step.gives, evaluated(step.equation, given), strict=True))
        else:
            self._called(step, name)

    def _called(self, step: Step, name: str) -> None:
        like = [Value(-1, tuple(item.aval.shape), item.aval.dtype) for item in step.equation.outvars]
        rule = RULES.get(name)
        before = len(self.transcript.entries)
        found = None
        if rule is not None:
            try:
                given = [self._given(item) for item in step.takes]
                found = rule(Hand(self.transcript, f"lax.{name}", like[0]), *given, **step.equation.params)
            except (TypeError, AttributeError, ValueError):  # parameters that the rule does not know
                found = None
        results = found if isinstance(found, tuple) else (found,) if found is not None else ()
        if len(results) == len(like):
            for place, value, item in zip(step.gives, results, like, strict=True):
                if value is None:
                    self.nameless[place] = Value(-1, item.shape, item.dtype), f"lax.{name}"
                else:
                    self.values[place] = Value(value.number, item.shape, item.dtype)
            return
        del self.transcript.entries[before:]
        for place, item in zip(step.gives, like, strict=True):
            self.values[place] = Value(self.transcript.unknown(f"lax.{name}"), item.shape, item.dtype)

    def _given(self, item: Any) -> Any:
        """A value, or a number that is written in the function or computed of such."""
        if isinstance(item, Literal):
            return float(item.value)
        scalar = item in self.concrete and item not in self.values and np.ndim(self.concrete[item]) == 0
        return float(self.concrete[item]) if scalar else self._value(item)

    def _value(self, place: int) -> Value:
        if place in self.nameless:
            like, name = self.nameless.pop(place)
            self.values[place] = Value(self.transcript.unknown(name), like.shape, like.dtype)
        if place not in self.values:
            array = self.concrete[place]
            self.values[place] = _like(self.transcript.captured(array), array)
        return self.values[place]


def _like(number: int, array: Any) -> Value:
    return Value(number, tuple(array.shape), array.dtype)
