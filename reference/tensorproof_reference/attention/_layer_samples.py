"""The samples of the layer of heads with projections: see ``layer_samples``."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from tensorproof_reference.operation import Sample
from tensorproof_reference.operations._workloads import ordinary, weights
from tensorproof_reference.operations.scaled_dot_product_attention import FULLY_MASKED_ROWS
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.sample_kinds import long_samples
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

HIGH = ("float64", "float32")


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


def _drawn(stream: Stream, sizes: Sizes, biases: bool = True, deviation: float = 1.0) -> dict[str, Any]:
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


def _some(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Two thirds true, and true for the first key."""
    mask = stream("mask").integers(shape, 0, 3) > 0
    mask[..., 0] = True
    return mask


SAME_FOR_ALL_KEYS = ("d_key_bias",)
"""Zero in exact arithmetic: a bias of keys adds the same to all scores of a query."""
BEFORE_ONE_KEY = tuple(f"d_{name}{part}" for name in ("query", "key") for part in ("", "_weight", "_bias"))
"""Zero where there is one key, whose weight is 1."""


def layer_samples(stream: Stream) -> Iterator[Sample]:
    """Widths, biases or none, masks of each shape, causal or not, sizes of one, NaN that is seen or hidden, long rows."""

    def sample(
        name: str, sizes: Sizes = PLAIN, biases: bool = True, deviation: float = 1.0, mask: Any = None, **others: Any
    ) -> Sample:
        inputs = _drawn(stream(name), sizes, biases, deviation)
        if mask is not None:
            inputs["mask"] = _some(stream(name), mask)
        zero = SAME_FOR_ALL_KEYS if biases else ()
        return Sample(name=name, inputs=inputs, **{"exact_zero": zero, **others})

    causal = {"causal": True}
    yield sample("plain_layer")
    yield sample("plain_as_many_keys", PLAIN._replace(keys=5))
    yield sample("optional_no_biases", biases=False)
    yield sample("size_large", Sizes(2, 24, 40, 4, 16, 64))
    yield sample("size_large_causal", Sizes(2, 24, 40, 4, 16, 64), keywords=causal, dtypes=SINGLE)
    yield sample("optional_widths_of_inputs", PLAIN._replace(of_keys=10, of_values=8))
    yield sample("optional_wider_heads", PLAIN._replace(head=6))
    yield sample("optional_more_outputs", PLAIN._replace(outputs=14))
    yield sample("optional_causal", keywords=causal)
    one = sample("unit_key", PLAIN._replace(queries=3, keys=1), exact_zero=BEFORE_ONE_KEY)
    yield one
    yield replace(one, name="unit_key_causal", keywords=causal, dtypes=SINGLE)
    for name, sizes in {
        "unit_query": PLAIN._replace(queries=1),
        "unit_batch": PLAIN._replace(batch=1),
        "unit_head": PLAIN._replace(heads=1, head=12),
        "unit_feature_of_heads": PLAIN._replace(heads=12, head=1),
    }.items():
        yield sample(name, sizes, dtypes=SINGLE)
        yield sample(f"{name}_causal", sizes, keywords=causal, dtypes=SINGLE)
        yield sample(f"{name}_mask", sizes, mask=(sizes.batch, 1, sizes.queries, 7), dtypes=SINGLE)
    for memory in ("transposed", "sliced"):
        yield sample(f"strided_{memory}", memory=memory)
    for name, shape in {
        "rank_of_mask_two": (5, 7),
        "rank_of_mask_three": (3, 5, 7),
        "mask_whole": (2, 3, 5, 7),
        "mask_of_each_example": (2, 1, 5, 7),
        "mask_of_each_head": (1, 3, 5, 7),
        "mask_of_keys": (2, 1, 1, 7),
    }.items():
        yield sample(name, mask=shape)
        yield sample(f"{name}_causal", mask=shape, keywords=causal, dtypes=SINGLE)
    yield sample("mask_without_biases", biases=False, mask=(2, 1, 5, 7), dtypes=SINGLE)
    yield sample("magnitude_small", deviation=0.01)
    yield sample("magnitude_spread", deviation=4.0, dtypes=HIGH)
    yield sample("magnitude_spread_causal", deviation=4.0, keywords=causal, dtypes=HIGH)
    yield sample("long_keys_513", PLAIN._replace(keys=513), deviation=0.5)
    yield sample("long_features", Sizes(1, 3, 5, 1, 513, 513), deviation=0.5, dtypes=HIGH)

    def long(name: str, length: int) -> dict[str, Any]:
        return _drawn(stream(name), Sizes(1, 2, length, 2, 2, 4), biases=False, deviation=0.5)

    yield from long_samples(long, "keys")
    for convention in ("default", *FULLY_MASKED_ROWS):
        defined = convention in FULLY_MASKED_ROWS[1:]
        hidden = sample(f"convention_{convention}", mask=(2, 1, 5, 7), required=False, gradient=defined)
        hidden.inputs["mask"][0, :, 1] = False
        hidden.inputs["mask"][1, :, 4] = False
        words = {} if convention == "default" else {"fully_masked_rows": convention}
        yield replace(hidden, keywords=words)
    yield from _undefined(sample)


def _undefined(sample: Any) -> Iterator[Sample]:
    """NaN in each input, and in keys that no query sees."""
    for name in ("query", "key", "value"):
        undefined = sample(f"nan_{name}")
        undefined.inputs[name][0, 3, 2] = np.nan
        yield replace(undefined, exact_zero=())
    for name, given in (("nan_key_masked", {"mask": (2, 1, 5, 7)}), ("nan_key_causal", {"keywords": {"causal": True}})):
        hidden = sample(name, gradient=False, dtypes=SINGLE, **given)
        hidden.inputs["key"][:, 6] = np.nan
        if "mask" in given:
            hidden.inputs["mask"][..., 6] = False
        yield hidden


WORKLOADS = {"S": Sizes(1, 16, 16, 4, 8, 32), "M": Sizes(4, 64, 64, 8, 32, 256), "L": Sizes(4, 256, 256, 8, 64, 512)}


def layer_workload(stream: Stream, size: str) -> Sample:
    """Self-attention with biases and without a mask."""
    sizes = WORKLOADS[size]
    x = {name: ordinary(stream(name), (sizes.batch, sizes.queries, sizes.features)) for name in ("query", "key", "value")}
    return Sample(name=size, inputs={**_drawn(stream, sizes), **x})
