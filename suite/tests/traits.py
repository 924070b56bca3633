"""What is particular about a sample, as traits: the values of its keywords, the ranks, lengths and numbers of its inputs.

Faults that nobody has planted are wrong for one value of a keyword, one rank, one kind of number, or for two of these together.
So checks whose samples have many traits that no other check has yet are worth more than checks whose time is short.
"""

import itertools
import math
from collections.abc import Iterator

import numpy as np

from tensorproof_reference.operation import Sample
from tensorproof_reference.sample_classes import class_of
from tensorproof_reference.trees import Array, leaves

Trait = tuple[object, ...]

KEYWORD = 3.0
"""What a value of a keyword counts."""
ALONE = 1.0
"""What a class, a rank, an input that is left out or is zero everywhere, and the axes of size 1 count."""
NUMBERS = 0.5
"""What a kind of number in an input counts."""
LENGTH = 0.3
"""What the length of an input's longest axis counts."""
PAIR = 0.3
"""What two traits of arguments together count."""
SHAPE = 0.15
SAMPLE = 0.2
"""What a sample counts for its own sake."""
OTHER_DTYPE = 0.5
"""What any check of an operation in another dtype than float32 counts, beside its class and numbers."""
SAMPLE_IN_OTHER_DTYPE = 0.1
"""What a sample counts for its own sake in another dtype than float32."""
OF_DTYPE = {"float64": 0.1, "float16": 0.3, "bfloat16": 0.3}
"""What classes and numbers count in other dtypes than float32, in parts of what they count there."""
LONGEST_NAMED = 16
"""Lengths beyond it are one in a shape."""


def _kinds_of_numbers(values: Array) -> Iterator[str]:
    """NaN, infinities, zeros, and the powers of ten of the largest and smallest numbers of both signs."""
    if values.dtype.kind not in "fiu" or not values.size:
        return
    numbers = values.astype(np.float64)
    if np.isnan(numbers).any():
        yield "nan"
    for sign in (1, -1):
        if (numbers == sign * np.inf).any():
            yield f"infinity {sign}"
        sizes = sign * numbers[np.isfinite(numbers) & (sign * numbers > 0)]
        if sizes.size:
            yield f"largest {sign} {_power_of_ten(sizes.max())}"
            yield f"smallest {sign} {_power_of_ten(sizes.min())}"
    if (numbers == 0).any():
        yield "zero"


def _power_of_ten(size: float) -> int:
    return min(8, max(-9, math.floor(math.log10(size))))


def traits(sample: Sample) -> dict[Trait, float]:
    """The traits of a sample, and what each counts."""
    found: dict[Trait, float] = {("class", class_of(sample)): ALONE, ("memory", sample.memory): NUMBERS}
    arguments: dict[Trait, float] = {("keyword", name, repr(value)): KEYWORD for name, value in sample.keywords.items()}
    for name, tree in sample.inputs.items():
        arrays = [np.asarray(leaf) for _, leaf in leaves(tree) if leaf is not None]
        if not arrays:
            arguments["absent", name] = ALONE
        for array in arrays:
            arguments["rank", name, array.ndim] = ALONE
            found["length", name, max(array.shape, default=0).bit_length()] = LENGTH
            found["shape", name, tuple(min(length, LONGEST_NAMED + 1) for length in array.shape)] = SHAPE
            if 1 in array.shape:
                found["ones", name, tuple(axis for axis, length in enumerate(array.shape) if length == 1)] = ALONE
            if array.size and not array.any():
                found["only zeros", name] = ALONE
            found |= {("numbers", name, kind): NUMBERS for kind in _kinds_of_numbers(array)}
    return found | arguments | dict.fromkeys(itertools.combinations(arguments, 2), PAIR)


def traits_in_dtype(sample: Sample, dtype: str) -> dict[Trait, float]:
    """The traits of a sample's check in a dtype: in others than float32 its class and numbers, for less."""
    found = traits(sample)
    if dtype not in OF_DTYPE:
        return {**found, ("sample", sample.name): SAMPLE}
    own = {(dtype, *trait): OF_DTYPE[dtype] * worth for trait, worth in found.items() if trait[0] in ("class", "numbers")}
    return {(dtype,): OTHER_DTYPE, (dtype, "sample", sample.name): SAMPLE_IN_OTHER_DTYPE, **own}
