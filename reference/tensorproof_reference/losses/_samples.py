"""The samples that losses of profile ``extended`` share, whatever their inputs are: see ``loss_samples``."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tensorproof_reference.operation import Sample, asarray
from tensorproof_reference.operations._workloads import PLANES, ordinary
from tensorproof_reference.sample_kinds import long_samples, with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

Draw = Callable[[Stream, tuple[int, ...]], Array]
"""An input, from the shape of the whole sample."""
DrawAll = Callable[[Stream, tuple[int, ...]], dict[str, Array]]
"""All inputs."""

NONE = {"reduction": "none"}
SUM = {"reduction": "sum"}
PLAIN = (5, 7)
SINGLE = ("float32",)
"""The dtype of what is about shapes: the other sizes have an odd rest of every vector in the other dtypes."""
WIDE = ("float64", "float32", "bfloat16")
FINE = ("float64", "float32", "float16")


def normal(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Both signs, of deviation 1."""
    return stream.normal(shape)


def each_by_itself(draws: Mapping[str, Draw]) -> DrawAll:
    """Inputs that are drawn one by one."""
    return lambda stream, shape: {key: draw(stream(key), shape) for key, draw in draws.items()}


def loss_samples(
    stream: Stream,
    draw: DrawAll,
    *,
    of_rows: bool = False,
    widths: Sequence[int] = (1, 2, 3, 8, 17, 127, 513),
    ranks: Sequence[tuple[int, ...]] = ((7,), (3, 4, 5)),
    lanes: Sequence[str] = (),
    nan_gradient: bool = True,
    keywords: Mapping[str, Any] | None = None,
) -> Iterator[Sample]:
    """Reductions, sizes, widths, ranks, axes of size 1, empty batches, strides, NaN.

    Args:
        stream: where random numbers come from.
        draw: the inputs.
        of_rows: whether there is a loss for each row rather than for each number.
        widths: the lengths of rows.
        ranks: the other shapes.
        lanes: the inputs that are tried with NaN in every lane.
        nan_gradient: whether frameworks agree on the gradient at NaN; if not, its samples are optional.
        keywords: what all samples have beside the reduction.
    """
    always = dict(keywords or {})

    def drawn(name: str, *shape: int) -> dict[str, Array]:
        return draw(stream(name), shape or PLAIN)

    def sample(name: str, *shape: int, reduction: str = "mean", **others: Any) -> Sample:
        chosen = always if reduction == "mean" else {**always, "reduction": reduction}
        return Sample(name=name, inputs=drawn(name, *shape), keywords=chosen, **others)

    yield sample("plain_rows")
    yield sample("reduction_sum", reduction="sum")
    yield sample("reduction_none", reduction="none")
    yield sample("size_large", 64, 128)
    yield sample("size_large_none", 64, 128, reduction="none")
    for width in widths:
        yield sample(f"width_{width}", 3, width, reduction="none", dtypes=SINGLE)
    for shape in ranks:
        name = f"rank_{len(shape)}"
        yield sample(name, *shape)
        yield sample(f"{name}_none", *shape, reduction="none")
    yield sample("unit_batch", 1, 7)
    if 1 in widths:
        yield sample("unit_column", 7, 1)
        yield from with_each(sample("unit_everything", 1, 1), [SUM, NONE])
    else:
        yield from with_each(sample("unit_row", 1, 7), [SUM, NONE])
    yield sample("empty_batch_none", 0, 7, reduction="none")
    yield sample("strided_transposed", memory="transposed")
    yield sample("strided_sliced", memory="sliced")
    if of_rows:
        yield from long_samples(lambda name, length: drawn(name, length, 3), "rows", keywords=always)
    else:
        yield from long_samples(lambda name, length: drawn(name, length), "vector", keywords=always)
    for key in lanes:
        name = f"nan_each_lane_of_{key}"
        inputs = drawn(name, 9, 9)
        np.fill_diagonal(inputs[key], np.nan)
        nan = Sample(name=name, inputs=inputs, keywords={**always, **NONE}, gradient=nan_gradient)
        yield nan
        if not nan_gradient:
            yield replace(nan, name=f"nan_gradient_of_{key}", gradient=True, required=False)
    key = lanes[0]
    inputs = drawn("nan_mean")
    inputs[key][2] = np.nan
    expected = {"y": asarray(np.nan)}
    yield Sample(name="nan_mean", inputs=inputs, keywords=always, expected=expected, gradient=nan_gradient)


def pair_workload(stream: Stream, size: str) -> Sample:
    """Predictions and targets."""
    return Sample(name=size, inputs={name: ordinary(stream(name), PLANES[size]) for name in ("prediction", "target")})
