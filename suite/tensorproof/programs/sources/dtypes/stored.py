"""Programs that store numbers in 8 bits: casts to float8 and back, around each operation, and where networks store."""

from collections.abc import Callable, Iterator, Mapping
from itertools import count

from tensorproof.programs.building import Builder, Entry, Material, assembled, entries_of, is_ordinary
from tensorproof.programs.dtypes import CAST, dtypes_of, is_narrower
from tensorproof.programs.evaluation import forward_values
from tensorproof.programs.program import Node, Program
from tensorproof.programs.sources.neighbours import of_all_shapes
from tensorproof.programs.sources.plain_calls import called, cast, there_and_back, times, two
from tensorproof.programs.sources.random_programs import random_program
from tensorproof.programs.sources.rows import ROWS
from tensorproof.programs.sources.turns import next_of
from tensorproof_reference.rounding import HELD
from tensorproof_reference.stream import Stream

ROW_COUNT, WIDTH = 6, 17
MOST_STORED = 2
"""Values that a random program stores in 8 bits at most."""

Build = Callable[[Builder, str], list[int]]
"""Makes the inputs and the calls, with a dtype of 8 bits; the numbers of the results."""


def _rows(builder: Builder) -> int:
    return builder.input((ROW_COUNT, WIDTH))


def _what_is_dropped(builder: Builder, dtype: str) -> list[int]:
    """What is lost of numbers, of a sum and of a product, when they are stored."""
    x, y = _rows(builder), _rows(builder)
    wholes = (x, two(builder, "add", x, y), two(builder, "multiply", x, y))
    return [two(builder, "subtract", whole, there_and_back(builder, whole, dtype)) for whole in wholes]


def _stored_weights(builder: Builder, dtype: str) -> list[int]:
    """A product with weights that are scaled before they are stored, and scaled back."""
    weights = times(builder, builder.input((WIDTH, WIDTH)), 16.0)
    read = times(builder, there_and_back(builder, weights, dtype), 0.0625)
    return [builder.call("tanh", {"x": two(builder, "matmul", _rows(builder), read)})]


def _both_stored(builder: Builder, dtype: str) -> list[int]:
    """A product of rows and weights that are stored, and the row sums of it."""
    x, w = (there_and_back(builder, item, dtype) for item in (_rows(builder), builder.input((WIDTH, WIDTH))))
    product = two(builder, "matmul", x, w)
    return [product, builder.call("reduce_sum", {"x": product}, {"axis": -1})]


def _stored_keys(builder: Builder, dtype: str) -> list[int]:
    """An attention whose keys and values are stored."""
    query, key, value = (builder.input(shape) for shape in ((2, ROW_COUNT, 16), (2, 7, 16), (2, 7, 9)))
    key, value = (there_and_back(builder, item, dtype) for item in (key, value))
    turned = builder.call("permute", {"x": key}, {"axes": (0, 2, 1)})
    scores = times(builder, two(builder, "matmul", query, turned), 0.25)
    return [two(builder, "matmul", builder.call("softmax", {"x": scores}, {"axis": -1}), value)]


def _stored_result(builder: Builder, dtype: str) -> list[int]:
    """What is stored is a result, and stored and read once more: no gradients are added up in 8 bits."""
    y = builder.call("gelu", {"x": _rows(builder)})
    return [cast(builder, y, dtype), builder.call("exp", {"x": there_and_back(builder, y, dtype)})]


def _large_gradients(builder: Builder, dtype: str) -> list[int]:
    """A scaled loss: gradients that are cast on their way back may be beyond the range of 8 bits."""
    read = there_and_back(builder, builder.call("tanh", {"x": _rows(builder)}), dtype)
    return [times(builder, builder.call("reduce_sum", {"x": read}, {"axis": -1}), 256.0)]


def _small_numbers(builder: Builder, dtype: str) -> list[int]:
    """Numbers down to those that are subnormal in 8 bits, or zero."""
    x = builder.call("exp", {"x": times(builder, builder.input((ROW_COUNT, WIDTH), "positive"), -4.0)})
    return [times(builder, there_and_back(builder, x, dtype), 64.0)]


def _stored_twice(builder: Builder, dtype: str) -> list[int]:
    """Stored in both dtypes of 8 bits, one after the other, and a sum of both."""
    x = _rows(builder)
    first = there_and_back(builder, x, dtype)
    other = cast(builder, cast(builder, x, "float8_e5m2"), "float8_e4m3fn")
    return [two(builder, "add", first, cast(builder, other, builder.dtype))]


STORED_PATTERNS: Mapping[str, Build] = {
    "what_is_dropped": _what_is_dropped,
    "stored_weights": _stored_weights,
    "both_stored": _both_stored,
    "stored_keys": _stored_keys,
    "stored_result": _stored_result,
    "large_gradients": _large_gradients,
    "small_numbers": _small_numbers,
    "stored_twice": _stored_twice,
}
"""By name."""


def stored_patterns(material: Material) -> Iterator[tuple[str, Program]]:
    """Each pattern in each dtype of 8 bits that the backend holds, with its name: ``stored_keys in float8_e5m2``."""
    for dtype in material.stored:
        for name, build in STORED_PATTERNS.items():
            builder = material.builder()
            program = builder.program(build(builder, dtype))
            if material.has(program) and {item for _, item in _cast_to(program)} <= {*material.stored, material.dtype}:
                yield f"{name} in {dtype}", program


def _cast_to(program: Program) -> list[tuple[int, str]]:
    return [(place, str(dict(node.keywords)["dtype"])) for place, node in enumerate(program.nodes) if node.operation == CAST]


def _around(name: str, dtype: str) -> Iterator[tuple[str, Callable[[Builder, int], int]]]:
    def before(builder: Builder, x: int) -> int:
        return called(builder, name, there_and_back(builder, x, dtype))

    def after(builder: Builder, x: int) -> int:
        y = called(builder, name, x)
        if not builder.is_floating(y):
            raise ValueError("a condition has no digits to drop")
        return there_and_back(builder, y, dtype)

    yield f"{dtype} and back, then {name}", before
    yield f"{name}, then {dtype} and back", after


def stored_neighbours(material: Material) -> Iterator[tuple[str, Program]]:
    """Each operation after and before a cast to 8 bits and back, with its name, in any order."""
    names = [name for name in ROWS if name in material.available and name in material.specification]
    made = [around for dtype in material.stored for name in names for around in _around(name, dtype)]
    for place in Stream(material.seed)("stored").permutation(len(made)):
        label, make = made[place]
        program = of_all_shapes(material.builder(), make)
        if program is not None and material.has(program):
            yield label, program


def with_stored_values(program: Program, material: Material, number: int) -> Program | None:
    """The program with one or two of its values stored in 8 bits before others take them; ``None`` if none can be."""
    stream = Stream(material.seed)("stored")(str(number))
    dtypes = dtypes_of(program, material.specification)
    first, taken = len(program.inputs), {item for node in program.nodes for item in node.numbers}
    wide = [dtype in HELD and all(is_narrower(item, dtype) for item in material.stored) for dtype in dtypes]
    places = [place for place in range(first, len(dtypes)) if place in taken and wide[place]]
    chosen = [places[item] for item in stream("places").permutation(len(places))[: 1 + number % MOST_STORED]]
    entries: list[Entry] = []
    numbers: dict[int, int] = {}
    read: dict[int, int] = {}
    for place, entry in enumerate(entries_of(program)):
        entries.append(entry.renumbered({**numbers, **read}) if isinstance(entry, Node) else entry)
        numbers[place] = len(entries) - 1
        if place in chosen:
            dtype = material.stored[int(stream(str(place)).integers((), 0, len(material.stored)))]
            entries.append(Node(CAST, (("x", numbers[place]),), (("dtype", dtype),)))
            entries.append(Node(CAST, (("x", len(entries) - 1),), (("dtype", dtypes[place]),)))
            read[place] = len(entries) - 1
    if not chosen:
        return None
    made = assembled(entries, [numbers[item] for item in program.outputs], program.seed)
    return made if all(map(is_ordinary, forward_values(made, material.specification, {}, None))) else None


def stored_programs(material: Material) -> Iterator[tuple[str, Program]]:
    """The patterns, and then neighbours and random programs in turn, without end; none where nothing is held in 8 bits."""
    if not material.stored or CAST not in material.available:
        return
    yield from stored_patterns(material)
    neighbours = stored_neighbours(material)
    for number in count():
        program = with_stored_values(random_program(material, number), material, number)
        if program is not None:
            yield "", program
        yield from next_of(neighbours)
