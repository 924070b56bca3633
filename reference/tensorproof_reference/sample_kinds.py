"""Kinds of samples that any operation may have: one builder for each kind, whatever the arrays are.

Each crosses one class of case with something that the operation has beside it: a size of one with every keyword, a reduction
with lengths beyond what one partition of a kernel, float16's largest number, or 16 bits of an index hold.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from tensorproof_reference.operation import Drawn, Sample
from tensorproof_reference.trees import Tree

LENGTHS: Mapping[int, tuple[str, ...]] = {
    16_385: ("float64",),
    32_769: ("float32",),
    40_000: ("float32",),
    70_000: ("bfloat16", "float16"),
    131_072: ("bfloat16", "float16"),
}
"""Lengths of a reduction, with the dtypes that each is checked in: one above partitions of 2^14 and 2^15 elements, one that is
no multiple of either, and two above the largest number of float16, of which the last fills 17 bits."""

EXPENSIVE = 2**20
"""A length that the default scope leaves out."""


SHORT = 4
"""The length of the outline of long samples."""


def long_samples(draw: Callable[[str, int], Mapping[str, Tree]], word: str, **others: Any) -> Iterator[Sample]:
    """A reduction over each of ``LENGTHS``, and over ``EXPENSIVE`` many.

    Args:
        draw: the inputs of the sample of that name, with that many terms.
        word: what is long: an axis, rows, indices.
        others: what all of these samples have beside name, inputs and dtypes.
    """
    outline = draw(word, SHORT)
    for length, dtypes in LENGTHS.items():
        name = f"long_{word}_{length}"
        yield Sample(name=name, inputs=Drawn(partial(draw, name, length), outline), dtypes=dtypes, **others)
    name = f"expensive_{word}_{EXPENSIVE}"
    inputs = Drawn(partial(draw, name, EXPENSIVE), outline)
    yield Sample(name=name, inputs=inputs, dtypes=("float32", "bfloat16"), **others)


def with_each(sample: Sample, choices: Iterable[Mapping[str, Any]]) -> Iterator[Sample]:
    """The sample once for each choice of keywords, which stand in its name.

    >>> [item.name for item in with_each(Sample(name="unit_row", inputs={}), [{"causal": True}, {"scale": 0.25}])]
    ['unit_row_causal', 'unit_row_scale_0_25']
    """
    for keywords in choices:
        words = "_".join(_word(keyword, value) for keyword, value in keywords.items())
        yield replace(sample, name=f"{sample.name}_{words}", keywords={**sample.keywords, **keywords})


def _word(keyword: str, value: Any) -> str:
    """A keyword and its value as part of a name."""
    if value is True:
        return keyword
    if isinstance(value, tuple):
        return "_".join([keyword, *(_word("", item).strip("_") for item in value)])
    text = str(value).lower().replace("-", "minus_").replace("+", "").replace(".", "_")
    return f"{keyword}_{text}" if keyword else text
