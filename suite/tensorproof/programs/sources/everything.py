"""All sources in the order in which a campaign of limited time learns most."""

from collections.abc import Callable, Iterator, Mapping
from itertools import count

from tensorproof.programs.building import Material
from tensorproof.programs.program import Program
from tensorproof.programs.sources.blocks import block_programs
from tensorproof.programs.sources.identities import identity_programs
from tensorproof.programs.sources.neighbours import neighbour_programs
from tensorproof.programs.sources.patterns import pattern_programs
from tensorproof.programs.sources.random_programs import random_program

Labelled = Iterator[tuple[str, Program]]


def random_programs(material: Material) -> Labelled:
    """Random programs without end."""
    for number in count():
        yield "", random_program(material, number)


def all_programs(material: Material) -> Labelled:
    """Patterns, identities and blocks first, then random programs and neighbours in turn; without end."""
    neighbours = neighbour_programs(material)
    yield from pattern_programs(material)
    yield from identity_programs(material)
    yield from block_programs(material)
    for labelled in random_programs(material):
        yield labelled
        yield from _next(neighbours)


def _next(programs: Labelled) -> Labelled:
    """The next program, if there is one."""
    for labelled in programs:
        yield labelled
        return


SOURCES: Mapping[str, Callable[[Material], Labelled]] = {
    "all": all_programs,
    "random": random_programs,
    "neighbours": neighbour_programs,
    "patterns": pattern_programs,
    "identities": identity_programs,
    "blocks": block_programs,
}
"""By the word of ``--source``."""
