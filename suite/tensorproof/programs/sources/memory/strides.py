"""Programs whose inputs do not lie contiguous: transposed, cut out of larger arrays, expanded, in windows that overlap.

Code that is compiled for one way to lie, or that takes an array's first place for the memory's, is wrong for another one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count

from tensorproof.contract.strides import MEMORIES, is_shared
from tensorproof.programs.building import Material, is_ordinary
from tensorproof.programs.evaluation import forward_values
from tensorproof.programs.program import NUMBER, Program
from tensorproof.programs.sources.memory.writes import written_compositions
from tensorproof.programs.sources.neighbours import NEIGHBOURS, of_all_shapes
from tensorproof.programs.sources.random_programs import random_program
from tensorproof.programs.sources.turns import next_of
from tensorproof_reference.operation import Operation
from tensorproof_reference.stream import Stream

CHANCES = 3
"""How often a random program is laid in memory anew, where its numbers are not ordinary then."""


def lying(program: Program, memories: Mapping[int, str], specification: Mapping[str, Operation]) -> Program | None:
    """The program with inputs that lie so, by number; ``None`` if it computes numbers that are not ordinary then."""
    inputs = [replace(item, memory=memories.get(number, item.memory)) for number, item in enumerate(program.inputs)]
    made = replace(program, inputs=tuple(inputs))
    if any(is_shared(memory) for memory in memories.values()):
        # Equal numbers, as the elements of one place are, have a variance of zero, or cancel.
        values = forward_values(made, specification, {}, None)
        return made if all(map(is_ordinary, values)) else None
    return made


def _ways(material: Material, rank: int, written: bool = False) -> list[str]:
    """How an input of so many axes may lie; all that there is where the backend keeps nothing, which then says so."""
    known = material.memories or MEMORIES
    return [name for name in known if MEMORIES[name].least_rank <= rank and not (written and is_shared(name))]


def _arrays(program: Program) -> list[int]:
    return [number for number, item in enumerate(program.inputs) if item.kind != NUMBER]


def strided_neighbours(material: Material) -> Iterator[tuple[str, Program]]:
    """Each way to lie before each neighbour, of the first operands and of all inputs: ``sliced, then tanh``; in any order."""
    made = [(memory, name, every) for memory in _ways(material, 4) for name in NEIGHBOURS for every in (False, True)]
    for place in Stream(material.seed)("strides").permutation(len(made)):
        memory, name, every = made[place]
        plain = of_all_shapes(material.builder(), NEIGHBOURS[name])
        if plain is None or not material.has(plain):
            continue
        operands = {node.numbers[0] for node in plain.nodes}
        chosen = [number for number in _arrays(plain) if every or number in operands]
        lie = {number: memory for number in chosen if MEMORIES[memory].least_rank <= len(plain.inputs[number].shape)}
        program = lying(plain, lie, material.specification)
        if program is not None and lie and (not every or len(_arrays(plain)) > len(operands)):
            yield f"{'all ' if every else ''}{memory}, then {name}", program


def strided_writes(material: Material) -> Iterator[tuple[str, Program]]:
    """Compositions that write over values, with arguments that lie otherwise: ``offset: sum, transposed, doubled``."""
    ways = _ways(material, 2, written=True)
    for number, (label, program) in enumerate(written_compositions(material)):
        memory = ways[number % len(ways)]
        lie = {place: memory for place in _arrays(program) if MEMORIES[memory].least_rank <= len(program.inputs[place].shape)}
        made = lying(program, lie, material.specification)
        if made is not None and lie:
            yield f"{memory}: {label}", made


def _drawn(material: Material, program: Program, stream: Stream) -> Mapping[int, str]:
    """How inputs of a program lie: every second one contiguous."""
    found = {}
    for number in _arrays(program):
        ways = _ways(material, len(program.inputs[number].shape), program.writes)
        place = int(stream(str(number)).integers((), 0, 2 * len(ways))) if ways else 0
        if ways and place < len(ways):
            found[number] = ways[place]
    return found


def strided_random_programs(material: Material) -> Iterator[tuple[str, Program]]:
    """Random programs with inputs that lie in any way, without end."""
    for number in count():
        program, stream = random_program(material, number), Stream(material.seed)("strides")(str(number))
        tries = (_drawn(material, program, stream(str(chance))) for chance in range(CHANCES))
        made = (lying(program, lie, material.specification) for lie in tries if lie)
        found = next((item for item in made if item is not None), None)
        if found is not None:
            yield "", found


def strided_programs(material: Material) -> Iterator[tuple[str, Program]]:
    """Neighbours, writes and random programs in turn, without end."""
    others: Sequence[Iterator[tuple[str, Program]]] = (
        strided_neighbours(material),
        strided_writes(material) if material.writes else iter(()),
    )
    for labelled in strided_random_programs(material):
        for other in others:
            yield from next_of(other)
        yield labelled
