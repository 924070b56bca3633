"""Programs of several dtypes: mixed precision as networks have it, casts around each operation, random programs with casts."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

from tensorproof.programs.building import Builder, Material
from tensorproof.programs.dtypes import CAST, is_narrower
from tensorproof.programs.program import Program
from tensorproof.programs.sources.dtypes.stored import stored_programs
from tensorproof.programs.sources.neighbours import Neighbour, of_all_shapes
from tensorproof.programs.sources.plain_calls import called, cast, there_and_back, times, two
from tensorproof.programs.sources.random_programs import random_program
from tensorproof.programs.sources.rows import ROWS, Row, casted
from tensorproof.programs.sources.turns import next_of
from tensorproof_reference.stream import Stream

ROW_COUNT, WIDTH = 6, 17
PLACES = 6
"""Places of casts on the walk of random programs, which has one or two of each other operation."""


@dataclass(frozen=True)
class Pair:
    """A dtype, and one with more digits beside it."""

    narrow: str
    wide: str


Build = Callable[[Builder, Pair], list[int]]
"""Makes the inputs and the calls; the numbers of the results."""


def _rows(builder: Builder, dtype: str, width: int = WIDTH) -> int:
    return builder.input((ROW_COUNT, width), dtype=dtype)


def _weights(builder: Builder, dtype: str) -> int:
    return builder.input((WIDTH, WIDTH), dtype=dtype)


def _linear_summed_wide(builder: Builder, pair: Pair) -> list[int]:
    """A product of narrow arrays that is kept wide for bias and activation, and then cast."""
    given = {"a": _rows(builder, pair.narrow), "b": _weights(builder, pair.narrow)}
    y = builder.call("mixed_matmul", given, {"dtype": pair.wide})
    y = two(builder, "add", y, builder.input((WIDTH,), dtype=pair.wide))
    return [cast(builder, builder.call("gelu", {"x": y}), pair.narrow)]


def _linear_of_cast_weights(builder: Builder, pair: Pair) -> list[int]:
    """Wide weights that are cast for a narrow product, as autocast has it, and a wide loss."""
    x, w, bias = _rows(builder, pair.wide), _weights(builder, pair.wide), builder.input((WIDTH,), dtype=pair.wide)
    narrow = [cast(builder, item, pair.narrow) for item in (x, w, bias)]
    y = builder.call("tanh", {"x": two(builder, "add", two(builder, "matmul", *narrow[:2]), narrow[2])})
    loss = builder.call("reduce_mean", {"x": builder.call("square", {"x": cast(builder, y, pair.wide)})}, {"axis": -1})
    return [y, loss]


def _attention_with_wide_softmax(builder: Builder, pair: Pair) -> list[int]:
    """Narrow queries, keys and values; the softmax is wide."""
    query, key, value = (builder.input(shape, dtype=pair.narrow) for shape in ((2, ROW_COUNT, 16), (2, 7, 16), (2, 7, 9)))
    turned = builder.call("permute", {"x": key}, {"axes": (0, 2, 1)})
    scores = cast(builder, times(builder, two(builder, "matmul", query, turned), 0.25), pair.wide)
    weights = cast(builder, builder.call("softmax", {"x": scores}, {"axis": -1}), pair.narrow)
    return [two(builder, "matmul", weights, value)]


def _softmax_computed_wide(builder: Builder, pair: Pair) -> list[int]:
    """Of narrow numbers, along either axis; the result is wide and narrow."""
    x = cast(builder, _rows(builder, pair.narrow), pair.wide)
    found = [builder.call("softmax", {"x": x}, {"axis": axis}) for axis in (0, -1)]
    return [*found, *(cast(builder, item, pair.narrow) for item in found)]


def _mean(builder: Builder, x: int) -> int:
    return builder.call("reduce_mean", {"x": x}, {"axis": -1, "keepdims": True})


def _scaled_to_unit(builder: Builder, x: int) -> int:
    """Divided by the root of the mean of squares."""
    spread = _mean(builder, builder.call("square", {"x": x}))
    epsilon = builder.number(2.0**-10, "add", builder.dtypes[x])
    return two(builder, "multiply", x, builder.call("rsqrt", {"x": two(builder, "add", spread, epsilon)}))


def _layer_norm_computed_wide(builder: Builder, pair: Pair) -> list[int]:
    """Of a narrow array, with wide scale and offset."""
    x = cast(builder, _rows(builder, pair.narrow), pair.wide)
    unit = _scaled_to_unit(builder, two(builder, "subtract", x, _mean(builder, x)))
    scaled = two(builder, "multiply", unit, builder.input((WIDTH,), dtype=pair.wide))
    return [cast(builder, two(builder, "add", scaled, builder.input((WIDTH,), dtype=pair.wide)), pair.narrow)]


def _root_mean_square_norm(builder: Builder, pair: Pair) -> list[int]:
    """Computed wide, cast, and scaled by a narrow row."""
    unit = cast(builder, _scaled_to_unit(builder, cast(builder, _rows(builder, pair.narrow), pair.wide)), pair.narrow)
    return [two(builder, "multiply", unit, builder.input((WIDTH,), dtype=pair.narrow))]


def _scaled_loss(builder: Builder, pair: Pair) -> list[int]:
    """The cross-entropy of narrow scores, computed wide and scaled, so that narrow gradients do not vanish."""
    scores = two(builder, "matmul", _rows(builder, pair.narrow), _weights(builder, pair.narrow))
    likely = builder.call("log_softmax", {"x": cast(builder, scores, pair.wide)}, {"axis": -1})
    share = builder.call("softmax", {"x": _rows(builder, pair.wide)}, {"axis": -1})
    loss = builder.call("reduce_sum", {"x": two(builder, "multiply", likely, share)}, {"axis": -1})
    return [times(builder, loss, -128.0)]


def _residual_kept_wide(builder: Builder, pair: Pair) -> list[int]:
    """A wide sum of branches that are computed narrow."""
    x = _rows(builder, pair.wide)
    for _ in range(2):
        branch = builder.call("layer_norm", {"x": x})
        product = two(builder, "matmul", cast(builder, branch, pair.narrow), _weights(builder, pair.narrow))
        x = two(builder, "add", x, cast(builder, builder.call("silu", {"x": product}), pair.wide))
    return [x, builder.call("reduce_sum", {"x": x}, {"axis": 0})]


def _master_step(builder: Builder, pair: Pair) -> list[int]:
    """A wide weight less a narrow gradient, and what a network sees of it."""
    gradient = two(
        builder,
        "matmul",
        builder.call("permute", {"x": _rows(builder, pair.narrow)}, {"axes": (1, 0)}),
        _rows(builder, pair.narrow),
    )
    moved = two(builder, "subtract", _weights(builder, pair.wide), times(builder, cast(builder, gradient, pair.wide), 2.0**-7))
    return [moved, cast(builder, moved, pair.narrow)]


def _sum_computed_wide(builder: Builder, pair: Pair) -> list[int]:
    """Narrow numbers summed wide along each axis."""
    x = cast(builder, builder.call("exp", {"x": _rows(builder, pair.narrow, 40)}), pair.wide)
    return [cast(builder, builder.call("reduce_sum", {"x": x}, {"axis": axis}), pair.narrow) for axis in (0, -1)]


def _what_is_dropped(builder: Builder, pair: Pair) -> list[int]:
    """What a cast drops of numbers, of a sum and of a product."""
    x, y = _rows(builder, pair.wide), _rows(builder, pair.wide)
    wholes = (x, two(builder, "add", x, y), two(builder, "multiply", x, y))
    return [two(builder, "subtract", whole, there_and_back(builder, whole, pair.narrow)) for whole in wholes]


def _split_in_two(builder: Builder, pair: Pair) -> list[int]:
    """A product by narrow parts: the numbers cast, and what the cast drops, cast as well."""
    x, w = _rows(builder, pair.wide), cast(builder, _weights(builder, pair.wide), pair.narrow)
    high = cast(builder, x, pair.narrow)
    low = cast(builder, two(builder, "subtract", x, cast(builder, high, pair.wide)), pair.narrow)
    parts = [cast(builder, two(builder, "matmul", part, w), pair.wide) for part in (high, low)]
    return [two(builder, "add", *parts), cast(builder, low, pair.wide)]


def _cast_mask(builder: Builder, pair: Pair) -> list[int]:
    """A condition as numbers, in either dtype."""
    x = _rows(builder, pair.wide)
    mask = builder.call("less", {"a": x, "b": _rows(builder, pair.wide)})
    kept = two(builder, "multiply", cast(builder, x, pair.narrow), cast(builder, mask, pair.narrow))
    return [kept, two(builder, "add", cast(builder, kept, pair.wide), cast(builder, mask, pair.wide))]


def _whole_numbers(builder: Builder, pair: Pair) -> list[int]:
    """The part of numbers behind the point, by an integer."""
    x = builder.input((ROW_COUNT, WIDTH), "large", pair.wide)
    return [two(builder, "subtract", x, there_and_back(builder, x, "int32"))]


MIXED: Mapping[str, Build] = {
    "linear_summed_wide": _linear_summed_wide,
    "linear_of_cast_weights": _linear_of_cast_weights,
    "attention_with_wide_softmax": _attention_with_wide_softmax,
    "softmax_computed_wide": _softmax_computed_wide,
    "layer_norm_computed_wide": _layer_norm_computed_wide,
    "rms_norm_computed_wide": _root_mean_square_norm,
    "scaled_loss": _scaled_loss,
    "residual_kept_wide": _residual_kept_wide,
    "master_step": _master_step,
    "sum_computed_wide": _sum_computed_wide,
    "what_is_dropped": _what_is_dropped,
    "split_in_two": _split_in_two,
    "cast_mask": _cast_mask,
    "whole_numbers": _whole_numbers,
}
"""By name."""


def others_of(material: Material) -> list[str]:
    """The dtypes that programs cast to: those with more digits and range than the material's own, or fewer; narrow ones first."""
    own = material.dtype
    narrow = [dtype for dtype in material.dtypes if is_narrower(dtype, own)]
    return [*sorted(narrow), *sorted(dtype for dtype in material.dtypes if is_narrower(own, dtype))]


def mixed_patterns(material: Material) -> Iterator[tuple[str, Program]]:
    """Each pattern with the material's own dtype and each other, with its name: ``scaled_loss in bfloat16 and float32``."""
    own = material.dtype
    for other in others_of(material):
        pair = Pair(other, own) if is_narrower(other, own) else Pair(own, other)
        for name, build in MIXED.items():
            builder = material.builder()
            try:
                program = builder.program(build(builder, pair))
            except ValueError:  # a product is kept in float32 at most
                continue
            if material.has(program):
                yield f"{name} in {pair.narrow} and {pair.wide}", program


@contextmanager
def _new_inputs_in(builder: Builder, dtype: str) -> Iterator[None]:
    own = builder.dtype
    builder.dtype = dtype
    try:
        yield
    finally:
        builder.dtype = own


def _around(name: str, dtype: str, narrower: bool) -> Iterator[tuple[str, Neighbour]]:
    """What is made of an operation and casts to a dtype; a cast to more digits and back changes nothing."""

    def within(builder: Builder, x: int) -> int:
        with _new_inputs_in(builder, dtype):
            y = called(builder, name, cast(builder, x, dtype))
        return cast(builder, y, builder.dtype)

    def before(builder: Builder, x: int) -> int:
        return called(builder, name, there_and_back(builder, x, dtype))

    def after(builder: Builder, x: int) -> int:
        y = called(builder, name, x)
        if not builder.is_floating(y):
            raise ValueError("a condition has no digits to drop")
        return there_and_back(builder, y, dtype)

    yield f"{name} in {dtype}", within
    if narrower:
        yield f"{dtype} and back, then {name}", before
        yield f"{name}, then {dtype} and back", after


def cast_neighbours(material: Material) -> Iterator[tuple[str, Program]]:
    """Each operation between casts, before and after a cast there and back; each with its name, in any order."""
    names = [name for name in ROWS if name in material.available and name in material.specification]
    made = [
        around
        for dtype in others_of(material)
        for name in names
        for around in _around(name, dtype, is_narrower(dtype, material.dtype))
    ]
    for place in Stream(material.seed)("casts").permutation(len(made)):
        label, make = made[place]
        program = of_all_shapes(material.builder(), make)
        if program is not None and material.has(program):
            yield label, program


MIXED_ROWS: Mapping[str, Row] = {**ROWS, CAST: Row(PLACES, casted)}
"""The operations that random programs of several dtypes are drawn from."""


def mixed_random_programs(material: Material) -> Iterator[tuple[str, Program]]:
    """Random programs with casts, without end."""
    for number in count():
        program = random_program(material, number, MIXED_ROWS, (CAST,) * (PLACES - 1))
        if any(node.operation == CAST for node in program.nodes):
            yield "", program


def mixed_programs(material: Material) -> Iterator[tuple[str, Program]]:
    """The patterns, and then neighbours, random programs and those that store in 8 bits in turn, without end; none where there is
    nothing to cast to.
    """
    yield from mixed_patterns(material)
    stored = stored_programs(material)
    if CAST in material.available and others_of(material):
        neighbours = cast_neighbours(material)
        for labelled in mixed_random_programs(material):
            yield labelled
            yield from next_of(neighbours)
            yield from next_of(stored)
    yield from stored
