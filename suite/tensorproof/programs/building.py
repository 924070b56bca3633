"""Building a program call by call; every value is computed on the way, so that only ordinary numbers get in."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tensorproof.contract.strides import CONTIGUOUS
from tensorproof.programs.dtypes import result_dtype
from tensorproof.programs.program import BOOLEAN, INTEGER, NUMBER, Input, Node, Program
from tensorproof_reference.operation import Operation
from tensorproof_reference.rounding import round_to

LARGEST = 2.0**16
"""The largest number that a value may hold: sums and products of such are far from overflow in float32."""
SMALLEST = 2.0**-60
"""The smallest that is not zero: what underflows in float32 is another matter than what compilers do to programs."""
MOST_ELEMENTS = 20_000

Entry: TypeAlias = Input | Node


class NotOrdinary(ValueError):
    """A call gives numbers that are not finite, too large or too small, or an array that is empty or too long."""


def assembled(entries: Sequence[Entry], outputs: Sequence[int], seed: int) -> Program:
    """A program of inputs and nodes in the order in which they were made, without those that no output needs.

    Nodes name operands, and ``outputs`` the results, by place among the entries.
    """
    needed = set(outputs)
    families = families_of(entries)
    for place in reversed(range(len(entries))):
        entry = entries[place]
        if isinstance(entry, Node) and (place in needed or (entry.over is not None and needed & families[entry.over])):
            needed |= {place, *entry.needs}
    inputs = [place for place in sorted(needed) if isinstance(entries[place], Input)]
    nodes = [place for place in sorted(needed) if isinstance(entries[place], Node)]
    numbers = {place: number for number, place in enumerate([*inputs, *nodes])}
    return Program(
        inputs=tuple(entry for place in inputs if isinstance(entry := entries[place], Input)),
        nodes=tuple(entry.renumbered(numbers) for place in nodes if isinstance(entry := entries[place], Node)),
        outputs=tuple(numbers[place] for place in outputs),
        seed=seed,
    )


MOVES = frozenset(
    (
        "reshape",
        "permute",
        "strided_slice",
        "expand_dims",
        "squeeze",
        "flatten",
        "broadcast_to",
        "cast",
        "flip",
        "roll",
        "tile",
        "pad",
    )
)
"""Operations whose value may share memory with their operand: what is written over one may change the other."""


def families_of(entries: Sequence[Entry]) -> Sequence[set[int]]:
    """By place, the places of all values that may share memory with the one there."""
    families: list[set[int]] = []
    for place, entry in enumerate(entries):
        shared = isinstance(entry, Node) and entry.operation in MOVES
        families.append(families[entry.numbers[0]] if shared and isinstance(entry, Node) else set())
        families[place].add(place)
    return families


def packed(programs: Sequence[Program]) -> Program:
    """One program of several: their inputs one after the other, then their nodes, then their outputs."""
    inputs = [item for program in programs for item in program.inputs]
    nodes: list[Node] = []
    outputs: list[int] = []
    before = 0
    for program in programs:
        first, made = len(program.inputs), len(inputs) + len(nodes)
        numbers = {number: before + number for number in range(first)}
        numbers |= {first + place: made + place for place in range(len(program.nodes))}
        nodes += [node.renumbered(numbers) for node in program.nodes]
        outputs += [numbers[number] for number in program.outputs]
        before += first
    return Program(tuple(inputs), tuple(nodes), tuple(outputs), programs[0].seed)


def entries_of(program: Program) -> list[Entry]:
    """The inputs and nodes of a program, each at the place of its number."""
    return [*program.inputs, *program.nodes]


def with_values(
    program: Program, values: Sequence[NDArray[Any]], dtypes: Sequence[str], numbers: Collection[int]
) -> Program | None:
    """The program with inputs that hold given values instead of some nodes; ``None`` if no output is left.

    Floating values are rounded to their dtypes, by number.
    """
    entries = entries_of(program)
    outputs = [number for number in program.outputs if number not in numbers]
    for number in numbers:
        entries[number] = holding(values[number], dtypes[number])
    return assembled(entries, outputs, program.seed) if outputs else None


def alone(program: Program, values: Sequence[NDArray[Any]], dtypes: Sequence[str], number: int) -> Program:
    """One node of a program, with inputs that hold the given values of its operands; what is an input lies as it did."""
    node = program.nodes[number - len(program.inputs)]
    lying = dict(program.memories)
    entries: list[Entry] = [
        replace(holding(values[item], dtypes[item]), memory=lying.get(item, CONTIGUOUS)) for item in node.numbers
    ]
    places = iter(range(len(entries)))
    operands = tuple(
        (name, tuple(next(places) for _ in operand) if isinstance(operand, tuple) else next(places))
        for name, operand in node.operands
    )
    return assembled([*entries, Node(node.operation, operands, node.keywords)], [len(entries)], program.seed)


def holding(value: NDArray[Any], dtype: str) -> Input:
    """An input that holds a value, rounded to the dtype if it is floating."""
    if value.dtype.kind == "f":
        return Input(value.shape, dtype).holding(round_to(value, dtype))
    return Input(value.shape, BOOLEAN if value.dtype.kind == "b" else INTEGER).holding(value)


def is_ordinary(value: NDArray[Any]) -> bool:
    """Whether all numbers of an array are zeros, or neither too large nor too small. What is not floating is ordinary."""
    if value.dtype.kind != "f":
        return True
    size = np.abs(value)
    return bool(size.max() <= LARGEST and size.min(where=size > 0, initial=1.0) >= SMALLEST)


@dataclass(frozen=True)
class Material:
    """What programs are made of."""

    specification: Mapping[str, Operation]
    available: Collection[str]
    """The operations that the backend has."""
    dtype: str
    """That of inputs, unless a source names another."""
    seed: int
    numbers: Collection[str] = ()
    """The operations that take a number instead of their argument ``b``."""
    writes: bool = False
    """Whether a program may write over a value."""
    dtypes: Collection[str] = ()
    """All floating dtypes that the backend computes in."""
    stored: Sequence[str] = ()
    """The floating dtypes of 8 bits that the backend holds, and computes nothing in."""
    memories: Collection[str] = ()
    """How inputs may lie in memory, besides contiguous: names of ``strides.MEMORIES`` that the backend keeps."""

    def builder(self, most: int = MOST_ELEMENTS) -> "Builder":
        """A program in the making, with the material's own seed, whose values have at most so many elements."""
        return Builder(self.specification, self.dtype, self.seed, self.numbers, most)

    def has(self, program: Program) -> bool:
        """Whether all operations of a program are available."""
        return all(node.operation in self.available for node in program.nodes)


class Builder:
    """A program in the making."""

    def __init__(
        self,
        specification: Mapping[str, Operation],
        dtype: str,
        seed: int,
        numbers: Collection[str] = (),
        most: int = MOST_ELEMENTS,
    ) -> None:
        self.most = most
        self.specification = specification
        self.dtype = dtype
        self.seed = seed
        self.numbers = numbers
        self.entries: list[Entry] = []
        self.values: list[NDArray[Any]] = []
        self.dtypes: list[str] = []
        """By place, the dtype of a value (``dtypes.dtypes_of``)."""

    def input(self, shape: Sequence[int], kind: str = "normal", dtype: str = "") -> int:
        """A new input, of the builder's dtype unless another is given; its numbers depend on the seed and its place."""
        chosen = BOOLEAN if kind == "truth" else dtype or self.dtype
        return self._added(Input(tuple(shape), chosen, kind, 1_000 * self.seed + len(self.entries)))

    def number(self, value: float, operation: str = "", dtype: str = "") -> int:
        """One number, rounded to the dtype: written into the program where ``operation`` takes one, else a new input."""
        kind, chosen = NUMBER if operation in self.numbers else "normal", dtype or self.dtype
        return self._added(Input((), chosen, kind, values=(float(round_to(value, chosen)),)))

    def whole(self, values: Sequence[int]) -> int:
        """A new input of whole numbers along one axis, as indices are."""
        return self._added(Input((len(values),), INTEGER, values=tuple(map(float, values))))

    @property
    def _special(self) -> bool:
        return any(isinstance(entry, Input) and entry.kind == "special" for entry in self.entries)

    def _added(self, item: Input) -> int:
        self.entries.append(item)
        self.values.append(item.array)
        self.dtypes.append(item.dtype)
        return len(self.entries) - 1

    def forget(self, place: int) -> None:
        """Undo all that was made from that place on."""
        del self.entries[place:], self.values[place:], self.dtypes[place:]

    def call(self, operation: str, operands: Mapping[str, Any], keywords: Mapping[str, Any] | None = None) -> int:
        """A call of an operation; the number of what it gives.

        Raises:
            NotOrdinary: its values are not ordinary numbers; nothing was added.
            ValueError: the operation rejects the arguments, or they differ in dtype.
        """
        node = Node(operation, tuple(operands.items()), tuple((keywords or {}).items()))
        dtype = result_dtype(node, [self.dtypes[number] for number in node.numbers], self.specification, self.dtype)
        arguments = {
            name: [self.values[item] for item in operand] if isinstance(operand, tuple) else self.values[operand]
            for name, operand in operands.items()
        }
        with np.errstate(all="ignore"):
            value = np.asarray(self.specification[operation].function(**arguments, **(keywords or {})))
        if not 0 < value.size <= self.most:
            raise NotOrdinary(f"{operation}: {value.size} elements")
        if not is_ordinary(value) and not self._special:
            raise NotOrdinary(f"{operation}: expected numbers from {SMALLEST:g} to {LARGEST:g} in size, or zeros")
        self.entries.append(node)
        self.values.append(value)
        self.dtypes.append(dtype)
        return len(self.entries) - 1

    def is_floating(self, number: int) -> bool:
        """Whether a value is of the floating dtype."""
        return self.values[number].dtype.kind == "f"

    def is_number(self, place: int) -> bool:
        """Whether an entry is a number that is written into the program."""
        entry = self.entries[place]
        return isinstance(entry, Input) and entry.kind == NUMBER

    def program(self, outputs: Sequence[int]) -> Program:
        """The program with these outputs."""
        return assembled(self.entries, outputs, self.seed)
