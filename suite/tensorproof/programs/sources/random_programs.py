"""Random programs: the same seed and number give the same program.

Each program takes a few steps of a walk over all pairs of operations, so that a campaign meets new pairs before old ones.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from tensorproof.programs.building import Builder, Material
from tensorproof.programs.dtypes import is_narrower
from tensorproof.programs.program import Input, Node, Program
from tensorproof.programs.sources.rows import ROWS, Row, Shape
from tensorproof.programs.sources.walk import walk_over_pairs
from tensorproof_reference.stream import Stream

FEWEST_NODES, MOST_NODES = 4, 24
STRIDE = 10
"""Steps of the walk from one program to the next."""
MOST_IN_A_ROW = 7
"""Operations that follow each other before new inputs are drawn: further down, little is left of a mistake."""
OFTEN = 5
"""The weight from which on an operation has two places on the walk."""
SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 11, 15, 16, 17, 24, 31, 32, 33)
MOST_AXES = 4
MOST_DRAWN = 4_000
"""Elements that an input has at most."""
PATIENCE = 400
"""Calls that are tried before a program is left as short as it is."""
TRIES = 6
"""How often the next operation of the walk is tried on the value before it, and then on another one."""
KINDS = (*["normal"] * 6, *["positive"] * 3, "large", "offset")
NARROW_RANGE = "float16"
"""What random programs cast nothing to: gradients would overflow on the way, in the order of one framework or another."""
NUMBERS = (0.0, 1.0, 2.0, 0.5, -1.0)


class RandomHand(Builder):
    """A program in the making, and what rules of shapes draw with (``rows.Hand``)."""

    def __init__(self, material: Material, seed: int, stream: Stream, rows: Mapping[str, Row]) -> None:
        super().__init__(material.specification, material.dtype, seed, material.numbers)
        self._stream = stream
        self._rows = rows
        self._others = sorted(item for item in material.dtypes if item != NARROW_RANGE and _nests(item, material.dtype))
        self._beside = material.dtype
        """The dtype of the value that was taken last, which what is made for it has too."""
        self.wanted: int | None = None
        """The value that the next operation shall take."""

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
        """The length of an axis; every other time one that there is, so that squares are met and wrong axes fit."""
        known = sorted({length for value in self.values for length in value.shape if length <= max(SIZES)})
        return known[self.below(len(known))] if known and self.below(2) else SIZES[self.below(len(SIZES))]

    def new_shape(self) -> Shape:
        """A shape of one to four axes."""
        shape: tuple[int, ...] = ()
        for _ in range(1 + self.below(MOST_AXES)):
            size = shape[-1] if shape and not self.below(4) else self.size()
            if np.prod(shape, dtype=int) * size <= MOST_DRAWN:
                shape = (*shape, size)
        return shape

    def fresh(self, shape: Shape, kind: str = "normal") -> int:
        """A new input."""
        return self.input(shape, kind, self._beside)

    def value(self, least_rank: int = 0) -> int | None:
        """A floating value with so many axes at least; the wanted one if it is such."""
        known = [number for number in self._floating() if len(self.shape(number)) >= least_rank]
        if self.wanted in known:
            number = self.wanted
        elif known:
            number = self.one_of(known)
        else:
            return None
        self._beside = self.dtypes[number]
        return number

    def castable(self) -> int | None:
        """The wanted value if it is a condition, or a floating one."""
        if self.wanted is not None and self.values[self.wanted].dtype.kind == "b":
            return self.wanted
        return self.value()

    def other_dtype(self, number: int) -> str:
        """A floating dtype that a value has not: mostly the program's own, if the value has another."""
        own = self.dtypes[number]
        return self.dtype if own != self.dtype or not self._others else self._others[self.below(len(self._others))]

    def fitting(self, other: int) -> int:
        """Another floating value that broadcasts, the same one now and then, or a new input of a part of its axes."""
        if not self.below(12):
            return other
        known = [number for number in self._floating() if number != other and self._fits(number, other)]
        if known and self.below(3):
            return self.one_of(known)
        return self.input(self._part_of(self.shape(other)), self.kind(), self.dtypes[other])

    def constant(self, operation: str) -> int | None:
        """A number that is written into the program, now and then, where an operation takes one."""
        if operation not in self.numbers or self.below(8):
            return None
        return self.number(NUMBERS[self.below(len(NUMBERS))], operation)

    def truth(self, shape: Shape) -> int:
        """A boolean value that broadcasts with a shape without making it longer, or a new input; the wanted one if it fits."""
        known = [
            number
            for number in range(len(self.entries))
            if not self.is_floating(number) and _broadcasts(self.shape(number), shape)
        ]
        if self.wanted in known:
            return self.wanted
        return self.one_of(known) if known and self.below(4) else self.input(self._part_of(shape), "truth")

    def kind(self) -> str:
        """How an input is drawn."""
        return KINDS[self.below(len(KINDS))]

    def _floating(self) -> list[int]:
        return [number for number in range(len(self.entries)) if self.is_floating(number) and not self.is_number(number)]

    def _fits(self, one: int, other: int) -> bool:
        return self.dtypes[one] == self.dtypes[other] and _broadcasts(self.shape(one), self.shape(other))

    def _part_of(self, shape: Shape) -> Shape:
        """A shape that broadcasts with another: without some leading axes, or with lengths of 1."""
        kept = shape[self.below(len(shape) + 1) :] if self.below(2) else shape
        return tuple(1 if not self.below(5) else size for size in kept)

    def take(self, name: str) -> bool:
        """Call an operation on what its rule draws; ``False`` if that is no call of ordinary numbers, and nothing has changed."""
        before = len(self.entries)
        drawn = self._rows[name].rule(self)
        try:
            if drawn is not None:
                self._settle(before)
                taken = self.call(name, *drawn)
                entry = self.entries[taken]
                if self.wanted is None or (isinstance(entry, Node) and self.wanted in entry.numbers):
                    return True
        except ValueError:
            pass
        # Not ordinary, shapes that do not fit after all, or another value: what was drawn for it goes too.
        self.forget(before)
        return False

    def _settle(self, before: int) -> None:
        """Let numbers that were made for a call have the dtype of what they are computed with; it has them all exactly."""
        for place in range(before, len(self.entries)):
            entry = self.entries[place]
            if isinstance(entry, Input) and self.is_number(place):
                self.entries[place], self.dtypes[place] = replace(entry, dtype=self._beside), self._beside


def _nests(one: str, other: str) -> bool:
    """Whether one of two dtypes has all numbers of the other, and more."""
    return is_narrower(one, other) or is_narrower(other, one)


def _broadcasts(one: Shape, other: Shape) -> bool:
    return all(m == n or 1 in (m, n) for m, n in zip(one[::-1], other[::-1], strict=False))


def random_program(material: Material, number: int, rows: Mapping[str, Row] = ROWS, more: tuple[str, ...] = ()) -> Program:
    """A program of 4 to 24 nodes of the operations that are available; those in ``more`` have further places on the walk.

    Raises:
        ValueError: no operation is available that programs are drawn from.
    """
    names = tuple(name for name in rows if name in material.available and name in material.specification)
    if not names:
        raise ValueError("available: none of the operations that programs are drawn from")
    stream = Stream(material.seed)("programs")(str(number))
    hand = RandomHand(material, 1_000_000 * material.seed + number, stream, rows)
    often = tuple(name for name in names if rows[name].weight >= OFTEN)
    steps = _steps((*names, *often, *more), material.seed, number)
    wanted = FEWEST_NODES + hand.below(MOST_NODES - FEWEST_NODES + 1)
    made = row = 0
    for _ in range(PATIENCE):
        if made < wanted:
            if not row:
                row = 1 + hand.below(MOST_IN_A_ROW)
                hand.input(hand.new_shape(), hand.kind())
            made += _taken(hand, next(steps))
            row -= 1
    return hand.program(_outputs(hand)) if made else random_program(material, number + 10**9, rows, more)


def _steps(names: tuple[str, ...], seed: int, number: int) -> Iterator[str]:
    """The operations of the walk from the program's own place on, for ever."""
    walk = walk_over_pairs(names, seed)
    place = STRIDE * number
    while True:
        yield walk[place % len(walk)]
        place += 1


def _taken(hand: RandomHand, name: str) -> int:
    """How often the next operation of the walk took the latest value: once or twice, or once another one where it cannot."""
    hand.wanted = len(hand.entries) - 1
    found = any(hand.take(name) for _ in range(TRIES))
    if found and not hand.below(3):
        # The same again with other keywords or operands: what a compiler must not take for common.
        again = hand.take(name)
        hand.wanted = None
        return 1 + again
    hand.wanted = None
    return int(found or any(hand.take(name) for _ in range(TRIES)))


def _outputs(hand: RandomHand) -> list[int]:
    """What nothing else takes, and now and then what something does; booleans are no outputs."""
    taken = {number for entry in hand.entries if isinstance(entry, Node) for number in entry.numbers}
    nodes = [number for number, entry in enumerate(hand.entries) if isinstance(entry, Node) and hand.is_floating(number)]
    ends = [number for number in nodes if number not in taken or not hand.below(6)]
    return ends or nodes[-1:]
