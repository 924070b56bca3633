"""All sources in the order in which a campaign of limited time learns most."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count

from tensorproof.programs.building import Material
from tensorproof.programs.program import Program
from tensorproof.programs.sources.blocks import block_programs
from tensorproof.programs.sources.dtypes.mixed import cast_neighbours, mixed_patterns, mixed_programs, others_of
from tensorproof.programs.sources.dtypes.stored import stored_patterns
from tensorproof.programs.sources.identities import identity_programs
from tensorproof.programs.sources.memory.strides import strided_neighbours, strided_programs
from tensorproof.programs.sources.memory.writes import write_programs, written_compositions
from tensorproof.programs.sources.merges import merge_programs
from tensorproof.programs.sources.neighbours import neighbour_programs
from tensorproof.programs.sources.patterns import pattern_programs
from tensorproof.programs.sources.random_programs import random_program
from tensorproof.programs.sources.reported import reported_programs
from tensorproof.programs.sources.turns import next_of

Labelled = Iterator[tuple[str, Program]]


def random_programs(material: Material) -> Labelled:
    """Random programs without end."""
    for number in count():
        yield "", random_program(material, number)


def all_programs(material: Material) -> Labelled:
    """Patterns, identities, blocks and reports first; then random programs, merges, neighbours, writes, casts and inputs that are
    not contiguous in turn; without end.
    """
    neighbours, merges, mixed = neighbour_programs(material), merge_programs(material), mixed_programs(material)
    writes = write_programs(material) if material.writes else iter(())
    strided = strided_programs(material) if material.memories else iter(())
    yield from pattern_programs(material)
    yield from identity_programs(material)
    yield from block_programs(material)
    yield from reported_programs(material)
    for labelled in random_programs(material):
        yield labelled
        yield from next_of(merges)
        yield from next_of(neighbours)
        yield from next_of(writes)
        yield from next_of(mixed)
        yield from next_of(strided)


def fixed_programs(material: Material) -> Labelled:
    """A small set for every night: reported compositions, patterns, blocks and identities, and neighbours chosen for power."""
    yield from reported_programs(material)
    yield from pattern_programs(material)
    yield from block_programs(material)
    yield from identity_programs(material)
    for label, program in neighbour_programs(material):
        if label in CHOSEN:
            yield label, program
    for label, program in written_compositions(material) if material.writes else ():
        if label in CHOSEN_WRITES:
            yield label, program
    first = material if not others_of(material) else replace(material, dtypes=others_of(material)[:1])
    yield from mixed_patterns(first)
    for label, program in cast_neighbours(first):
        if label in CHOSEN_CASTS:
            yield label, program
    for label, program in stored_patterns(material):
        if label in CHOSEN_STORED:
            yield label, program
    for label, program in strided_neighbours(material) if material.memories else ():
        if label in CHOSEN_STRIDES:
            yield label, program


CHOSEN = (
    *("relu then largest_over_rows", "flattened then reduce_mean", "product_with_a_turned_square then exp"),
    *("cos then two_consumers", "flattened_and_cropped then exp", "plus_a_row then layer_norm", "multiply then summed_over_rows"),
    *("product then add", "strided_slice then padded", "relu beside its argument", "permute then transposed"),
    *("transposed then reduce_sum", "strided_slice then cropped", "exp then summed_over_rows", "multiply then plus_a_row"),
    *("residual then layer_norm", "product then relu", "softmax then masked", "concatenate then summed_over_columns"),
    *("flip then padded", "variance then scaled_by_a_row", "logsumexp then residual", "cumulative_sum then cropped"),
)
"""Neighbours that notice the miscompilations planted in tests, or such as reports tell of, by name."""


CHOSEN_WRITES = (
    *("argument, transposed_and_cropped, total", "sum, flattened_and_cropped, plus_one", "product, columns, tanh"),
    *("argument, itself, softmax", "sum, transposed_and_flattened, doubled", "sum, every_other_row, others"),
)
"""Writes of each kind, by name."""


CHOSEN_CASTS = (
    *("bfloat16 and back, then exp", "add, then bfloat16 and back", "reduce_sum in bfloat16", "matmul in bfloat16"),
    *("bfloat16 and back, then reduce_sum", "matmul, then bfloat16 and back"),
)
"""Casts around operations, by name."""


CHOSEN_STORED = (
    *("what_is_dropped in float8_e4m3fn", "both_stored in float8_e5m2", "large_gradients in float8_e4m3fn"),
    *("stored_result in float8_e5m2", "small_numbers in float8_e4m3fn", "stored_twice in float8_e4m3fn"),
)
"""Casts to 8 bits, by name."""


CHOSEN_STRIDES = (
    *("transposed, then tanh", "channels_last, then residual", "sliced, then summed_over_rows", "stepped, then product"),
    *("all cropped, then masked", "offset, then softmax_over_columns", "reversed, then flattened", "transposed, then flattened"),
    *("expanded_first, then two_consumers", "expanded_last, then plus_a_row", "windows, then summed_over_columns"),
    *("all transposed, then product", "transposed, then plus_a_row"),
)
"""Each way to lie in memory, by name, where a backend keeps it."""


SOURCES: Mapping[str, Callable[[Material], Labelled]] = {
    "all": all_programs,
    "random": random_programs,
    "neighbours": neighbour_programs,
    "patterns": pattern_programs,
    "identities": identity_programs,
    "blocks": block_programs,
    "merges": merge_programs,
    "reported": reported_programs,
    "writes": write_programs,
    "mixed": mixed_programs,
    "strides": strided_programs,
    "fixed": fixed_programs,
}
"""By the word of ``--source``."""
