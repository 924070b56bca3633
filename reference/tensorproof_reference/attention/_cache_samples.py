"""The samples of attention with a cache: prefill, steps and chunks of decoding, ends of the cache, rows not written yet."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tensorproof_reference.operation import Sample
from tensorproof_reference.operations._workloads import ordinary
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

HIGH = ("float64", "float32")
ARRAYS = ("query", "key", "value", "key_cache", "value_cache")


class Sizes(NamedTuple):
    """The sizes of new positions and of a cache."""

    batch: int = 2
    heads: int = 6
    groups: int = 2
    new: int = 1
    slots: int = 8
    features: int = 4

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Those of the arrays."""
        new = (self.batch, self.groups, self.new, self.features)
        cache = (self.batch, self.groups, self.slots, self.features)
        query = (self.batch, self.heads, self.new, self.features)
        return dict(zip(ARRAYS, (query, new, new, cache, cache), strict=True))


PLAIN = Sizes()


def drawn(stream: Stream, sizes: Sizes, lengths: Array, deviation: float = 1.0) -> dict[str, Array]:
    """Normal numbers, also in rows of the cache that are not written yet: what an earlier sequence left there."""
    deviations = {"query": deviation, "key": deviation, "key_cache": deviation}
    arrays = {name: stream(name).normal(shape, deviation=deviations.get(name, 1.0)) for name, shape in sizes.shapes().items()}
    return {**arrays, "lengths": np.asarray(lengths)}


def cache_samples(stream: Stream) -> Iterator[Sample]:
    """Steps, chunks and prefills, lengths of each example, both ends of the cache, and what rows not written yet may hold."""

    def sample(name: str, sizes: Sizes = PLAIN, lengths: Any = (5, 3), deviation: float = 1.0, **others: Any) -> Sample:
        return Sample(name=name, inputs=drawn(stream(name), sizes, np.array(lengths), deviation), **others)

    yield sample("plain_step")
    yield sample("plain_as_many_groups", PLAIN._replace(groups=6), dtypes=SINGLE)
    yield sample("size_large", Sizes(2, 8, 2, 1, 72, 32), (40, 17))
    yield sample("size_large_chunk", Sizes(2, 8, 2, 16, 72, 32), (40, 17), dtypes=SINGLE)
    yield sample("unit_slot", PLAIN._replace(slots=1), (0, 0), dtypes=SINGLE, exact_zero=("d_query",))
    yield sample("unit_batch_and_head", Sizes(1, 1, 1), (5,), dtypes=SINGLE)
    yield sample("unit_feature", PLAIN._replace(features=1), dtypes=SINGLE)
    yield sample("state_first_step", lengths=(0, 0), dtypes=SINGLE, exact_zero=("d_query",))
    yield sample("state_chunk", PLAIN._replace(new=3))
    yield from _one_sequence(stream("state"))
    yield sample("bounds_last_slot", lengths=(7, 6), dtypes=SINGLE)
    yield sample("bounds_chunk_to_the_end", PLAIN._replace(new=3), (5, 0), dtypes=SINGLE)
    yield sample("bounds_error_full", lengths=(8, 3), required=False, raises=True, gradient=False, dtypes=SINGLE)
    for memory in ("transposed", "sliced"):
        yield sample(f"strided_{memory}", memory=memory, dtypes=SINGLE)
    yield sample("optional_scale", keywords={"scale": 0.3}, dtypes=HIGH)
    yield sample("magnitude_spread", deviation=2.0, dtypes=SINGLE)
    yield sample("long_slots", PLAIN._replace(slots=1025), (1000, 513), deviation=0.5, dtypes=SINGLE)
    # The gradients are left out: NaN times a weight of 0 is NaN in the formula, and frameworks may leave that term out.
    for name, argument, place in (
        ("nan_query", "query", np.s_[0, 4, 0, 2]),
        ("nan_key", "key", np.s_[0, 1, 0, 2]),
        ("nan_value", "value", np.s_[0, 1, 0, 2]),
        ("nan_of_a_row_before", "key_cache", np.s_[0, 1, 2, 2]),
    ):
        undefined = sample(name, gradient=False, dtypes=SINGLE)
        inputs: Any = undefined.inputs
        inputs[argument][place] = np.nan
        yield undefined
    for argument in ("key_cache", "value_cache"):
        unwritten = sample(f"nan_in_rows_to_come_of_{argument}", required=False, gradient=False, dtypes=SINGLE)
        rows: Any = unwritten.inputs
        rows[argument][:, :, 6:] = np.nan
        yield unwritten


def _one_sequence(stream: Stream) -> Iterator[Sample]:
    """The prefill of six positions, and the last of them as a step after the five before: both give the same last row."""
    whole = drawn(stream, PLAIN._replace(new=6), np.array([0, 0]))
    yield Sample(name="state_prefill", inputs=whole)
    step = {name: whole[name][:, :, 5:] for name in ("query", "key", "value")}
    for name in ("key", "value"):
        cache = whole[f"{name}_cache"].copy()
        cache[:, :, :5] = whole[name][:, :, :5]
        step[f"{name}_cache"] = cache
    yield Sample(name="state_step_after_prefill", inputs={**step, "lengths": np.array([5, 5])})


WORKLOADS = {"S": Sizes(1, 4, 2, 1, 64, 16), "M": Sizes(4, 8, 2, 1, 448, 64), "L": Sizes(4, 16, 4, 1, 1024, 128)}


def cache_workload(stream: Stream, size: str) -> Sample:
    """A step at the end of a cache."""
    sizes = WORKLOADS[size]
    arrays = {name: ordinary(stream(name), shape) for name, shape in sizes.shapes().items()}
    return Sample(name=size, inputs={**arrays, "lengths": np.full(sizes.batch, sizes.slots - 1)})
