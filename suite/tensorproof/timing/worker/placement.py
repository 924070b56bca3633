"""Where a case's arguments lie in memory: drawn anew before each block.

The time of the same code moves by some percent with the addresses of its arrays, since these decide which lines of a cache they
share. A process that keeps its arrays keeps its luck, and then a thousand rounds say no more than one. With addresses drawn for
each block, luck becomes noise that the interval shows and further rounds lessen. Source: Curtsinger and Berger, Stabilizer,
ASPLOS 2013.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.backend import Native
from tensorproof.timing.arrays import ROTATED

Host = tuple[tuple[tuple[NDArray[Any], str], ...], ...]
"""A set of arguments in the host's memory: groups of arrays, each with the name of its dtype."""
Place = Callable[[NDArray[Any], str], Native]
LINE = 64
MOST_LINES = 1 << 15
"""Up to 2 MiB are left free in front of each set."""
MOST_BYTES = 1 << 24
"""More than this stays where it is: it fills a core's caches wherever it lies."""
HELD = 12
"""How many sets of before are held, so that a new one does not lie where the last one did."""


@dataclass
class Placement:
    """What puts sets of arguments in other places, and how often."""

    hosts: Sequence[Host]
    """Copies to make them from; none if they are to stay."""
    place: Place
    every: int = 1
    """After how many blocks they are moved."""
    blocks: int = 0
    held: list[Any] = field(default_factory=list)
    results: list[Any] = field(default_factory=lambda: [None] * ROTATED)
    """Of the first call of a block, held likewise until the next."""
    draw: np.random.Generator = field(default_factory=np.random.default_rng)


def placed(host: Host, place: Place) -> tuple[Any, ...]:
    """A set of arguments as a backend takes it; of copies, since it may keep the memory that it is given."""
    return tuple(tuple(place(array.copy("K"), dtype) for array, dtype in group) for group in host)


def movable(hosts: Sequence[Host], device: str) -> Sequence[Host]:
    """The sets if they are worth moving, otherwise none: they are in the caches of a CPU, or at least not much larger."""
    size = sum(array.nbytes for host in hosts for group in host for array, _ in group)
    return hosts if device == "cpu" and size <= MOST_BYTES else ()


def move(placement: Placement, sets: list[tuple[Any, ...]], block_ns: float) -> None:
    """Before a block: put every set in another place. Where that takes longer than a block, it is done the less often."""
    placement.blocks += 1
    if not placement.hosts or placement.blocks % placement.every:
        return
    start = perf_counter_ns()
    for number, host in enumerate(placement.hosts):
        padding = np.empty(LINE * int(placement.draw.integers(MOST_LINES)), np.uint8)
        held, sets[number] = sets[number], placed(host, placement.place)
        placement.held.append((padding, held))
        if len(placement.held) > HELD:
            del placement.held[int(placement.draw.integers(HELD))]
    placement.every = max(1, math.ceil((perf_counter_ns() - start) / block_ns))
