"""Sequences of logits with labels to find in them: the samples of ``ctc``."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tensorproof_reference.losses._reduction import REDUCTIONS
from tensorproof_reference.losses._samples import FINE, NONE, SINGLE, SUM
from tensorproof_reference.operation import Sample, asarray
from tensorproof_reference.sample_kinds import with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

SHAPE = (3, 12, 6, 4)
"""Sequences, times, classes, labels."""
SIZES = {"S": (4, 32, 16, 8), "M": (16, 100, 64, 20), "L": (32, 400, 128, 50)}


def sequences(stream: Stream, number: int, times: int, classes: int, most: int, *, blank: int = 0) -> dict[str, Array]:
    """Logits of deviation 1, and labels of which no two neighbours are equal, all of full length."""
    steps = stream("labels").integers((number, most), 1, max(classes - 1, 2))
    places = np.cumsum(steps, axis=1) % max(classes - 1, 1)  # classes without the blank, each unlike the one before
    return {
        "logits": stream("logits").normal((number, times, classes)),
        "labels": places + (places >= blank),
        "logit_lengths": np.full(number, times),
        "label_lengths": np.full(number, most),
    }


def samples(stream: Stream) -> Iterator[Sample]:
    """Reductions, sizes, both lengths, equal labels, other blanks, no labels, just enough times and too few."""

    def drawn(name: str, *shape: int, blank: int = 0, **changed: Any) -> dict[str, Array]:
        return {**sequences(stream(name), *(shape or SHAPE), blank=blank), **changed}

    def sample(name: str, inputs: dict[str, Array], keywords: Mapping[str, Any] | None = None, **others: Any) -> Sample:
        # In bfloat16 ten bars of a gradient are as large as it: see the values below.
        return Sample(**{"name": name, "inputs": inputs, "keywords": keywords or {}, "dtypes": FINE, **others})

    def lengths(times: list[int], labels: list[int]) -> dict[str, Array]:
        return {"logit_lengths": np.array(times), "label_lengths": np.array(labels)}

    for reduction in REDUCTIONS:
        word = "plain_sequences" if reduction == "mean" else f"reduction_{reduction}"
        yield sample(word, drawn(word), {} if reduction == "mean" else {"reduction": reduction})
    yield sample("size_large", drawn("size_large", 4, 60, 40, 12), NONE)
    for width in (2, 3, 8, 17, 127):
        yield sample(f"width_{width}", drawn(f"width_{width}", 2, 9, width, 1 if width == 2 else 3), NONE, dtypes=SINGLE)
    yield sample("unit_sequence", drawn("unit_sequence", 1, 12, 6, 4))
    yield from with_each(sample("unit_label", drawn("unit_label", 3, 5, 6, 1)), [SUM, NONE])
    yield sample("unit_everything", drawn("unit_everything", 1, 1, 2, 1), NONE)
    yield sample("unit_time_without_labels", drawn("unit_time_without_labels", 2, 1, 5, 1, **lengths([1, 1], [0, 0])), NONE)
    yield sample("empty_batch_none", drawn("empty_batch_none", 0, 5, 4, 2), NONE)
    yield sample("strided_transposed", drawn("strided_transposed"), memory="transposed")
    yield sample("strided_sliced", drawn("strided_sliced"), memory="sliced")
    # Beyond the lengths stand labels and logits that would change the result.
    for word, times, labels in (
        ("labels", [12, 12, 12], [4, 2, 1]),
        ("times", [12, 9, 5], [4, 4, 4]),
        ("both", [12, 9, 5], [2, 4, 1]),
        ("none_and_all", [12, 7, 12], [0, 0, 4]),
    ):
        name = f"mask_lengths_{word}"
        for reduction in REDUCTIONS:
            yield sample(f"{name}_{reduction}", drawn(name, **lengths(times, labels)), {"reduction": reduction})
    name = "mask_nan_beyond_the_length"
    inputs = drawn(name, **lengths([12, 9, 5], [4, 2, 1]))
    for row, length in enumerate(inputs["logit_lengths"]):
        inputs["logits"][row, length:] = np.nan
    yield sample(name, inputs, NONE, required=False)
    equal = np.array([[1, 1, 2, 2], [3, 3, 3, 3], [4, 5, 5, 4]])
    yield sample("repeated_labels", drawn("repeated_labels", labels=equal), NONE)
    yield sample("repeated_labels_mean", drawn("repeated_labels_mean", labels=equal))
    yield sample(
        "repeated_with_lengths", drawn("repeated_with_lengths", labels=equal, **lengths([12, 9, 8], [4, 3, 4])), NONE
    )  # fmt: skip
    for word, blank in (("last", 5), ("two", 2)):
        for reduction in ("mean", "none"):
            name = f"optional_blank_{word}"
            inputs = drawn(name, blank=blank, **lengths([12, 9, 6], [4, 3, 1]))
            yield sample(f"{name}_{reduction}", inputs, {"blank": blank, "reduction": reduction})
    # One path only: as many times as labels and blanks between equal ones.
    exact = drawn("bounds_just_enough_times", 2, 5, 6, 4, labels=np.array([[1, 2, 2, 3], [4, 4, 1, 2]]))
    yield sample("bounds_just_enough_times", exact, NONE)
    few = drawn("infinity_too_few_times", 3, 4, 6, 4, labels=np.array([[1, 2, 3, 4], [1, 1, 2, 3], [5, 5, 5, 5]]))
    expected = {"y": asarray([np.inf, np.inf])}
    impossible = {key: array[1:] for key, array in few.items()}
    yield sample("infinity_too_few_times", impossible, NONE, expected=expected, gradient=False)
    yield sample("infinity_beside_others", few, NONE, gradient=False)
    for word, deviation in (("tens", 10.0), ("small", 1e-3)):
        name = f"magnitude_{word}"
        inputs = drawn(name)
        inputs["logits"] = deviation * inputs["logits"]
        yield sample(name, inputs, NONE)
    name = "magnitude_hundreds"
    inputs = drawn(name)
    inputs["logits"] = 100.0 * inputs["logits"]
    yield sample(name, inputs, NONE, dtypes=("float64", "float32"))
    name = "nan_each_sequence"
    inputs = drawn(name, 4, 12, 6, 4)
    inputs["logits"][[0, 2], [3, 11], [1, 0]] = np.nan
    yield sample(name, inputs, NONE, gradient=False)
    yield sample("nan_gradient", inputs, NONE, required=False)
    name = "nan_mean"
    inputs = drawn(name)
    inputs["logits"][1, 2] = np.nan
    yield sample(name, inputs, expected={"y": asarray(np.nan)}, gradient=False)
    for length, dtypes in ((200, ("float64", "float32")), (500, ("float64",))):
        yield sample(f"long_{length}", drawn(f"long_{length}", 2, length, 5, 6), NONE, dtypes=dtypes)
    coarse = {"dtypes": ("bfloat16",), "gradient": False}
    yield sample("plain_value", drawn("plain_value"), NONE, **coarse)
    both = lengths([12, 9, 5], [4, 2, 1])
    yield sample("mask_value", drawn("mask_value", **both), NONE, **coarse)
    yield sample("optional_value", drawn("optional_value", blank=5, **both), {"blank": 5}, **coarse)
    yield sample("repeated_value", drawn("repeated_value", labels=equal), NONE, **coarse)


def workload(stream: Stream, size: str) -> Sample:
    """Sequences of two lengths."""
    number, times, classes, most = SIZES[size]
    inputs = sequences(stream, number, times, classes, most)
    halves = np.where(np.arange(number) % 2 == 0, 1, 2)
    return Sample(name=size, inputs={**inputs, "logit_lengths": times // halves, "label_lengths": most // halves})
