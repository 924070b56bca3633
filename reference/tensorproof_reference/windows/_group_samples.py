"""Samples of convolution with special values in one of several groups."""

from collections.abc import Iterator, Mapping

import numpy as np

from tensorproof_reference.operation import Sample
from tensorproof_reference.operations._window_samples import of_axes
from tensorproof_reference.stream import Stream

CHANNELS, FILTERS = 4, 8
GROUPS = {"groups": 2, "depthwise": 4}
"""How many groups samples have, by their names."""
VALUES = {"nan": np.nan, "infinity": np.inf}


def convolution_group_samples(axes: int, stream: Stream) -> Iterator[Sample]:
    """NaN and infinity in one channel, which no other group sees."""
    yield from _samples(axes, stream, {word: (FILTERS, CHANNELS // groups) for word, groups in GROUPS.items()})


def transposed_group_samples(axes: int, stream: Stream) -> Iterator[Sample]:
    """NaN and infinity in one channel, which no other group sees."""
    yield from _samples(axes, stream, {word: (CHANNELS, FILTERS // groups) for word, groups in GROUPS.items()})


def _samples(axes: int, stream: Stream, kernels: Mapping[str, tuple[int, int]]) -> Iterator[Sample]:
    """With the first two lengths of the kernels, by name.

    Computed as one group with zeros between the others, a convolution multiplies these zeros by NaN and infinity.
    """
    of = of_axes(axes)
    for kind, value in VALUES.items():
        for word, first in kernels.items():
            draw = stream(f"{kind}_{word}")
            x = draw("x").normal((2, CHANNELS, *of(7, 6, 5)))
            x[(0, 1, *of(3, 2, 1))] = value
            weight = draw("weight").normal((*first, *of(3, 2, 2)), deviation=0.25)
            inputs = {"x": x, "weight": weight, "bias": draw("bias").normal((FILTERS,))}
            yield Sample(name=f"{kind}_{word}", inputs=inputs, keywords={"groups": GROUPS[word]})
