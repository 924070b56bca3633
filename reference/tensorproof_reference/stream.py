"""Reproducible random numbers: the raw bits of one fixed generator, shaped by exact arithmetic only.

NumPy promises the raw output of a bit generator for ever, but not its distributions, and not the last bit of its ``log`` and
``cos``. What is drawn here uses integer arithmetic, and floating arithmetic that is exact, so the same seed gives the same
bytes on every platform and NumPy release.
"""

import functools
import hashlib
import math

import numpy as np
from numpy.typing import NDArray

BLOCK = 2**13
"""How many normal numbers are made at once: what they are made of stays in the cache."""
FEW = 256
"""Up to how many normal numbers one sum along rows takes less time than twelve sums of columns."""


class Stream:
    """A random stream named by a path of strings under a seed; streams of different names are independent.

    >>> Stream(0)("softmax")("columns").integers((3,), 0, 10).tolist()
    [2, 6, 8]
    """

    def __init__(self, seed: int, path: tuple[str, ...] = ()) -> None:
        if seed < 0:
            raise ValueError(f"seed must not be negative, got {seed}")
        self.seed = seed
        self.path = path

    @functools.cached_property
    def _bits(self) -> np.random.PCG64:
        """Made when something is drawn: most streams only lead to others."""
        digest = hashlib.sha256("\x1f".join((str(self.seed), *self.path)).encode()).digest()
        # The words of an integer of 128 bits, and not the integer: NumPy takes three times as long to divide it.
        return np.random.PCG64(np.random.SeedSequence(np.frombuffer(digest[:16], "<u4")))

    def __call__(self, name: str) -> "Stream":
        """The stream of that name below this one; it does not depend on what has been drawn from this one."""
        return Stream(self.seed, (*self.path, name))

    def raw(self, count: int) -> NDArray[np.uint64]:
        """``count`` integers, uniform over 64 bits."""
        return np.asarray(self._bits.random_raw(count), dtype=np.uint64)

    def uniform(self, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0) -> NDArray[np.float64]:
        """Uniform over [low, high), on a grid of 2^-32 of the range."""
        unit = (self.raw(math.prod(shape)) >> np.uint64(32)).astype(np.float64) * 2.0**-32
        return np.asarray(low + (high - low) * unit, dtype=np.float64).reshape(shape)

    def normal(self, shape: tuple[int, ...], mean: float = 0.0, deviation: float = 1.0) -> NDArray[np.float64]:
        """Nearly normal: the sum of twelve uniform 32-bit integers, centred (Irwin-Hall), so within 6 deviations."""
        count = math.prod(shape)
        total = np.empty(count, np.int64)
        for start in range(0, count, BLOCK):
            total[start : start + BLOCK] = _sums_of_twelve(self.raw(6 * min(BLOCK, count - start)))
        centred = (total - 6 * 2**32).astype(np.float64) * 2.0**-32
        return np.asarray(mean + deviation * centred, dtype=np.float64).reshape(shape)

    def integers(self, shape: tuple[int, ...], low: int, high: int) -> NDArray[np.int64]:
        """Uniform over low, …, high - 1; ``high`` must exceed ``low`` unless the shape is empty."""
        count = math.prod(shape)
        if count == 0:
            return np.zeros(shape, np.int64)
        if high <= low:
            raise ValueError(f"high must exceed low={low}, got {high}")
        scaled = ((self.raw(count) >> np.uint64(32)) * np.uint64(high - low)) >> np.uint64(32)
        return (scaled.astype(np.int64) + low).reshape(shape)

    def permutation(self, count: int) -> NDArray[np.int64]:
        """0, …, count - 1 in random order."""
        return np.argsort(self.raw(count), kind="stable").astype(np.int64)

    def distinct(self, shape: tuple[int, ...], step: float = 0.25) -> NDArray[np.float64]:
        """Different multiples of ``step`` around zero in random order: no ties, and none made by rounding while
        ``step`` and the count are small (8 bits hold 256 of them)."""
        count = math.prod(shape)
        return ((self.permutation(count) - count // 2).astype(np.float64) * step).reshape(shape)

    def grid(self, shape: tuple[int, ...], step: float = 0.25, bound: int = 4) -> NDArray[np.float64]:
        """Multiples of ``step`` in [-bound·step, bound·step]: their products and short sums are exact in every dtype."""
        return self.integers(shape, -bound, bound + 1).astype(np.float64) * step


def _sums_of_twelve(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The sums of the halves of each six words."""
    if len(words) <= 6 * FEW:
        return np.asarray(np.add.reduce(words.view(np.uint32).reshape(-1, 12), axis=1, dtype=np.int64))
    rows = words.reshape(-1, 6)
    halves = (rows >> np.uint64(32)) + (rows & np.uint64(0xFFFFFFFF))
    # Column by column: to reduce short rows takes several times as long.
    return np.asarray(sum(halves.T), np.int64)
