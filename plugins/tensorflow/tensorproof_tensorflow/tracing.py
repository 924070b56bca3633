"""A user's function traced to a graph of TensorFlow's, for ``tensorproof judge``."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from tensorproof.backend import Hand, Native, Traced, Transcript, Unsupported, Value, flat_results
from tensorproof_tensorflow.framework import tf
from tensorproof_tensorflow.graph_indexing import INDEXING
from tensorproof_tensorflow.graph_rules import RULES, Fixed
from tensorproof_tensorflow.raw_calls import called
from tensorproof_tensorflow.repeated_run import repeats

OF_SHAPES = ("Shape", "Size", "Rank", "ZerosLike", "OnesLike")
"""Operations that ask for the shape of a tensor only."""
PLAIN = ("Cast", "Fill", "BroadcastTo", "Identity", "Reshape", "ExpandDims", "Range", "LinSpace", "MatrixBandPart", "OneHot")
"""Operations that make floating tables, which are taken as they are if no floating argument is in them."""


def trace(function: Callable[..., Any], arguments: Sequence[Native]) -> Traced:
    """Trace a function with tensors like these, and write its operations down; calls of functions are taken apart.

    Raises:
        Unsupported: it cannot be traced; the message says why.
    """
    # Imported here, since only this needs it.
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    given = getattr(function, "python_function", None)
    plain = function if given is None else given
    like = [tf.TensorSpec(item.shape, item.dtype) for item in arguments]
    try:
        traced = tf.function(lambda *inputs: flat_results(plain(*inputs)), autograph=False).get_concrete_function(*like)
        # Variables become constants, and what the function calls becomes a part of its graph.
        graph = convert_variables_to_constants_v2(traced, lower_control_flow=False)
    except Exception as error:
        raise Unsupported(f"the function cannot be traced: {type(error).__name__}: {error}") from error
    flat = _Flat(graph, len(arguments))
    walk = _Walk(flat, arguments)
    names = {value.number: name for name, value in walk.values.items()}
    calls = [number for number in names if walk.transcript.entries[number].kind == "call"]
    results = [walk.value(name).number for name in flat.results]

    def with_results(numbers: Sequence[int]) -> Callable[..., tuple[Any, ...]]:
        wanted = [names[number] for number in numbers]
        return lambda *given: flat.run(given, wanted)

    again = partial(tf.function, autograph=False, jit_compile=getattr(function, "_jit_compile", None))
    return Traced(
        walk.transcript,
        results,
        sorted(calls),
        with_results,
        plain=given,
        recompiled=again if given else None,
        as_run=partial(repeats, plain, arguments),
    )


class _Flat:
    """The operations of a graph in order; its tensors by name."""

    def __init__(self, graph: Any, count: int) -> None:
        self.arguments = [item.name for item in graph.inputs[:count]]
        self.results = [item.name for item in graph.outputs]
        self.constants = {inside.name: outside for outside, inside in graph.graph.captures}
        self.operations = []
        for operation in graph.graph.get_operations():
            if operation.type == "Const":
                array = tf.make_ndarray(operation.get_attr("value"))
                self.constants[operation.outputs[0].name] = tf.constant(array, operation.outputs[0].dtype)
            elif operation.type not in ("Placeholder", "NoOp"):
                self.operations.append(operation)

    def run(self, arguments: Sequence[Any], wanted: Sequence[str]) -> tuple[Any, ...]:
        """Some tensors, by the operations themselves."""
        values = {**self.constants, **dict(zip(self.arguments, arguments, strict=True))}
        needed = set(wanted)
        kept = []
        for operation in reversed(self.operations):
            if needed & {item.name for item in operation.outputs}:
                needed.update(item.name for item in operation.inputs)
                kept.append(operation)
        for operation in reversed(kept):
            results = evaluated(operation, [values[item.name] for item in operation.inputs])
            values.update(zip((item.name for item in operation.outputs), results, strict=True))
        return tuple(values[name] for name in wanted)


def evaluated(operation: Any, given: Sequence[Any]) -> list[Any]:
    """What an operation of a graph gives, called again."""
    attributes = {item.name: operation.get_attr(item.name) for item in operation.op_def.attr}
    return called(operation.type, given, attributes)


class _Walk:
    """A walk through the operations that writes down each tensor.

    What depends on no floating argument is computed at once and taken as it is: indices, masks, shapes.
    """

    def __init__(self, flat: _Flat, arguments: Sequence[Native]) -> None:
        self.transcript = Transcript()
        self.values: dict[str, Value] = {}
        self.concrete: dict[str, Any] = dict(flat.constants)
        for name, tensor in zip(flat.arguments, arguments, strict=True):
            number = self.transcript.argument(tensor)
            self.values[name] = _value(number, tensor) if tensor.dtype.is_floating else _fixed(number, tensor)
            if not tensor.dtype.is_floating:
                self.concrete[name] = tensor
        for operation in flat.operations:
            self._visit(operation)

    def value(self, name: str) -> Value:
        """A tensor as a value, by name; what is known already is captured."""
        if name not in self.values:
            self.values[name] = _fixed(self.transcript.captured(self.concrete[name]), self.concrete[name])
        return self.values[name]

    def _visit(self, operation: Any) -> None:
        names = [item.name for item in operation.inputs]
        if operation.type in OF_SHAPES and all(item.shape.is_fully_defined() for item in operation.inputs):
            given = [tf.zeros(item.shape, item.dtype) for item in operation.inputs]
        elif all(name in self.concrete for name in names) and (operation.type in PLAIN or _is_small_and_repeats(operation)):
            given = [self.concrete[name] for name in names]
        else:
            self._called(operation, names)
            return
        self.concrete.update(zip((item.name for item in operation.outputs), evaluated(operation, given), strict=True))

    def _called(self, operation: Any, names: Sequence[str]) -> None:
        name = f"tf.{operation.type}"
        rule = RULES.get(operation.type) or INDEXING.get(operation.type)
        defined = all(item.shape.is_fully_defined() for item in operation.outputs)
        found: Any = None
        if rule is not None and defined and operation.outputs:
            given = [self._given(item) for item in names]
            before, held = len(self.transcript.entries), len(self.transcript.held)
            attributes = {item.name: operation.get_attr(item.name) for item in operation.op_def.attr}
            try:
                found = rule(Hand(self.transcript, name, _value(-1, operation.outputs[0])), *given, **attributes)
            except (TypeError, AttributeError, ValueError, KeyError, IndexError):  # what the rule does not know
                found = None
            if found is None:
                del self.transcript.entries[before:], self.transcript.held[held:]
        several = found if isinstance(found, list) else [found] * (found is not None)
        for place, output in enumerate(operation.outputs):
            if place >= len(several) > 0 and not output.consumers():
                continue  # beside what is known, and nothing asks for it
            number = several[place].number if place < len(several) else self.transcript.unknown(name)
            self.values[output.name] = _value(number, output)

    def _given(self, name: str) -> Any:
        """A value, or a number that is written in the function or computed of such."""
        tensor = self.concrete.get(name)
        scalar = tensor is not None and name not in self.values and tensor.shape.rank == 0 and tensor.dtype != tf.bool
        return float(np.asarray(tensor)) if scalar else self.value(name)


def _is_small_and_repeats(operation: Any) -> bool:
    """Whether an operation gives no floating numbers, or one in each tensor, and the same in each call."""
    small = all(not item.dtype.is_floating or item.shape.rank == 0 for item in operation.outputs)
    return small and not operation.op_def.is_stateful


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(tensor.shape.as_list()) if tensor.shape.is_fully_defined() else ()


def _value(number: int, tensor: Any) -> Value:
    return Value(number, _shape(tensor), tensor.dtype.name)


def _fixed(number: int, tensor: Any) -> Fixed:
    return Fixed(number, _shape(tensor), tensor.dtype.name, np.asarray(tensor))
