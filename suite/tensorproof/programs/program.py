"""A program as data: nodes that are operations of the specification, and inputs with their values.

Values of a program are numbered: the inputs first, then what each node gives. A node names its operands by number.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tensorproof.contract.strides import CONTIGUOUS, MEMORIES, as_shared, is_shared
from tensorproof_reference.operation import DTYPES
from tensorproof_reference.rounding import HELD, round_to
from tensorproof_reference.stream import Stream

BOOLEAN, INTEGER = "bool", "int64"
KINDS = ("normal", "positive", "large", "offset", "small", "special", "truth", "number")
"""How an input is drawn: normal numbers; their absolute values plus 1/16; 64 times them; 256 more than they are; a 256th of their
absolute values; those of ``SPECIAL`` in turn; as many true as false. A ``number`` is one value, written into the program as a
compiler sees a constant."""
NUMBER = "number"
CAPTURED = "captured"
"""The kind of an array that a user's function has from elsewhere than its arguments."""
SPECIAL = (1.0, -2.0, 0.0, np.inf, 0.5, -np.inf, -0.0, np.nan, 3.0)
"""Numbers that IEEE 754 has rules for, among ordinary ones."""

Operand: TypeAlias = int | tuple[int, ...]
"""The number of a value; several for an argument that is a list of arrays."""


class MalformedProgram(ValueError):
    """What was given is no program; the message says why."""


_DRAWN: Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "normal": lambda normal: normal,
    "positive": lambda normal: np.abs(normal) + 0.0625,
    "large": lambda normal: 64.0 * normal,
    "offset": lambda normal: normal + 256.0,
    "small": lambda normal: np.abs(normal) / 256.0,
}


@dataclass(frozen=True)
class Input:
    """An input of a program: its shape and dtype, and either how it is drawn or its values."""

    shape: tuple[int, ...]
    dtype: str
    """A floating dtype, ``bool``, or ``int64``."""
    kind: str = "normal"
    seed: int = 0
    values: tuple[float | str, ...] | None = None
    """The values in the order of C, if they are not drawn; those that are not finite by name, which JSON can hold."""
    memory: str = CONTIGUOUS
    """How it lies in memory: ``contiguous``, or a name of ``strides.MEMORIES``."""

    @property
    def array(self) -> NDArray[Any]:
        """The values: floating ones on the dtype's grid, as float64; equal where elements share a place in memory."""
        return as_shared(self._drawn, self.memory)

    @property
    def _drawn(self) -> NDArray[Any]:
        if self.values is not None:
            array = np.array([float(item) for item in self.values], np.float64).reshape(self.shape)
            return array if self.dtype in HELD else array.astype(self.dtype)
        stream = Stream(self.seed)("input")
        if self.kind == "truth":
            return np.asarray(stream.integers(self.shape, 0, 2) == 1)
        if self.kind == "special":
            return np.resize(SPECIAL, self.shape)
        return round_to(_DRAWN[self.kind](stream.normal(self.shape)), self.dtype)

    def holding(self, array: NDArray[Any]) -> "Input":
        """An input of the same dtype with these values."""
        values = (float(item) for item in array.ravel())
        kind = self.kind if self.kind == CAPTURED else "normal"
        held = tuple(item if np.isfinite(item) else str(item) for item in values)
        return Input(array.shape, self.dtype, kind, 0, held, self.memory)

    @property
    def contiguous(self) -> "Input":
        """The same numbers, contiguous."""
        held = self.holding(self.array) if is_shared(self.memory) else self
        return replace(held, memory=CONTIGUOUS)


@dataclass(frozen=True)
class Node:
    """One call of an operation."""

    operation: str
    operands: tuple[tuple[str, Operand], ...]
    """The arguments that are arrays, by name, with the number of the value of each."""
    keywords: tuple[tuple[str, Any], ...] = ()
    """Numbers, words, and tuples of them, by name."""
    over: int | None = None
    """The number of the value that what the call gives is written over, as ``y[...] = `` does."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of all values that the node takes."""
        found: list[int] = []
        for _, operand in self.operands:
            found += operand if isinstance(operand, tuple) else (operand,)
        return tuple(found)

    @property
    def needs(self) -> tuple[int, ...]:
        """The numbers of all values that the node takes or writes over."""
        return self.numbers if self.over is None else (*self.numbers, self.over)

    def renumbered(self, numbers: Mapping[int, int]) -> "Node":
        """The same call of values with other numbers."""
        operands = tuple(
            (name, tuple(numbers[item] for item in operand) if isinstance(operand, tuple) else numbers[operand])
            for name, operand in self.operands
        )
        return Node(self.operation, operands, self.keywords, None if self.over is None else numbers[self.over])


@dataclass(frozen=True)
class Program:
    """A composition of operations.

    Raises:
        MalformedProgram: a node takes what comes after it, an output is no node's, no input is floating, or an input lies in
            memory in no known way, or in one that cannot be written over.
    """

    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    """The numbers of the values that are judged, each a node's."""
    seed: int = 0
    """That of the cotangents."""
    held: tuple[int, ...] = ()
    """The numbers of values that let no gradient through, as a user's function may have them."""

    def __post_init__(self) -> None:
        first = len(self.inputs)
        dtypes = {item.dtype for item in self.inputs} - {BOOLEAN, INTEGER}
        if not dtypes or not dtypes <= set(HELD):
            raise MalformedProgram(f"inputs: expected floating dtypes, got {', '.join(sorted(dtypes)) or 'none'}")
        for number, node in enumerate(self.nodes, start=first):
            if not node.operands or not all(0 <= item < number for item in node.needs):
                raise MalformedProgram(f"node {number} ({node.operation}): operands come before it, got {node.needs}")
            if node.over is not None and node.over < first and self.inputs[node.over].kind == NUMBER:
                raise MalformedProgram(f"node {number} ({node.operation}): a number cannot be written over")
        if not {memory for _, memory in self.memories} <= set(MEMORIES):
            raise MalformedProgram(f"memory: expected {CONTIGUOUS} or one of {', '.join(MEMORIES)}, got {self.memories}")
        if self.writes and any(is_shared(memory) for _, memory in self.memories):
            raise MalformedProgram("elements that share a place in memory cannot be written over")
        if not self.outputs or not all(first <= number < first + len(self.nodes) for number in self.outputs):
            raise MalformedProgram(f"outputs: expected numbers of nodes, got {self.outputs}")

    @property
    def dtype(self) -> str:
        """The dtype of the first input that is computed in, or float32: where casts change none, all is computed in it."""
        return next((item.dtype for item in self.inputs if item.dtype in DTYPES), "float32")

    @property
    def writes(self) -> bool:
        """Whether any value is written over."""
        return any(node.over is not None for node in self.nodes)

    @property
    def memories(self) -> tuple[tuple[int, str], ...]:
        """The numbers of the inputs that do not lie contiguous, and how they lie."""
        return tuple((number, item.memory) for number, item in enumerate(self.inputs) if item.memory != CONTIGUOUS)

    @property
    def is_special(self) -> bool:
        """Whether an argument holds what is not finite. Then values are judged alone, and no gradients."""
        given = (item for item in self.inputs if item.kind not in (NUMBER, CAPTURED))
        return any(not np.isfinite(item.array).all() for item in given)

    @property
    def name(self) -> str:
        """Twelve digits that stand for the whole program."""
        return hashlib.sha256(to_json(self).encode()).hexdigest()[:12]

    @property
    def form(self) -> str:
        """Twelve digits that stand for its calls, the numbers in them, and how inputs lie, whatever their shapes and values."""
        numbers = [(number, item.values) for number, item in enumerate(self.inputs) if item.kind == NUMBER]
        dtypes = list(dict.fromkeys(item.dtype for item in self.inputs if item.dtype in HELD))
        about = (*dtypes, self.nodes, self.outputs, *([numbers] if numbers else []), *self.memories)
        return hashlib.sha256(repr(about).encode()).hexdigest()[:12]

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The operations that follow each other, by name, each pair once."""
        first = len(self.inputs)
        found = {
            (self.nodes[number - first].operation, node.operation): None
            for node in self.nodes
            for number in node.numbers
            if number >= first
        }
        return tuple(found)

    @property
    def text(self) -> str:
        """The program as a person reads it: ``v0: float32[2]; v1 = exp(v0); v2 = add(v1, v1) -> v2``."""
        arrays = [(number, item) for number, item in enumerate(self.inputs) if item.kind != NUMBER]
        lying = {number: f" {memory}" for number, memory in self.memories}
        inputs = [f"v{number}: {item.dtype}{list(item.shape)}{lying.get(number, '')}" for number, item in arrays]
        return f"{', '.join(inputs)}; {self.calls}"

    @property
    def calls(self) -> str:
        """The text without the inputs: ``v1 = exp(v0); v2 = add(v1, v1) -> v2``. Declarations know programs by it."""
        first = len(self.inputs)
        calls = []
        for number, node in enumerate(self.nodes, start=first):
            given = [self._operand_text(operand) for _, operand in node.operands]
            given += [f"{name}={value!r}" for name, value in node.keywords]
            calls.append(f"v{number} = {node.operation}({', '.join(given)})")
            calls += [] if node.over is None else [f"v{node.over}[...] = v{number}"]
        return f"{'; '.join(calls)} -> {', '.join(f'v{number}' for number in self.outputs)}"

    def _operand_text(self, operand: Operand) -> str:
        if isinstance(operand, tuple):
            return f"[{', '.join(map(self._operand_text, operand))}]"
        item = self.inputs[operand] if operand < len(self.inputs) else None
        return repr(float(item.array)) if item is not None and item.kind == NUMBER else f"v{operand}"


ARRAY = re.compile(r"v(\d+): (\w+)\[([\d, ]*)\](?: (\w+))?")
"""An input in a program's text: number, dtype, lengths of axes, and how it lies in memory."""


def is_known_as(program: Program, text: str) -> bool:
    """Whether a text of a program (``Program.text``) has the same calls, of inputs that lie in the same way."""
    inputs, _, calls = text.partition("; ")
    lying = tuple((int(number), memory) for number, _, _, memory in ARRAY.findall(inputs) if memory)
    return program.calls == calls and program.memories == lying


def to_json(program: Program) -> str:
    """The program as JSON, in one form only. What lies contiguous does not say so, which keeps the names of older programs."""
    plain = asdict(program)
    for item in plain["inputs"]:
        if item["memory"] == CONTIGUOUS:
            del item["memory"]
    return json.dumps(plain, sort_keys=True, separators=(",", ":"))


def from_json(text: str) -> Program:
    """The program that ``to_json`` wrote.

    Raises:
        MalformedProgram: it is none.
    """
    try:
        return from_plain(json.loads(text))
    except json.JSONDecodeError as error:
        raise MalformedProgram(f"no JSON: {error}") from None


def from_plain(plain: Any) -> Program:
    """The program of plain data, as ``dataclasses.asdict`` gives it or JSON holds it.

    Raises:
        MalformedProgram: it is none.
    """
    try:
        return Program(
            inputs=tuple(Input(**{name: _tuples(value) for name, value in item.items()}) for item in plain["inputs"]),
            nodes=tuple(map(_node, plain["nodes"])),
            outputs=_tuples(plain["outputs"]),
            seed=plain["seed"],
            held=_tuples(plain.get("held", ())),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise MalformedProgram(f"no program: {type(error).__name__}: {error}") from None


def _node(item: Any) -> Node:
    return Node(item["operation"], _tuples(item["operands"]), _tuples(item["keywords"]), item.get("over"))


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
