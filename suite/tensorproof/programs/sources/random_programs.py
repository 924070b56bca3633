"""Random programs: the same seed and number give the same program."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from tensorproof.programs.building import Builder
from tensorproof.programs.program import Node, Program
from tensorproof.programs.sources.rows import ROWS, Shape
from tensorproof_reference.operation import Operation
from tensorproof_reference.stream import Stream

FEWEST_NODES, MOST_NODES = 4, 15
SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 11, 15, 16, 17, 24, 31, 32, 33)
MOST_AXES = 4
MOST_DRAWN = 4_000
"""Elements that an input has at most."""
PATIENCE = 400
"""Calls that are tried before a program is left as short as it is."""


class RandomHand(Builder):
    """A program in the making, and what rules of shapes draw with (``rows.Hand``)."""

    def __init__(self, specification: Mapping[str, Operation], dtype: str, seed: int, stream: Stream) -> None:
        super().__init__(specification, dtype, seed)
        self._stream = stream

    def below(self, count: int) -> int:
        """A number below ``count``."""
        return int(self._stream.raw(1)[0] >> np.uint64(11)) % count

    def one_of(self, items: Sequence[int]) -> int:
        """One of some numbers; of three draws the latest one, so that programs grow long rather than wide."""
        return items[max(self.below(len(items)) for _ in range(3))]

    def shape(self, number: int) -> Shape:
        """The shape of a value."""
        return self.values[number].shape

    def size(self) -> int:
        """The length of an axis."""
        return SIZES[self.below(len(SIZES))]

    def new_shape(self) -> Shape:
        """A shape of one to four axes."""
        shape: tuple[int, ...] = ()
        for _ in range(1 + self.below(MOST_AXES)):
            size = self.size()
            if np.prod(shape, dtype=int) * size <= MOST_DRAWN:
                shape = (*shape, size)
        return shape

    def fresh(self, shape: Shape, kind: str = "normal") -> int:
        """A new input."""
        return self.input(shape, kind)

    def value(self, least_rank: int = 0) -> int | None:
        """A floating value with so many axes at least."""
        known = [number for number in self._floating() if len(self.shape(number)) >= least_rank]
        return self.one_of(known) if known else None

    def fitting(self, other: int) -> int:
        """Another floating value that broadcasts, the same one now and then, or a new input of a part of its axes."""
        if not self.below(12):
            return other
        known = [number for number in self._floating() if number != other and _broadcasts(self.shape(number), self.shape(other))]
        return self.one_of(known) if known and self.below(3) else self.input(self._part_of(self.shape(other)), self._kind())

    def truth(self, shape: Shape) -> int:
        """A boolean value that broadcasts with a shape without making it longer, or a new input."""
        known = [
            number
            for number in range(len(self.entries))
            if not self.is_floating(number) and _broadcasts(self.shape(number), shape)
        ]
        return self.one_of(known) if known and self.below(4) else self.input(self._part_of(shape), "truth")

    def _floating(self) -> list[int]:
        return [number for number in range(len(self.entries)) if self.is_floating(number)]

    def _kind(self) -> str:
        return ("normal", "normal", "positive")[self.below(3)]

    def _part_of(self, shape: Shape) -> Shape:
        """A shape that broadcasts with another: without some leading axes, or with lengths of 1."""
        kept = shape[self.below(len(shape) + 1) :] if not self.below(3) else shape
        return tuple(1 if not self.below(5) else size for size in kept)


def _broadcasts(one: Shape, other: Shape) -> bool:
    return all(m == n or 1 in (m, n) for m, n in zip(one[::-1], other[::-1], strict=False))


def random_program(
    specification: Mapping[str, Operation], available: Collection[str], dtype: str, seed: int, number: int
) -> Program:
    """A program of 4 to 15 nodes of the operations that are available.

    Raises:
        ValueError: no operation is available that programs are drawn from.
    """
    rows = {name: row for name, row in ROWS.items() if name in available and name in specification}
    if not rows:
        raise ValueError("available: none of the operations that programs are drawn from")
    stream = Stream(seed)("programs")(str(number))
    hand = RandomHand(specification, dtype, 1_000_000 * seed + number, stream)
    wanted = FEWEST_NODES + hand.below(MOST_NODES - FEWEST_NODES + 1)
    weighted = [name for name, row in rows.items() for _ in range(row.weight)]
    for _ in range(1 + hand.below(3)):
        hand.input(hand.new_shape(), hand._kind())
    nodes = 0
    for _ in range(PATIENCE):
        before = len(hand.entries)
        name = weighted[hand.below(len(weighted))]
        drawn = rows[name].rule(hand)
        try:
            if drawn is not None:
                hand.call(name, *drawn)
                nodes += 1
        except ValueError:
            # Not ordinary, or shapes that do not fit after all: what was drawn for it goes too.
            del hand.entries[before:], hand.values[before:]
        if nodes == wanted:
            break
    return hand.program(_outputs(hand)) if nodes else random_program(specification, available, dtype, seed, number + 10**9)


def _outputs(hand: RandomHand) -> list[int]:
    """What nothing else takes, and now and then what something does; booleans are no outputs."""
    taken = {number for entry in hand.entries if isinstance(entry, Node) for number in entry.numbers}
    nodes = [number for number, entry in enumerate(hand.entries) if isinstance(entry, Node) and hand.is_floating(number)]
    ends = [number for number in nodes if number not in taken or not hand.below(8)]
    return ends or nodes[-1:]
