"""Flattening: see ``flatten``."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_choice
from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.operations._workloads import count, image_workload
from tensorproof_reference.sample_kinds import with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

ORDERS = ("channels_first", "channels_last")


def flatten(x: Array, *, order: str = "channels_first") -> Array:
    """Each example's numbers in one row: the batch axis is kept, the others are joined.

    The weights of a dense layer after it depend on the order of the numbers. With ``order="channels_first"`` it is that of the
    axes N, C, …. With ``order="channels_last"`` it is that of N, …, C: axis 1 moves to the end first.

    Shapes: ``x`` (N, C, …), rank ≥ 2; result (N, C · …).
    Special values: all numbers are copied, NaN, infinities and the sign of zero too.
    Raises: ``ValueError`` if ``x`` has fewer than two axes or ``order`` is unknown.
    Source: the texts, 000 §4.1.2.
    """
    _require_arguments(x, order)
    ordered = np.moveaxis(x, 1, -1) if order == "channels_last" else x
    return ordered.reshape((x.shape[0], math.prod(x.shape[1:])))


def vjp(dy: Array, x: Array, *, order: str = "channels_first") -> Gradients:
    """The cotangent in the shape and order of ``x``."""
    _require_arguments(x, order)
    if order == "channels_first":
        return {"x": dy.reshape(x.shape)}
    return {"x": np.moveaxis(dy.reshape((x.shape[0], *x.shape[2:], x.shape[1])), -1, 1)}


def _require_arguments(x: Array, order: str) -> None:
    require_choice(order, "order", ORDERS)
    require(x.ndim >= 2, "x", "an array with at least 2 axes", f"shape {x.shape}")


def samples(stream: Stream) -> Iterator[Sample]:
    """Images, sequences and volumes in both orders; what is copied must be copied exactly."""

    def case(name: str, *shape: int, **others: Any) -> Sample:
        return Sample(name=name, inputs={"x": stream(name).normal(shape)}, **others)

    yield case("plain_images", 2, 3, 4, 5)
    yield case("size_large", 8, 16, 8, 8)
    yield case("rank_two", 4, 5)
    yield case("rank_three", 2, 3, 5)
    yield case("rank_five", 2, 3, 2, 3, 2)
    yield case("unit_batch", 1, 3, 4, 5)
    yield case("unit_channel", 2, 1, 4, 5)
    yield case("unit_image", 2, 3, 1, 1)
    yield case("empty_batch", 0, 3, 4, 5)
    yield case("empty_channels", 2, 0, 4, 5)
    yield case("empty_height", 2, 3, 0, 5)
    yield case("strided_transposed", 2, 3, 4, 5, memory="transposed")
    yield case("strided_sliced", 2, 3, 4, 5, memory="sliced")
    for kind, value in (("nan", np.nan), ("infinity", -np.inf), ("zero", -0.0)):
        x = stream(f"{kind}_among_others").normal((2, 3, 4, 5))
        x.reshape(-1)[::7] = value
        yield Sample(name=f"{kind}_among_others", inputs={"x": x}, expected={"y": x.reshape(2, 60)}, sign_of_zero=kind == "zero")
    last: dict[str, Any] = {"keywords": {"order": "channels_last"}, "required": False}
    for name, shape in (("unit_batch", (1, 3, 4, 5)), ("unit_image", (2, 3, 1, 1))):
        yield from with_each(case(name, *shape, required=False), [{"order": "channels_last"}])
    yield case("convention_channels_last", 2, 3, 4, 5, **last)
    yield case("convention_channels_last_large", 8, 16, 8, 8, **last)
    yield case("convention_channels_last_rank_two", 4, 5, **last)
    yield case("convention_channels_last_rank_three", 2, 3, 5, **last)
    yield case("convention_channels_last_rank_five", 2, 3, 2, 3, 2, **last)
    yield case("convention_channels_last_one_channel", 2, 1, 4, 5, **last)
    yield case("convention_channels_last_empty_batch", 0, 3, 4, 5, **last)
    yield case("convention_channels_last_strided", 2, 3, 4, 5, memory="transposed", **last)


def workload(stream: Stream, size: str) -> Sample:
    """Images."""
    return image_workload(stream, size)


def work(x: Array, *, order: str = "channels_first") -> Work:
    """None: numbers are copied at most. Where their order in memory stays, not even that, and none need be read."""
    return Work(flops=0, untouched=count(x) if order == "channels_first" else 0)


OPERATION = Operation(
    function=flatten,
    vjp=vjp,
    samples=samples,
    family="reshaping",
    conventions={"order": ORDERS},
    axes={"x": "n c ..."},
    documents=("000 §4.1.2",),
    workload=workload,
    work=work,
)
