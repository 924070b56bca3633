"""Which operations followed each other in the programs of a campaign, as a table: first by row, second by column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tensorproof_reports import fields

MOST_OPERATIONS = 80
"""Operations that a table has; those that are met most often come in."""


@dataclass(frozen=True)
class Coverage:
    """Pairs of operations."""

    pairs: int
    """Different pairs that were seen."""
    operations: Sequence[str]
    """Rows and columns of the table, by name."""
    left_out: int
    """Operations that the table does not have."""
    rows: Sequence[tuple[str, Sequence[int]]]
    """By first operation, how many programs have it before each of the others."""

    @property
    def possible(self) -> int:
        """Pairs that these operations could make."""
        return (len(self.operations) + self.left_out) ** 2


def coverage_of(seen: Mapping[str, int]) -> Coverage:
    """The table of pairs, ``first>second`` with the number of programs.

    >>> coverage_of({"exp>add": 2, "add>add": 1}).rows
    [('add', [1, 0]), ('exp', [2, 0])]
    """
    counts: dict[str, int] = {}
    pairs = {}
    for pair, count in seen.items():
        first, _, second = pair.partition(">")
        pairs[fields.clipped(first, 60), fields.clipped(second, 60)] = count
    for (first, second), count in pairs.items():
        for name in (first, second):
            counts[name] = counts.get(name, 0) + count
    chosen = sorted(sorted(counts, key=lambda name: (-counts[name], name))[:MOST_OPERATIONS])
    rows = [(first, [pairs.get((first, second), 0) for second in chosen]) for first in chosen]
    return Coverage(len(pairs), chosen, len(counts) - len(chosen), rows)
