"""One-hot encoding: see ``one_hot``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require, require_choice
from tensorproof_reference.operation import Operation, Sample, Work, asarray
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

OUT_OF_RANGE = ("error", "zeros", "clamp", "nan")


def one_hot(labels: Array, *, classes: int, out_of_range: str = "error") -> Array:
    r"""Rows that are 1 at their label and 0 elsewhere: :math:`y_{\ldots k} = 1` if :math:`k = t_{\ldots}`, else 0.

    Labels run from 0 to ``classes`` - 1; others, negative ones included, raise (``out_of_range="error"``), or give a row of zeros
    (``"zeros"``), the row of the nearest label (``"clamp"``) or a row of NaN (``"nan"``).

    Shapes: ``labels`` any shape, of integers; the result has ``classes`` appended to it. Its dtype is free (here float64).
    Raises: ``ValueError`` if ``labels`` are not integers, ``classes`` is less than 1, the convention is unknown, or a label is
    out of range under ``"error"``.
    Source: Bishop (2006), §4.1.3 (1-of-K coding); the texts, 001 §4.3.
    """
    require(np.issubdtype(labels.dtype, np.integer), "labels", "integers", f"dtype {labels.dtype}")
    require(isinstance(classes, int) and classes > 0, "classes", "a positive integer", classes)
    require_choice(out_of_range, "out_of_range", OUT_OF_RANGE)
    valid = (labels >= 0) & (labels < classes)
    if out_of_range == "error":
        require(bool(np.all(valid)), "labels", f"labels from 0 to {classes - 1}", labels[~valid][:3].tolist())
    chosen = np.clip(labels, 0, classes - 1) if out_of_range == "clamp" else labels
    rows = asarray(chosen[..., None] == np.arange(classes))
    return np.where(valid[..., None], rows, np.nan) if out_of_range == "nan" else rows


def samples(stream: Stream) -> Iterator[Sample]:
    """Labels of rank 0 to 3, none, all the same, at the ends of the range and beyond."""

    def labels(name: str, *shape: int, classes: int = 4) -> dict[str, Array]:
        return {"labels": stream(name).integers(shape, 0, classes)}

    four = {"classes": 4}

    def sample(name: str, inputs: dict[str, Array], classes: int = 4, memory: str = "contiguous") -> Sample:
        return Sample(name=name, inputs=inputs, keywords={"classes": classes}, gradient=False, memory=memory)

    yield sample("plain_labels", labels("plain_labels", 6))
    yield sample("size_large", labels("size_large", 64, classes=128), classes=128)
    for classes in (2, 3, 17, 127):
        yield sample(f"width_{classes}", labels(f"width_{classes}", 6, classes=classes), classes=classes)
    yield sample("rank_zero", labels("rank_zero"))
    yield sample("rank_two", labels("rank_two", 3, 5))
    yield sample("rank_three", labels("rank_three", 2, 3, 4))
    yield sample("unit_label", labels("unit_label", 1))
    yield sample("unit_class", labels("unit_class", 6, classes=1), classes=1)
    yield sample("empty_labels", labels("empty_labels", 0))
    yield sample("empty_rank_two", labels("empty_rank_two", 3, 0))
    yield sample("strided_transposed", labels("strided_transposed", 3, 5), memory="transposed")
    yield sample("strided_sliced", labels("strided_sliced", 6), memory="sliced")
    yield sample("repeated_label", {"labels": np.full(6, 2)})
    yield sample("bounds_first_and_last", {"labels": np.asarray([0, 3, 0, 3, 0, 3])})
    yield sample("bounds_many_classes", {"labels": np.asarray([257, 299, 256, 0, 255, 1])}, classes=300)

    expected = {"zeros": asarray([0, 0, 0, 0]), "nan": np.full(4, np.nan)}
    for where, beyond, nearest in (("beyond_end", [1, 4, 2, 0, 9, 3], 3), ("negative", [1, -1, 2, 0, -4, 3], 0)):
        inputs = {"labels": np.asarray(beyond)}
        yield Sample(
            name=f"bounds_error_{where}",
            inputs=inputs,
            keywords={**four, "out_of_range": "error"},
            required=False,
            raises=True,
            gradient=False,
            version=2,
        )
        for convention in OUT_OF_RANGE[1:]:
            rows = np.eye(4)[[1, 0, 2, 0, 0, 3]]
            rows[[1, 4]] = np.eye(4)[nearest] if convention == "clamp" else expected[convention]
            yield Sample(
                name=f"bounds_{convention}_{where}",
                inputs=inputs,
                keywords={**four, "out_of_range": convention},
                required=False,
                gradient=False,
                expected={"y": rows},
            )


SIZES = {"S": 4, "M": 256, "L": 4096}
"""The number of labels that are timed, of a thousand classes."""


def workload(stream: Stream, size: str) -> Sample:
    """Labels of a thousand classes."""
    inputs = {"labels": stream("labels").integers((SIZES[size],), 0, 1000)}
    return Sample(name=size, inputs=inputs, keywords={"classes": 1000}, gradient=False)


def work(labels: Array, *, classes: int, out_of_range: str = "error") -> Work:
    """None: zeros and ones are written."""
    return Work(flops=0)


OPERATION = Operation(
    function=one_hot,
    vjp=None,
    samples=samples,
    family="lookup",
    differentiable=(),
    cotangents=(),
    output_dtype="any",
    axes={"labels": "...", "y": "... k"},
    conventions={"out_of_range": OUT_OF_RANGE},
    documents=("001 §4.3",),
    workload=workload,
    work=work,
)
