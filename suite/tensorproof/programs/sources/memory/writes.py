"""Programs that write over a value, or a part of it, and read it again: what it was made of, its views, and what came before.

Compilers make functions of such programs first, with copies in the places of views. What they forget there shows in what is
read afterwards, and in the arguments after the call.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count

import numpy as np
from numpy.typing import NDArray

from tensorproof.programs.building import Builder, Entry, Material, assembled, entries_of, is_ordinary
from tensorproof.programs.evaluation import arguments_of, forward_values
from tensorproof.programs.program import NUMBER, Node, Program
from tensorproof.programs.sources.random_programs import random_program
from tensorproof_reference.operation import Operation
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

Part = Callable[[Builder, int], int]
"""From the number of a value, that of another."""

MOST_WRITES = 3


def _call(operation: str, **keywords: object) -> Part:
    return lambda builder, x: builder.call(operation, {"x": x}, keywords)


def _itself(builder: Builder, x: int) -> int:
    return x


def _sliced(builder: Builder, x: int, start: int | None, step: int) -> int:
    """A part of the first axis."""
    rest = builder.values[x].ndim - 1
    keywords = {"start": (start, *[None] * rest), "stop": (None,) * (rest + 1), "step": (step, *[1] * rest)}
    return builder.call("strided_slice", {"x": x}, keywords)


def _turned(builder: Builder, x: int) -> int:
    return builder.call("permute", {"x": x}, {"axes": (1, 0)})


def _flat(builder: Builder, x: int) -> int:
    return builder.call("reshape", {"x": x}, {"shape": (-1,)})


def _columns(builder: Builder, x: int) -> int:
    return builder.call("strided_slice", {"x": x}, {"start": (None, 1), "stop": (None, None), "step": (1, 2)})


def _with(operation: str, value: float) -> Part:
    return lambda builder, x: builder.call(operation, {"a": x, "b": builder.number(value, operation)})


def _row_added(builder: Builder, x: int) -> int:
    return builder.call("add", {"a": x, "b": builder.input(builder.values[x].shape[-1:])})


def _others(builder: Builder, x: int) -> int:
    """Numbers that have nothing to do with those that were there."""
    return builder.call("negative", {"x": builder.input(builder.values[x].shape)})


def _total(builder: Builder, x: int) -> int:
    """Fewer numbers, which are broadcast where they are written."""
    return builder.call("reduce_sum", {"x": x}, {"axis": -1, "keepdims": True})


def _product(builder: Builder, x: int) -> int:
    width = builder.values[x].shape[-1]
    return builder.call("matmul", {"a": x, "b": builder.input((width, width))})


OWNERS: Mapping[str, Part] = {"argument": _itself, "sum": _row_added, "product": _product}
VIEWS: Mapping[str, Part] = {
    "itself": _itself,
    "flattened": _flat,
    "transposed": _turned,
    "rows": lambda builder, x: _sliced(builder, x, 1, 1),
    "every_other_row": lambda builder, x: _sliced(builder, x, None, 2),
    "columns": _columns,
    "flattened_and_cropped": lambda builder, x: _sliced(builder, _flat(builder, x), 3, 1),
    "transposed_and_cropped": lambda builder, x: _sliced(builder, _turned(builder, x), 1, 1),
    "transposed_and_flattened": lambda builder, x: _flat(builder, _turned(builder, x)),
    "with_one_more_axis": _call("expand_dims", axis=0),
}
WRITTEN: Mapping[str, Part] = {
    "doubled": _with("multiply", 2.0),
    "plus_one": _with("add", 1.0),
    "tanh": _call("tanh"),
    "others": _others,
    "softmax": _call("softmax", axis=-1),
    "total": _total,
}


def _read(owner: Part, view: Part, written: Part) -> Callable[[Builder], list[int]]:
    """A value read before and after one of its views is written over; the outputs."""

    def build(builder: Builder) -> list[int]:
        x = owner(builder, builder.input((5, 7)))
        # What keeps nothing for its gradient, so that frameworks which refuse what was written over give one.
        before = builder.call("negative", {"x": x})
        sibling = _sliced(builder, x, None, 2)
        target = view(builder, x)
        write(builder, written(builder, target), target)
        read = builder.call("add", {"a": x, "b": before})
        of_sibling = builder.call("softmax", {"x": sibling}, {"axis": -1})
        ends = [before, read, of_sibling, builder.call("cos", {"x": target})]
        return [*ends, *(number for number in dict.fromkeys((x, target)) if isinstance(builder.entries[number], Node))]

    return build


def write(builder: Builder, value: int, target: int) -> None:
    """Let a node's value be written over another value.

    The builder's own values stay: compositions take operations that any number is ordinary for.
    """
    node = builder.entries[value]
    assert isinstance(node, Node)
    builder.entries[value] = replace(node, over=target)


def written_compositions(material: Material) -> Iterator[tuple[str, Program]]:
    """Each value with each of its views and with each thing to write: ``sum, transposed, doubled``; in any order."""
    made = [(one, two, three) for one in OWNERS for two in VIEWS for three in WRITTEN]
    for place in Stream(material.seed)("writes").permutation(len(made)):
        one, two, three = made[place]
        builder = material.builder()
        program = builder.program(_read(OWNERS[one], VIEWS[two], WRITTEN[three])(builder))
        if material.has(program):
            yield f"{one}, {two}, {three}", program


def write_programs(material: Material) -> Iterator[tuple[str, Program]]:
    """The compositions, and then random programs with writes, without end."""
    yield from written_compositions(material)
    for number in count():
        program = with_random_writes(random_program(material, number), material, number)
        if program is not None:
            yield "", program


SMALL: tuple[tuple[str, tuple[tuple[str, object], ...]], ...] = (
    *((name, ()) for name in ("tanh", "sigmoid", "sin", "cos", "negative", "relu")),
    *(("softmax", (("axis", axis),)) for axis in (0, -1)),
)
"""Operations whose values are ordinary whatever they are given, with keywords."""


def with_random_writes(program: Program, material: Material, number: int) -> Program | None:
    """The program with up to three writes between its nodes; ``None`` if what it computes then is not ordinary."""
    stream = Stream(material.seed)("writes")(str(number))
    choices = [choice for choice in SMALL if choice[0] in material.available]
    entries: list[Entry] = []
    numbers: dict[int, int] = {}
    # No single numbers, which NumPy for one gives as what nobody can write to.
    values = forward_values(program, material.specification, {}, None)
    targets = [place for place, item in enumerate(program.inputs) if item.kind != NUMBER and _can_be_written(values[place])]
    count_of_nodes = len(program.nodes)
    chosen = set(stream("places").permutation(count_of_nodes)[: 1 + int(stream("count").integers((), 0, MOST_WRITES))])
    outputs = list(program.outputs)
    for place, entry in enumerate(entries_of(program)):
        numbers[place] = len(entries)
        entries.append(entry.renumbered(numbers) if isinstance(entry, Node) else entry)
        if not isinstance(entry, Node):
            continue
        if _can_be_written(values[place]):
            targets.append(place)
        if place - len(program.inputs) in chosen and choices and targets:
            draw = stream(str(place))
            # Late values rather than early ones.
            target = targets[int(np.max(draw("target").integers((2,), 0, len(targets))))]
            name, keywords = choices[int(draw("operation").integers((), 0, len(choices)))]
            entries.append(Node(name, (("x", numbers[target]),), keywords, numbers[target]))
            outputs += [target] if target >= len(program.inputs) else []
    made = assembled(entries, [numbers[item] for item in dict.fromkeys(outputs)], program.seed)
    return made if made.writes and _stays_ordinary(made, material.specification) else None


def _can_be_written(value: Array) -> bool:
    return np.ndim(value) > 0 and np.asarray(value).dtype.kind == "f"


def _stays_ordinary(program: Program, specification: Mapping[str, Operation]) -> bool:
    """Whether all values are ordinary numbers, with the views that NumPy makes."""
    values: list[NDArray[np.generic]] = [np.array(item.array) for item in program.inputs]
    with np.errstate(all="ignore"):
        for node in program.nodes:
            try:
                value = np.asarray(specification[node.operation].function(**arguments_of(node, values), **dict(node.keywords)))
                if node.over is not None:
                    values[node.over][...] = value.copy()
            except ValueError:  # no axis to normalize over, or an array that only repeats another
                return False
            values.append(value)
            if not is_ordinary(value):
                return False
    return True
