"""The samples of attention with grouped heads: each option alone, with each other, and with what breaks kernels."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from tensorproof_reference.operation import Sample
from tensorproof_reference.operations._workloads import ordinary
from tensorproof_reference.operations.scaled_dot_product_attention import FULLY_MASKED_ROWS
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.sample_kinds import long_samples
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

HIGH = ("float64", "float32")
FINE = (*HIGH, "float16")
LIGHT = ("float32", "bfloat16")
"""The dtypes of options among large arrays: one of full precision, one of 16 bits."""


class Sizes(NamedTuple):
    """The sizes of heads in groups."""

    batch: int = 2
    heads: int = 6
    groups: int = 2
    queries: int = 5
    keys: int = 7
    features: int = 4
    results: int = 4

    @property
    def scores(self) -> tuple[int, int, int, int]:
        """The shape of scores."""
        return self.batch, self.heads, self.queries, self.keys


PLAIN = Sizes()
Given = tuple[Mapping[str, Array], Mapping[str, Any]]
"""Arrays and keywords."""


def drawn(stream: Stream, sizes: Sizes, deviation: float = 1.0) -> dict[str, Array]:
    """Normal queries, keys and values."""
    shared = (sizes.batch, sizes.groups, sizes.keys)
    return {
        "query": stream("query").normal((*sizes.scores[:3], sizes.features), deviation=deviation),
        "key": stream("key").normal((*shared, sizes.features), deviation=deviation),
        "value": stream("value").normal((*shared, sizes.results)),
    }


def _hidden(stream: Stream, shape: tuple[int, ...]) -> Array:
    """True in a third of the places, but nowhere on the diagonal: no row is fully masked."""
    hidden = stream.integers(shape, 0, 3) == 0
    rows = np.arange(shape[-2])
    hidden[..., rows, np.minimum(rows, shape[-1] - 1)] = False
    return hidden


def _mask(stream: Stream, sizes: Sizes) -> Given:
    batch, _, queries, keys = sizes.scores
    return {"mask": ~_hidden(stream("mask"), (batch, 1, queries, keys))}, {}


def _bias(stream: Stream, sizes: Sizes) -> Given:
    _, heads, queries, keys = sizes.scores
    return {"bias": stream("bias").normal((1, heads, queries, keys))}, {}


def _infinite_bias(stream: Stream, sizes: Sizes) -> Given:
    """An additive mask: 0, or -∞."""
    batch, _, queries, keys = sizes.scores
    return {"bias": np.where(_hidden(stream("bias"), (batch, 1, queries, keys)), -np.inf, 0.0)}, {}


def _key_lengths(stream: Stream, sizes: Sizes) -> Given:
    """About two thirds of the keys, and all of them, in turn."""
    return {"key_lengths": np.resize(np.array([max(1, sizes.keys * 5 // 7), sizes.keys]), sizes.batch)}, {}


def _keyword(**keywords: Any) -> Callable[[Stream, Sizes], Given]:
    return lambda stream, sizes: ({}, keywords)


OPTIONS: Mapping[str, Callable[[Stream, Sizes], Given]] = {
    "mask": _mask,
    "bias": _bias,
    "infinite_bias": _infinite_bias,
    "key_lengths": _key_lengths,
    "causal": _keyword(causal=True),
    "causal_lower_right": _keyword(causal=True, alignment="lower_right"),
    "window": _keyword(window=(2, 1)),
    "scale": _keyword(scale=0.3),
}
"""What attention may be given, by name: arrays and keywords for these sizes."""


HIDDEN = {
    "mask": np.s_[:, :, 6],
    "key_lengths": np.s_[0, :, 5:],
    "causal": np.s_[:, :, 5:],
    "window": np.s_[:, :, 6:],
}
"""The keys that no query sees, in heads of the plain sizes."""


def attention_samples(stream: Stream) -> Iterator[Sample]:
    """Heads and groups of several numbers and sizes; each option alone and with each other; sizes of 1, NaN and long rows."""

    def sample(name: str, sizes: Sizes = PLAIN, options: tuple[str, ...] = (), deviation: float = 1.0, **others: Any) -> Sample:
        inputs = drawn(stream(name), sizes, deviation)
        keywords: dict[str, Any] = {}
        for option in options:
            arrays, words = OPTIONS[option](stream(name), sizes)
            inputs |= arrays
            keywords |= words
        return Sample(name=name, inputs=inputs, keywords=keywords, **others)

    yield sample("plain_groups")
    yield sample("plain_one_group", PLAIN._replace(groups=1))
    yield sample("plain_as_many_groups", PLAIN._replace(groups=6))
    yield sample("plain_wider_values", PLAIN._replace(results=6))
    yield sample("plain_as_many_keys", PLAIN._replace(keys=5))
    yield sample("plain_fewer_keys", PLAIN._replace(queries=7, keys=5))
    yield sample("size_large", Sizes(2, 8, 2, 32, 48, 16, 16))
    for name in OPTIONS:
        yield sample(f"size_large_{name}", Sizes(1, 4, 2, 40, 72, 16, 16), (name,), dtypes=LIGHT)
    for name in OPTIONS:
        yield sample(f"optional_{name}", options=(name,))
    yield from _units(sample)
    for memory in ("transposed", "sliced"):
        yield sample(f"strided_{memory}", memory=memory)
    yield from _shapes(stream, sample)
    for one, other in combinations(OPTIONS, 2):
        if {one, other} not in ({"bias", "infinite_bias"}, {"causal", "causal_lower_right"}):
            yield sample(f"mask_{one}_and_{other}", options=(one, other), dtypes=SINGLE)
    for name in ("causal", "causal_lower_right", "window"):
        yield sample(f"mask_{name}_as_many_keys", PLAIN._replace(keys=5), (name,), dtypes=SINGLE)
    yield sample("mask_causal_fewer_keys", PLAIN._replace(queries=7, keys=5), ("causal",), dtypes=SINGLE)
    yield from _numbers(sample)
    yield from _capped(sample)
    yield from _fully_masked(sample)

    def long(name: str, length: int) -> dict[str, Array]:
        return drawn(stream(name), Sizes(1, 4, 2, 2, length, 4, 4), 0.5)

    yield from long_samples(long, "keys")


Draw = Callable[..., Sample]


def _units(sample: Draw) -> Iterator[Sample]:
    """One query, one key, one feature, one head and one example, each with every option."""
    yield sample("unit_batch_and_head", Sizes(1, 1, 1))
    yield sample("unit_feature", PLAIN._replace(features=1, results=1), dtypes=FINE)
    yield sample("unit_query", PLAIN._replace(queries=1))
    equal = ("d_query", "d_key")
    yield sample("unit_key", PLAIN._replace(queries=3, keys=1), exact_zero=equal)
    for name in OPTIONS:
        yield sample(f"unit_query_{name}", PLAIN._replace(queries=1), (name,), dtypes=SINGLE)
        yield sample(f"unit_batch_and_head_{name}", Sizes(1, 1, 1), (name,), dtypes=SINGLE)
        if name != "causal_lower_right":  # the first queries would see no key
            zero = (*equal, "d_bias") if "bias" in name else equal
            yield sample(f"unit_key_{name}", PLAIN._replace(queries=3, keys=1), (name,), dtypes=SINGLE, exact_zero=zero)
    yield sample("empty_batch", PLAIN._replace(batch=0), required=False)


def _shapes(stream: Stream, sample: Draw) -> Iterator[Sample]:
    """Masks and biases of every shape that broadcasts, by rank and by what they are shared among."""
    shapes = {
        "rank_of_{}_two": (5, 7),
        "rank_of_{}_three": (6, 5, 7),
        "mask_{}_whole": (2, 6, 5, 7),
        "mask_{}_of_each_example": (2, 1, 5, 7),
        "mask_{}_of_each_head": (1, 6, 5, 7),
        "mask_{}_of_keys": (2, 1, 1, 7),
        "mask_{}_of_queries": (1, 1, 5, 1),
    }
    for argument in ("mask", "bias"):
        for pattern, shape in shapes.items():
            name = pattern.format(argument)
            given = sample(name)
            numbers = stream(name)(argument)
            array: Array = numbers.normal(shape) if argument == "bias" else _first_key_seen(numbers.integers(shape, 0, 3) > 0)
            yield Sample(name=name, inputs={**given.inputs, argument: array}, keywords=given.keywords, dtypes=SINGLE)


def _first_key_seen(mask: Array) -> Array:
    mask[..., 0] = True
    return mask


def _numbers(sample: Draw) -> Iterator[Sample]:
    """Wide scores, long rows, NaN that is seen, and NaN and infinity that are not."""
    yield sample("magnitude_small", deviation=0.01)
    yield sample("magnitude_spread_10", deviation=2.0, dtypes=FINE)
    yield sample("magnitude_spread_60", deviation=4.5, dtypes=HIGH)
    for name in OPTIONS:
        yield sample(f"magnitude_spread_10_{name}", options=(name,), deviation=2.0, dtypes=SINGLE)
        yield sample(f"long_keys_513_{name}", Sizes(2, 4, 2, 3, 513, 8, 8), (name,), deviation=0.5, dtypes=LIGHT)
    yield sample("long_features", Sizes(1, 4, 2, 3, 5, 513, 4), deviation=0.5)
    large = sample("magnitude_bias_minus_30000", options=("infinite_bias",))
    large.inputs["bias"][...] = np.where(large.inputs["bias"] == 0, 0.0, -30000.0)
    yield large
    large = sample("magnitude_bias_least", options=("infinite_bias",), dtypes=HIGH)
    large.inputs["bias"][...] = np.where(large.inputs["bias"] == 0, 0.0, np.finfo(np.float32).min)
    yield large
    undefined = sample("nan_bias", options=("bias",))
    undefined.inputs["bias"][0, 4, 2, 3] = np.nan
    yield undefined

    nan_query = sample("nan_query")
    for row in range(4):
        nan_query.inputs["query"][:, :, row, row] = np.nan
    yield nan_query
    nan_key = sample("nan_key")
    nan_key.inputs["key"][0, 1, 6, 2] = np.nan
    yield nan_key
    nan_value = sample("nan_value")
    nan_value.inputs["value"][0, 1, 3, 2] = np.nan
    nan_value.inputs["value"][1, 0, 6, 3] = np.nan
    yield nan_value
    for name in OPTIONS:
        # The gradients are left out: NaN times a weight of 0 is NaN in the formula, and frameworks may leave that term out.
        nan_key = sample(f"nan_key_{name}", options=(name,), gradient=False, dtypes=SINGLE)
        nan_key.inputs["key"][0, 1, 3, 2] = np.nan
        yield nan_key
    for name, places in HIDDEN.items():
        for word, number in (("nan", np.nan), ("infinity", np.inf)):
            hidden = sample(f"{word}_key_hidden_by_{name}", options=(name,), gradient=False, dtypes=SINGLE)
            hidden.inputs["key"][places] = number
            if name == "mask":
                hidden.inputs["mask"][..., 6] = False
            yield hidden
    infinite = sample("infinity_value", gradient=False)
    infinite.inputs["value"][0, 1, 3, 2] = np.inf
    infinite.inputs["value"][1, 0, 6, 3] = -np.inf
    yield infinite


def _capped(sample: Draw) -> Iterator[Sample]:
    """A soft cap alone, where it bends the scores little and much, and with every option."""

    def capped(name: str, soft_cap: float = 1.5, *arguments: Any, **others: Any) -> Sample:
        found = sample(name, *arguments, **others)
        return replace(found, keywords={**found.keywords, "soft_cap": soft_cap})

    yield capped("optional_soft_cap")
    yield capped("optional_soft_cap_far", 50.0, dtypes=SINGLE)
    yield capped("size_large_soft_cap", 1.5, Sizes(1, 4, 2, 40, 72, 16, 16), dtypes=LIGHT)
    yield capped("magnitude_soft_cap", 20.0, deviation=4.5, dtypes=HIGH)
    for name in OPTIONS:
        yield capped(f"mask_soft_cap_and_{name}", 1.5, PLAIN, (name,), dtypes=SINGLE)
    undefined = capped("nan_key_soft_cap", dtypes=SINGLE)
    undefined.inputs["key"][0, 1, 6, 2] = np.nan
    yield undefined


def _fully_masked(sample: Draw) -> Iterator[Sample]:
    """Rows that see no key, for each reason that there is, under each convention."""
    reasons = {
        "mask": PLAIN,
        "infinite_bias": PLAIN,
        "key_lengths": PLAIN,
        "causal_lower_right": PLAIN._replace(queries=7, keys=5),
        "window": PLAIN._replace(queries=7, keys=3),
    }
    for reason, sizes in reasons.items():
        for convention in ("default", *FULLY_MASKED_ROWS) if reason == "mask" else FULLY_MASKED_ROWS:
            defined = convention in FULLY_MASKED_ROWS[1:]
            found = sample(f"convention_{reason}_{convention}", sizes, (reason,), required=False, gradient=defined, dtypes=LIGHT)
            _hide_all_keys(found, reason)
            words = {} if convention == "default" else {"fully_masked_rows": convention}
            yield replace(found, keywords={**found.keywords, **words})


def _hide_all_keys(sample: Sample, reason: str) -> None:
    """Hide all keys from some queries, where positions do not do so."""
    inputs: Mapping[str, Any] = sample.inputs
    if reason == "key_lengths":
        inputs[reason][0] = 0
    if reason in ("mask", "infinite_bias"):
        array, nothing = (inputs["mask"], False) if reason == "mask" else (inputs["bias"], -np.inf)
        array[0, :, 1] = nothing
        array[1, :, 4] = nothing


WORKLOADS = {"S": Sizes(1, 4, 2, 16, 16, 16, 16), "M": Sizes(4, 8, 2, 64, 64, 64, 64), "L": Sizes(4, 16, 4, 256, 256, 64, 64)}


def head_workload(stream: Stream, size: str) -> Sample:
    """Heads of self-attention in groups, without a mask."""
    sizes = WORKLOADS[size]
    shared = (sizes.batch, sizes.groups, sizes.keys, sizes.features)
    shapes = {"query": (*sizes.scores[:3], sizes.features), "key": shared, "value": shared}
    return Sample(name=size, inputs={name: ordinary(stream(name), shape) for name, shape in shapes.items()})
