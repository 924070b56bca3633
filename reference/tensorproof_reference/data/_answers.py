"""Scores and the classes that they should name: samples of the accuracies of several classes."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from tensorproof_reference.operation import DTYPES, Sample, asarray
from tensorproof_reference.sample_kinds import long_samples
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def accuracy_samples(stream: Stream, name_of_target: str, as_target: Callable[[Array, int], Array]) -> Iterator[Sample]:
    """Samples of an accuracy, whose right classes are given as ``as_target(labels, classes)``."""

    def sample(name: str, scores: Array, labels: Array, memory: str = "contiguous", y: float | None = None) -> Sample:
        inputs = {"scores": scores, name_of_target: as_target(np.asarray(labels, np.int64), scores.shape[-1])}
        expected = {} if y is None else {"y": asarray(y)}
        return Sample(name=name, inputs=inputs, memory=memory, expected=expected, exact_zero=("y",) if y == 0 else ())

    def drawn(name: str, *shape: int, memory: str = "contiguous") -> Sample:
        numbers = stream(name)
        # In each row the multiples of 1/8 in another order: no ties in any dtype.
        rows = [numbers(str(row)).distinct((shape[-1],), step=0.125) for row in range(int(np.prod(shape[:-1])))]
        scores = np.stack(rows).reshape(shape)
        wrong = numbers("wrong").uniform(shape[:-1]) < 0.25
        labels = np.where(wrong, numbers("labels").integers(shape[:-1], 0, shape[-1]), np.argmax(scores, axis=-1))
        return sample(name, scores, labels, memory)

    yield drawn("plain_ten_classes", 17, 10)
    yield drawn("size_large", 64, 40)
    for width in (1, 3, 8, 127):
        yield drawn(f"width_{width}", 11, width)
    yield drawn("rank_one", 10)
    yield drawn("rank_three", 3, 5, 4)
    yield drawn("unit_row", 1, 10)
    yield drawn("strided_transposed", 17, 10, memory="transposed")
    yield drawn("strided_sliced", 17, 10, memory="sliced")
    tied = asarray([[1.0, 2.0, 2.0], [3.0, 3.0, 3.0], [0.0, 0.0, -1.0], [2.0, 1.0, 2.0]])
    yield sample("ties_first_is_right", tied, np.asarray([1, 0, 0, 0]), y=1.0)
    yield sample("ties_last_is_wrong", tied, np.asarray([2, 2, 1, 2]), y=0.0)
    # As in NumPy, NaN counts as the largest score, and of several the first.
    nan = np.nan
    undefined = asarray([[1.0, nan, 2.0], [nan, 3.0, 2.0], [0.0, 1.0, nan], [nan, 1.0, nan], [1.0, nan, nan], [2.0, 1.0, 0.0]])
    yield sample("nan_is_right", undefined, np.asarray([1, 0, 2, 0, 1, 0]), y=1.0)
    yield sample("nan_is_wrong", undefined, np.asarray([2, 1, 1, 2, 0, 1]), y=0.0)
    endless = asarray([[np.inf, 1.0, -np.inf], [-np.inf, -np.inf, 0.0], [np.inf, np.inf, 0.0], [-np.inf, -np.inf, -np.inf]])
    yield sample("infinity_is_right", endless, np.asarray([0, 2, 0, 0]), y=1.0)
    yield sample("infinity_is_wrong", endless, np.asarray([2, 0, 1, 2]), y=0.0)

    def rows(name: str, length: int) -> dict[str, Array]:
        """Two classes; every third answer is wrong, and all that come after the first 2^14."""
        scores = stream(name).integers((length,), 0, 2)[:, None] ^ np.asarray([0, 1])
        labels = np.argmax(scores, axis=-1)
        wrong = (np.arange(length) % 3 == 1) | (np.arange(length) >= 2**14)
        return {"scores": scores.astype(np.float64), name_of_target: as_target(np.where(wrong, 1 - labels, labels), 2)}

    yield from (replace(item, dtypes=DTYPES) for item in long_samples(rows, "rows"))
    for length in (1000, 40_000):
        name = f"long_classes_{length}"
        scores = stream(name).distinct((3, length), step=1.0)
        yield sample(name, scores, np.argmax(scores, axis=-1), y=1.0)
    ends = asarray([[9.0, 0.0, 1.0], [0.0, 1.0, 9.0], [5.0, -9.0, 1.0], [-3.0, -2.0, -1.0]])
    yield sample("bounds_first_and_last_class", ends, np.asarray([0, 2, 0, 2]), y=1.0)
    yield sample("bounds_all_wrong", ends, np.asarray([1, 0, 2, 1]), y=0.0)
