"""A small framework to plant faults in.

It computes with the reference's formulas and has what faults live in: arrays of four dtypes (16 bits are computed
in 32 and rounded once), a tape for gradients, also of compositions, and a compiler that traces a function and replays it.
"""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from small_operations import ADD, KNOWN, OPERATIONS, PART, SCALE, WRITE

from tensorproof.backend import Backend, Function, Implementation, OperationTable, ValueAndVjp, numpy_strides
from tensorproof_reference import trees
from tensorproof_reference.operation import DTYPES, Operation
from tensorproof_reference.rounding import INTEGERS, STORED, round_to

if TYPE_CHECKING:
    from faulty import Fault


@dataclass(eq=False)
class Value:
    """An array of the small framework. 16-bit numbers lie in an array of float16, or of float32 for bfloat16."""

    array: NDArray[Any]
    dtype: str
    device: str = "cpu"
    backend: Any = None
    number: float | None = None
    """The number of Python that it was made of, which a compiler may know."""

    def __mul__(self, factor: float) -> "Value":
        scaled: Value = self.backend.call(SCALE, x=self, factor=factor)
        return scaled

    def __add__(self, other: "Value") -> "Value":
        added: Value = self.backend.call(ADD, x=self, other=other)
        return added

    def __getitem__(self, key: Any) -> "Value":
        part: Value = self.backend.call(PART, x=self, key=key)
        return part


@dataclass(eq=False)
class Node:
    """One call of an operation, on a tape or in a program."""

    operation: str
    inputs: dict[str, Any]
    keywords: dict[str, Any]
    outputs: tuple[Value, ...] = ()
    paths: tuple[str, ...] = ()
    """The paths of the outputs."""


Wrapped = tuple[tuple[Value, ...], tuple[Value, ...]]
Nodes = list[Node]


signature_of = functools.cache(inspect.signature)


@functools.cache
def keywords_of(function: Callable[..., Any]) -> frozenset[str]:
    """The names of a function's arguments that are no arrays."""
    parameters = signature_of(function).parameters.values()
    return frozenset(item.name for item in parameters if item.kind is item.KEYWORD_ONLY)


_dtype_in_use = ["float64"]


def working_dtype() -> str:
    """The dtype of the arrays of the operation that is being computed; a replaced function may ask."""
    return _dtype_in_use[-1]


def to_dtype(array: Any, dtype: str) -> NDArray[Any]:
    """An array rounded once to ``dtype``, in the array that holds it."""
    if dtype in ("bfloat16", *STORED):
        return round_to(array, dtype).astype(np.float32)
    return np.asarray(array).astype(dtype)


MOMENTS = ("parameters", "first_moment", "second_moment", "maximum_second_moment")
Given = Mapping[str, Any]
RESULT_DTYPES: Mapping[str, Callable[[Given, Given], Mapping[str, str]]] = {
    "cast": lambda inputs, keywords: {"y": keywords.get("dtype", "float16")},
    "mixed_matmul": lambda inputs, keywords: {"y": keywords.get("dtype", "float32")},
    "mixed_layer_norm": lambda inputs, keywords: {"y": keywords.get("dtype", "bfloat16")},
    "mixed_rms_norm": lambda inputs, keywords: {"y": keywords.get("dtype", "bfloat16")},
    "quantize": lambda inputs, keywords: {"q": keywords.get("dtype", "int8")},
    "dequantize": lambda inputs, keywords: {"y": keywords.get("dtype", "float32")},
    "one_hot_with_values": lambda inputs, keywords: {"y": keywords.get("dtype", "float32")},
    "master_adamw": lambda inputs, keywords: {"parameters": "bfloat16"},
    "mixed_adamw": lambda inputs, keywords: {
        f"{name}.{index}": value.dtype for name in MOMENTS for index, value in enumerate(inputs["parameters"])
    },
}
"""By operation the dtypes of its results, from inputs (as values) and keywords, where they are not those of what it is given."""


def in_working_precision(value: Value) -> NDArray[Any]:
    """The array that an operation computes with: 16 bits become 32, others are the very array."""
    return value.array.astype(np.float32) if value.dtype in ("float16", "bfloat16") else value.array


class SmallBackend(Backend):
    """The small framework. Subclasses and ``Fault`` change what they please.

    It has no layers, optimizers or loops of its own: models, training steps and fitting are those that the suite composes of a
    backend's operations, so that a fault in an operation is one in models too.
    """

    name = "small"
    modes: Mapping[str, str] = {"eager": "all", "compiled": "all"}

    def __init__(self, fault: "Fault | None" = None) -> None:
        self.fault = fault
        self.mode = "eager"
        self.counted = {"compiled": 0, "left_eager": 0}
        self.kernels: Mapping[str, Operation] = {**OPERATIONS, **(fault.kernels if fault else {})}
        self.operations = OperationTable(KNOWN)
        for name, operation in KNOWN.items():
            if operation.model is None:
                self.operations.implementations[name] = Implementation(partial(self.call, name), "native")
        self._tapes: list[Nodes] = []

    def versions(self) -> Mapping[str, str]:
        return {"small": "1"}

    def dtypes(self, device: str) -> Sequence[str]:
        return DTYPES

    def held_dtypes(self, device: str) -> Sequence[str]:
        return (*STORED, *INTEGERS)

    def from_numpy(self, array: NDArray[Any], dtype: str, device: str) -> Value:
        return Value(array, dtype, device, self)

    def to_numpy(self, value: Value) -> NDArray[Any]:
        return value.array

    def dtype_of(self, value: Value) -> str:
        return value.dtype

    def device_of(self, value: Value) -> str:
        return value.device

    def shares_memory(self, one: Value, other: Value) -> bool:
        return np.may_share_memory(one.array, other.array)

    def strides(self, value: Value) -> tuple[tuple[int, ...], int]:
        return numpy_strides(value.array)

    def write(self, target: Value, value: Value) -> None:
        self.call(WRITE, x=target, value=value)

    def compile_counters(self) -> Mapping[str, int]:
        return self.counted

    def _replaced(self, operation: str, part: str) -> Any:
        fault = self.fault
        if fault and fault.operation == operation and fault.mode in ("", self.mode) and getattr(fault, part):
            return getattr(fault, part)
        return getattr(self.kernels[operation], part)

    def call(self, operation: str, *first: Any, **others: Any) -> Any:
        """Compute an operation on values and put it on the tape, if there is one."""
        function = self.kernels[operation].function
        arguments = signature_of(function).bind(*first, **others).arguments
        known = keywords_of(function)
        keywords = {name: value for name, value in arguments.items() if name in known}
        inputs = {name: self._lifted(value, arguments) for name, value in arguments.items() if name not in known}
        node = Node(operation, inputs, keywords)
        results = self.compute(node)
        found = dict(trees.leaves(results))
        node.paths, node.outputs = tuple(found), tuple(found.values())
        if self._tapes:
            self._tapes[-1].append(node)
        return tuple(results.values()) if len(results) > 1 else next(iter(results.values()))

    def _lifted(self, value: Any, arguments: Mapping[str, Any]) -> Any:
        """A number as an array of the dtype that it stands beside."""
        if not isinstance(value, float):
            return value
        beside = next(item for item in arguments.values() if isinstance(item, Value))
        return Value(to_dtype(value, beside.dtype), beside.dtype, "cpu", self, value)

    def compute(self, node: Node) -> dict[str, Any]:
        """An operation's outputs by name; of a write, the array that was written over."""
        if node.operation == WRITE:
            target, value = node.inputs["x"], node.inputs["value"]
            target.array[...] = to_dtype(value.array, target.dtype)
            return {"y": target}
        with self._floating(node) as arrays:
            results = self._replaced(node.operation, "function")(**arrays, **node.keywords)
            named = trees.by_name(self.kernels[node.operation].outputs, results)
            own = RESULT_DTYPES.get(node.operation, lambda inputs, keywords: {})(node.inputs, node.keywords)
            return {name: trees.replace_leaves(tree, self._wrapped(own), name) for name, tree in named.items()}

    def _wrapped(self, own: Mapping[str, str]) -> Callable[[str, Any], Value]:
        """What makes values of results by path, in dtypes that they have of their own."""

        def value(path: str, leaf: Any) -> Value:
            dtype = own.get(path, own.get(path.split(".")[0]))
            if dtype is None or isinstance(leaf, Value):
                return self.wrap(leaf, working_dtype())
            return Value(to_dtype(leaf, dtype), dtype, "cpu", self)

        return value

    @contextmanager
    def _floating(self, node: Node) -> Iterator[Any]:
        values = [value for _, value in trees.leaves(node.inputs)]
        _dtype_in_use.append(next((value.dtype for value in values if value.dtype in DTYPES), "float64"))
        try:
            with np.errstate(all="ignore"):
                yield trees.replace_leaves(node.inputs, lambda path, value: in_working_precision(value))
        finally:
            _dtype_in_use.pop()

    def wrap(self, result: Any, dtype: str) -> Value:
        """A computed array as a value: of its own dtype, but rounded where ``dtype`` has 16 bits."""
        if isinstance(result, Value):
            return result
        array = np.asarray(result)
        if dtype in ("float16", "bfloat16", *STORED) and array.dtype.kind == "f":
            return Value(to_dtype(array, dtype), dtype, "cpu", self)
        return Value(array, str(array.dtype), "cpu", self)

    @contextmanager
    def tape(self) -> Iterator[Nodes]:
        """Record the calls within."""
        self._tapes.append([])
        try:
            yield self._tapes[-1]
        finally:
            self._tapes.pop()

    def prepared(self, function: Function, mode: str) -> Callable[..., Wrapped]:
        """The function as ``mode`` runs it, putting its calls on the tape."""
        if mode == "eager":
            return function
        return Program(self, function)

    def forward(self, function: Function, mode: str) -> Callable[..., Wrapped]:
        prepared = self.prepared(function, mode)

        def run(primals: Sequence[Value], constants: Sequence[Value]) -> Wrapped:
            self.mode = mode
            return prepared(primals, constants)

        return run

    def value_and_vjp(self, function: Function, mode: str) -> ValueAndVjp:
        prepared = self.prepared(function, mode)

        def run(primals: Sequence[Value], constants: Sequence[Value], cotangents: Sequence[Value]) -> Any:
            self.mode = mode
            with self.tape() as tape:
                outputs, others = prepared(primals, constants)
            if any(node.operation == WRITE for node in tape):
                raise RuntimeError("what was written over has no gradient")
            return outputs, others, self.pull_back(tape, outputs, cotangents, primals)

        return run

    def pull_back(
        self, tape: Nodes, outputs: Sequence[Value], cotangents: Sequence[Value], primals: Sequence[Value]
    ) -> tuple[Value | None, ...]:
        """Reverse mode over a tape: the gradient of each primal, or ``None``."""
        found = {id(output): cotangent for output, cotangent in zip(outputs, cotangents, strict=True)}
        for node in reversed(tape):
            if any(id(output) in found for output in node.outputs):
                by_path = dict(trees.leaves(node.inputs))
                for path, gradient in self.gradients(node, found).items():
                    key = id(by_path[path])
                    if key in found:
                        total = in_working_precision(found[key]) + in_working_precision(gradient)
                        gradient = self.wrap(total, gradient.dtype)
                    found[key] = gradient
        return tuple(found.get(id(primal)) for primal in primals)

    def gradients(self, node: Node, found: Mapping[int, Value]) -> dict[str, Value]:
        """The gradients of one call's inputs, by path, from what is found of its outputs'."""
        operation = self.kernels[node.operation]
        with self._floating(node) as arrays:
            cotangents = []
            for name, output in zip(node.paths, node.outputs, strict=True):
                if name in operation.cotangents:
                    known = id(output) in found
                    array = in_working_precision(found[id(output)] if known else output)
                    cotangents.append(array if known else np.zeros_like(array))
            vjp = self._replaced(node.operation, "vjp")
            gradients = vjp(cotangents[0] if len(cotangents) == 1 else tuple(cotangents), **arrays, **node.keywords)
            given = {path: value.dtype for path, value in trees.leaves(node.inputs)}
            return {
                path: self.wrap(gradient, given[path]) for path, gradient in trees.leaves(gradients) if "float" in given[path]
            }


class Program:
    """A function traced at its first call, and then replayed from its nodes."""

    def __init__(self, backend: SmallBackend, function: Function) -> None:
        self.backend = backend
        self.function = function
        self.nodes: Nodes | None = None

    def __call__(self, primals: Sequence[Value], constants: Sequence[Value]) -> Wrapped:
        if self.nodes is None:
            self.backend.counted["compiled"] += 1
            # Copies, since the function may write over its arguments.
            first, others = (tuple(replace(item, array=item.array.copy()) for item in group) for group in (primals, constants))
            self.arguments = (*first, *others)
            with self.backend.tape() as tape:
                self.results = self.function(first, others)
            optimize = self.backend.fault.optimize if self.backend.fault else None
            self.nodes = optimize(tape) if optimize else tape
        values = {id(old): new for old, new in zip(self.arguments, (*primals, *constants), strict=True)}
        for node in self.nodes:
            inputs = trees.replace_leaves(node.inputs, lambda path, value: values.get(id(value), value))
            results = self.backend.call(node.operation, **inputs, **node.keywords)
            named = trees.leaves_by_name(self.backend.kernels[node.operation].outputs, results)
            values.update({id(old): new for old, new in zip(node.outputs, named.values(), strict=True)})
        outputs, others = self.results
        return tuple(values[id(value)] for value in outputs), tuple(values[id(value)] for value in others)
