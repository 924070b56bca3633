"""The samples of the layer of heads with projections: of its output, and of its output with the weights."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tensorproof_reference.operation import Sample
from tensorproof_reference.operations._workloads import ordinary, weights
from tensorproof_reference.operations.scaled_dot_product_attention import FULLY_MASKED_ROWS
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

HIGH = ("float64", "float32")
CAUSAL = {"causal": True}


class Sizes(NamedTuple):
    """The sizes of a layer; each of the last is that of the queries' features unless it is given."""

    batch: int = 2
    queries: int = 5
    keys: int = 7
    heads: int = 3
    head: int = 4
    features: int = 12
    of_keys: int = 0
    of_values: int = 0
    outputs: int = 0


PLAIN = Sizes()


def drawn(stream: Stream, sizes: Sizes, biases: bool = True, deviation: float = 1.0) -> dict[str, Any]:
    """Normal inputs, and weights that keep their order of magnitude."""
    of_keys, of_values = sizes.of_keys or sizes.features, sizes.of_values or sizes.features
    outputs, heads, whole = sizes.outputs or sizes.features, (sizes.heads, sizes.head), sizes.heads * sizes.head

    def weight(name: str, shape: tuple[int, ...], fan_in: int) -> Array:
        return 1.5 * weights(stream(name), shape, fan_in)

    arrays: dict[str, Any] = {
        "query": stream("query").normal((sizes.batch, sizes.queries, sizes.features), deviation=deviation),
        "key": stream("key").normal((sizes.batch, sizes.keys, of_keys), deviation=deviation),
        "value": stream("value").normal((sizes.batch, sizes.keys, of_values)),
        "query_weight": weight("query_weight", (sizes.features, *heads), sizes.features),
        "key_weight": weight("key_weight", (of_keys, *heads), of_keys),
        "value_weight": weight("value_weight", (of_values, *heads), of_values),
        "output_weight": weight("output_weight", (*heads, outputs), whole),
    }
    if biases:
        shapes: dict[str, tuple[int, ...]] = {
            "query_bias": heads,
            "key_bias": heads,
            "value_bias": heads,
            "output_bias": (outputs,),
        }
        arrays |= {name: stream(name).normal(shape, deviation=0.5) for name, shape in shapes.items()}
    return arrays


SAME_FOR_ALL_KEYS = ("d_key_bias",)
"""Zero in exact arithmetic: a bias of keys adds the same to all scores of a query."""
BEFORE_ONE_KEY = tuple(f"d_{name}{part}" for name in ("query", "key") for part in ("", "_weight", "_bias"))
"""Zero where there is one key, whose weight is 1."""


def layer_samples(stream: Stream) -> Iterator[Sample]:
    """Widths, biases or none, masks of each shape, causal or not, sizes of one, NaN that is seen or hidden, long rows.

    What masks and scores do is checked in ``grouped_query_attention``; here are the ways in which a layer passes them on.
    """

    def sample(name: str, sizes: Sizes = PLAIN, **others: Any) -> Sample:
        return _layer(stream, name, sizes, **others)

    yield sample("plain_layer")
    yield sample("size_large", Sizes(2, 24, 40, 4, 16, 64), keywords=CAUSAL, dtypes=SINGLE)
    yield sample("optional_no_biases", biases=False)
    yield sample("optional_widths_of_inputs", PLAIN._replace(of_keys=10, of_values=8))
    yield sample("optional_wider_heads", PLAIN._replace(head=6), dtypes=HIGH)
    yield sample("optional_more_outputs", PLAIN._replace(outputs=14), dtypes=SINGLE)
    yield sample("optional_causal", keywords=CAUSAL)
    yield sample("unit_key", PLAIN._replace(queries=3, keys=1), exact_zero=BEFORE_ONE_KEY, dtypes=SINGLE)
    yield sample("unit_query", PLAIN._replace(queries=1), keywords=CAUSAL, dtypes=SINGLE)
    yield sample("unit_batch_and_head", PLAIN._replace(batch=1, heads=1, head=12), mask=(1, 1, 5, 7), dtypes=SINGLE)
    yield sample("unit_feature_of_heads", PLAIN._replace(heads=12, head=1), dtypes=SINGLE)
    for memory in ("transposed", "sliced"):
        yield sample(f"strided_{memory}", memory=memory, dtypes=SINGLE)
    for name, shape in {
        "rank_of_mask_two": (5, 7),
        "rank_of_mask_three": (3, 5, 7),
        "mask_whole": (2, 3, 5, 7),
        "mask_of_each_example": (2, 1, 5, 7),
        "mask_of_keys": (2, 1, 1, 7),
    }.items():
        yield sample(name, mask=shape, dtypes=SINGLE)
    yield sample("mask_of_keys_causal", mask=(2, 1, 1, 7), keywords=CAUSAL)
    yield sample("mask_without_biases", biases=False, mask=(2, 1, 5, 7), keywords=CAUSAL, dtypes=SINGLE)
    yield sample("magnitude_spread", deviation=4.0, dtypes=HIGH)
    yield sample("long_features", Sizes(1, 3, 5, 1, 513, 513), deviation=0.5, dtypes=SINGLE)
    yield from _without_keys(stream)
    for name in ("query", "key", "value"):
        undefined = sample(f"nan_{name}", exact_zero=(), dtypes=SINGLE)
        undefined.inputs[name][0, 3, 2] = np.nan
        yield undefined
    hidden = sample("nan_key_causal", keywords=CAUSAL, gradient=False, dtypes=SINGLE)
    hidden.inputs["key"][:, 6] = np.nan
    yield hidden


def weights_samples(stream: Stream) -> Iterator[Sample]:
    """What the weights show beside the output: masks, causal or not, widths, sizes of one, NaN, long rows."""

    def sample(name: str, sizes: Sizes = PLAIN, **others: Any) -> Sample:
        return _layer(stream, name, sizes, **others)

    yield sample("plain_layer")
    yield sample("size_large", Sizes(2, 24, 40, 4, 16, 64), keywords=CAUSAL, dtypes=SINGLE)
    yield sample("optional_no_biases", biases=False, keywords=CAUSAL, dtypes=SINGLE)
    yield sample("unit_query", PLAIN._replace(queries=1), dtypes=SINGLE)
    yield sample("strided_transposed", memory="transposed", dtypes=SINGLE)
    yield sample("rank_of_mask_two", mask=(5, 7), dtypes=SINGLE)
    yield sample("mask_whole_causal", mask=(2, 3, 5, 7), keywords=CAUSAL, dtypes=(*HIGH, "float16"))
    yield sample("magnitude_spread", deviation=4.0, dtypes=HIGH)
    yield sample("long_keys", PLAIN._replace(keys=513), deviation=0.5, dtypes=SINGLE)
    yield from _without_keys(stream)
    undefined = sample("nan_query", exact_zero=(), dtypes=SINGLE)
    undefined.inputs["query"][0, 3, 2] = np.nan
    yield undefined


def _layer(
    stream: Stream,
    name: str,
    sizes: Sizes,
    *,
    biases: bool = True,
    deviation: float = 1.0,
    mask: tuple[int, ...] | None = None,
    **others: Any,
) -> Sample:
    """The layer's arguments; a mask is two thirds true, and true for the first key."""
    inputs = drawn(stream(name), sizes, biases, deviation)
    if mask is not None:
        inputs["mask"] = stream(name)("mask").integers(mask, 0, 3) > 0
        inputs["mask"][..., 0] = True
    zero = SAME_FOR_ALL_KEYS if biases else ()
    return Sample(name=name, inputs=inputs, **{"exact_zero": zero, **others})


def _without_keys(stream: Stream) -> Iterator[Sample]:
    """Queries that see no key, under each convention."""
    for convention in ("default", *FULLY_MASKED_ROWS):
        defined = convention in FULLY_MASKED_ROWS[1:]
        name = f"convention_{convention}"
        words = {} if convention == "default" else {"fully_masked_rows": convention}
        given: dict[str, Any] = {"mask": (2, 1, 5, 7), "keywords": words, "required": False, "gradient": defined}
        hidden = _layer(stream, name, PLAIN, dtypes=SINGLE, **given)
        hidden.inputs["mask"][0, :, 1] = False
        hidden.inputs["mask"][1, :, 4] = False
        yield hidden


WORKLOADS = {"S": Sizes(1, 16, 16, 4, 8, 32), "M": Sizes(4, 64, 64, 8, 32, 256), "L": Sizes(4, 256, 256, 8, 64, 512)}


def layer_workload(stream: Stream, size: str) -> Sample:
    """Self-attention with biases and without a mask."""
    sizes = WORKLOADS[size]
    x = {name: ordinary(stream(name), (sizes.batch, sizes.queries, sizes.features)) for name in ("query", "key", "value")}
    return Sample(name=size, inputs={**drawn(stream, sizes), **x})
