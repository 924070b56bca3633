"""Scores and the classes that they should name: samples of the accuracies of several classes."""

from collections.abc import Callable, Iterator

import numpy as np

from tensorproof_reference.operation import Sample, asarray
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
    ends = asarray([[9.0, 0.0, 1.0], [0.0, 1.0, 9.0], [5.0, -9.0, 1.0], [-3.0, -2.0, -1.0]])
    yield sample("bounds_first_and_last_class", ends, np.asarray([0, 2, 0, 2]), y=1.0)
    yield sample("bounds_all_wrong", ends, np.asarray([1, 0, 2, 1]), y=0.0)
