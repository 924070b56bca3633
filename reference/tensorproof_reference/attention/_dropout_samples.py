"""The samples of attention with dropout: see ``dropout_samples``."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tensorproof_reference.operation import Sample
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

Sizes = tuple[int, int, int, int, int, int]
"""Batch, heads, queries, keys, features and results."""
PLAIN: Sizes = (2, 3, 5, 7, 4, 6)
FINE = ("float64", "float32", "float16")
OFF = {"training": False}
CAUSAL = {"causal": True}
SCALED = {"scale": 0.3}


def arguments(stream: Stream, sizes: Sizes = PLAIN, deviation: float = 1.0, **given: Any) -> dict[str, Array]:
    """Normal queries, keys and values."""
    batch, heads, queries, keys, features, results = sizes
    return {
        "query": stream("query").normal((batch, heads, queries, features), deviation=deviation),
        "key": stream("key").normal((batch, heads, keys, features), deviation=deviation),
        "value": stream("value").normal((batch, heads, keys, results)),
        **given,
    }


def some(stream: Stream, *shape: int) -> Array:
    """Two thirds true, and true for the first key, so that no row is fully masked."""
    mask = stream("mask").integers(shape, 0, 3) > 0
    mask[..., 0] = True
    return mask


def dropout_samples(stream: Stream) -> Iterator[Sample]:
    """Inference at each shape, with each mask; no dropout in training; and draws, judged as distributions."""

    def case(name: str, sizes: Sizes = PLAIN, more: Mapping[str, Any] = OFF, deviation: float = 1.0, **others: Any) -> Sample:
        mask = others.pop("mask", None)
        given = {} if mask is None else {"mask": some(stream(name), *mask)}
        return Sample(name=name, inputs=arguments(stream(name), sizes, deviation, **given), keywords=more, **others)

    yield case("plain_inference")
    yield case("size_large", (2, 2, 32, 48, 16, 16))
    yield case("unit_query", (2, 3, 1, 7, 4, 6))
    yield case("unit_key", (2, 3, 5, 1, 4, 6), exact_zero=("d_query", "d_key"))
    yield case("unit_feature", (2, 3, 5, 7, 1, 1))
    yield case("unit_head", (1, 1, 5, 7, 4, 6))
    yield case("empty_batch", (0, 3, 5, 7, 4, 6), required=False)
    yield case("strided_transposed", memory="transposed")
    yield case("strided_sliced", memory="sliced")
    yield case("long_keys", (1, 2, 3, 513, 8, 4), deviation=0.5)
    yield case("magnitude_small", deviation=0.01)
    yield case("magnitude_spread_10", deviation=2.0, dtypes=FINE)
    nan_query = arguments(stream("nan_query"))
    for row in range(4):
        nan_query["query"][:, :, row, row] = np.nan
    yield Sample(name="nan_query", inputs=nan_query, keywords=OFF)
    nan_value = arguments(stream("nan_value"))
    nan_value["value"][0, 1, 3, 2] = np.nan
    yield Sample(name="nan_value", inputs=nan_value, keywords=OFF)

    high, none = {"rate": 0.9, **OFF}, {"rate": 0.0}
    for word, keywords in (("inference", high), ("rate_zero", none)):
        yield case(f"optional_{word}", more=keywords)
        yield case(f"optional_{word}_scale", more={**keywords, **SCALED})
        yield case(f"mask_{word}", more=keywords, mask=(2, 3, 5, 7))
        yield case(f"mask_{word}_shared", more=keywords, mask=(5, 7))
        yield case(f"mask_{word}_keys", more=keywords, mask=(2, 1, 1, 7))
        yield case(f"mask_{word}_causal", (2, 3, 5, 5, 4, 6), more={**keywords, **CAUSAL})
        yield case(f"mask_{word}_causal_fewer_keys", (2, 3, 7, 5, 4, 6), more={**keywords, **CAUSAL})
        yield case(f"mask_{word}_and_causal", more={**keywords, **CAUSAL}, mask=(2, 1, 1, 7))
    all_dropped = arguments(stream("bounds_rate_one"))
    zeros = {"y": np.zeros((2, 3, 5, 6)), **{f"d_{name}": np.zeros_like(array) for name, array in all_dropped.items()}}
    yield Sample(
        name="bounds_rate_one",
        inputs=all_dropped,
        keywords={"rate": 1.0},
        required=False,
        expected=zeros,
        exact_zero=tuple(zeros),
    )

    for name, keys, keywords, mask in (
        ("statistics_rate_01", 56, {"rate": 0.1}, None),
        ("statistics_rate_05", 56, {"rate": 0.5}, None),
        ("statistics_scale", 56, {"rate": 0.3, **SCALED}, None),
        ("statistics_causal", 72, {"rate": 0.5, **CAUSAL}, None),
        ("statistics_mask", 56, {"rate": 0.3}, (2, 1, 72, 56)),
        ("statistics_mask_causal", 72, {"rate": 0.3, **CAUSAL}, (2, 1, 1, 72)),
    ):
        given = {} if mask is None else {"mask": some(stream(name), *mask)}
        inputs = arguments(stream(name), (2, 4, 72, keys, 8, keys), **given)
        inputs["value"] = np.broadcast_to(np.eye(keys), (2, 4, keys, keys)).copy()
        yield Sample(name=name, inputs=inputs, keywords={"training": True, "seed": 1, **keywords}, gradient=False)
