"""The samples of blocks of transformers: sizes, single positions and heads, NaN, magnitudes, other epsilons, a mask of keys."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from tensorproof_reference.operation import Sample
from tensorproof_reference.operations._workloads import ordinary, weights
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

FINE = ("float64", "float32", "float16")
"""Where gradients of a block mean something: in bfloat16, through a dozen roundings, ten bars are as large as the values."""


class Sizes(NamedTuple):
    """The sizes of a block; there are as many heads of keys and values as of queries unless it is said."""

    batch: int = 2
    length: int = 6
    heads: int = 4
    width: int = 4
    wide: int = 24
    groups: int = 0

    @property
    def features(self) -> int:
        """The features of x: those of all heads."""
        return self.heads * self.width


PLAIN = Sizes()
LLAMA = PLAIN._replace(groups=2)
Draw = Callable[[Stream, Sizes], dict[str, Any]]


def _weight(stream: Stream, shape: tuple[int, ...], fan_in: int) -> Array:
    return 1.5 * weights(stream, shape, fan_in)


def _attention(stream: Stream, sizes: Sizes) -> dict[str, Array]:
    """The weights of projections."""
    features, heads, groups = sizes.features, (sizes.heads, sizes.width), (sizes.groups or sizes.heads, sizes.width)
    shapes = {"query_weight": heads, "key_weight": groups, "value_weight": groups}
    found = {name: _weight(stream(name), (features, *shape), features) for name, shape in shapes.items()}
    return {**found, "output_weight": _weight(stream("output_weight"), (*heads, features), features)}


def _scale(stream: Stream, features: int) -> Array:
    """Near one, as the scales of normalizations are."""
    return 1.0 + 0.2 * stream.normal((features,))


def _with_biases(stream: Stream, sizes: Sizes) -> dict[str, Any]:
    """All parameters of a block with layer normalization."""
    features, wide, heads = sizes.features, sizes.wide, (sizes.heads, sizes.width)
    shapes: dict[str, tuple[int, ...]] = {
        "query_bias": heads,
        "key_bias": heads,
        "value_bias": heads,
        "output_bias": (features,),
        "attention_offset": (features,),
        "network_offset": (features,),
        "up_bias": (wide,),
        "down_bias": (features,),
    }
    return {
        **_attention(stream, sizes),
        **{name: stream(name).normal(shape, deviation=0.3) for name, shape in shapes.items()},
        **{name: _scale(stream(name), features) for name in ("attention_scale", "network_scale")},
        "up_weight": _weight(stream("up_weight"), (features, wide), features),
        "down_weight": _weight(stream("down_weight"), (wide, features), wide),
    }


def _with_open_units(stream: Stream, sizes: Sizes) -> dict[str, Any]:
    """As before, but each unit of relu is on or off for all positions: what it is given is far from the kink."""
    parameters = _with_biases(stream, sizes)
    signs = np.where(stream("open").integers((sizes.wide,), 0, 3) > 0, 3.0, -3.0)
    return {**parameters, "up_weight": 0.3 * parameters["up_weight"], "up_bias": signs + 0.3 * parameters["up_bias"]}


def _gated(stream: Stream, sizes: Sizes) -> dict[str, Any]:
    """All parameters of a block of Llama."""
    features, wide = sizes.features, sizes.wide
    return {
        **_attention(stream, sizes),
        **{name: _scale(stream(name), features) for name in ("attention_scale", "network_scale")},
        **{name: _weight(stream(name), (features, wide), features) for name in ("gate_weight", "up_weight")},
        "down_weight": _weight(stream("down_weight"), (wide, features), wide),
    }


def _tables(sizes: Sizes) -> dict[str, Array]:
    """The cosines and sines of two positions more than there are."""
    columns = sizes.width // 2
    angles = np.arange(sizes.length + 2)[:, None] * 10000.0 ** (-np.arange(columns) / columns)
    return {"cosines": np.cos(angles), "sines": np.sin(angles)}


def _inputs(draw: Draw) -> Draw:
    """The inputs of a block: x, and parameters."""

    def inputs(stream: Stream, sizes: Sizes) -> dict[str, Any]:
        shape = (sizes.batch, sizes.length, sizes.features)
        return {"x": stream("x").normal(shape), "parameters": draw(stream("parameters"), sizes)}

    return inputs


def _llama_inputs(stream: Stream, sizes: Sizes) -> dict[str, Any]:
    return {**_inputs(_gated)(stream, sizes), **_tables(sizes)}


KEY_BIAS = ("d_parameters.key_bias",)
"""Zero in exact arithmetic: a bias of keys adds the same to all scores of a query."""
SCORES = tuple(f"d_parameters.{name}" for name in ("query_weight", "key_weight"))
"""Zero where there is one position, whose weight is 1."""
SCORES_AND_BIASES = (*SCORES, "d_parameters.query_bias", "d_parameters.key_bias")


def _samples(
    stream: Stream,
    inputs: Draw,
    plain: Sizes,
    zero: tuple[str, ...],
    zero_of_one: tuple[str, ...],
    magnitudes: tuple[float, float] = (0.01, 30.0),
) -> Iterator[Sample]:
    """What every block is checked on; ``magnitudes`` are those of x, small and large."""

    def sample(name: str, sizes: Sizes = plain, **others: Any) -> Sample:
        return Sample(name=name, inputs=inputs(stream(name), sizes), **{"exact_zero": zero, **others})

    yield sample("plain_block", dtypes=FINE)
    yield sample("plain_value", dtypes=("bfloat16",), gradient=False)
    yield sample("size_large", Sizes(2, 33, 8, 8, 128, plain.groups), dtypes=SINGLE)
    yield sample("unit_position", plain._replace(length=1), dtypes=SINGLE, exact_zero=zero_of_one)
    yield sample("unit_batch", plain._replace(batch=1, length=9), dtypes=SINGLE)
    yield sample("unit_head", plain._replace(heads=1, width=8, groups=min(plain.groups, 1)), dtypes=SINGLE)
    for memory in ("transposed", "sliced"):
        yield sample(f"strided_{memory}", memory=memory, dtypes=SINGLE)
    yield sample("optional_epsilon", keywords={"epsilon": 0.1}, dtypes=SINGLE)
    for word, size in zip(("small", "large"), magnitudes, strict=True):
        scaled = sample(f"magnitude_{word}", dtypes=SINGLE)
        values: Any = scaled.inputs
        values["x"] *= size
        yield scaled
    undefined = sample("nan_position", dtypes=SINGLE, exact_zero=())
    inside: Any = undefined.inputs
    inside["x"][0, 3, 2] = np.nan
    yield undefined


def encoder_samples(stream: Stream) -> Iterator[Sample]:
    """Those of every block, and masks of keys. No normalization comes before the scores, so x keeps nearer to one."""
    inputs = _inputs(_with_open_units)
    for sample in _samples(stream, inputs, PLAIN, KEY_BIAS, SCORES_AND_BIASES, (0.1, 3.0)):
        # The gradient at NaN is left out: what relu makes of it is a matter of taste.
        yield replace(sample, gradient=False) if sample.name == "nan_position" else sample
    for name in ("mask_of_keys", "mask_hides_nan"):
        masked = inputs(stream(name), PLAIN)
        masked["mask"] = np.arange(6) < np.array([[6], [4]])
        if name == "mask_hides_nan":
            masked["x"][1, 5, 2] = np.nan
        gradient = name == "mask_of_keys"
        yield Sample(name=name, inputs=masked, gradient=gradient, exact_zero=KEY_BIAS, dtypes=SINGLE)


def causal_samples(stream: Stream) -> Iterator[Sample]:
    """Those of every block."""
    yield from _samples(stream, _inputs(_with_biases), PLAIN, KEY_BIAS, SCORES_AND_BIASES)


def vision_samples(stream: Stream) -> Iterator[Sample]:
    """Those of every block."""
    yield from _samples(stream, _inputs(_with_biases), PLAIN, KEY_BIAS, SCORES_AND_BIASES)


def llama_samples(stream: Stream) -> Iterator[Sample]:
    """Those of every block, and one group, and as many as heads."""
    yield from _samples(stream, _llama_inputs, LLAMA, (), SCORES)
    for name, groups in (("plain_one_group", 1), ("plain_as_many_groups", 4)):
        yield Sample(name=name, inputs=_llama_inputs(stream(name), LLAMA._replace(groups=groups)), dtypes=SINGLE)


WORKLOADS = {"S": Sizes(1, 8, 4, 8, 64), "M": Sizes(2, 64, 4, 32, 512), "L": Sizes(4, 128, 8, 64, 1024)}


def _workload(draw: Draw, stream: Stream, sizes: Sizes, size: str) -> Sample:
    given = draw(stream, sizes)
    given["x"] = ordinary(stream("x"), given["x"].shape)
    return Sample(name=size, inputs=given)


def encoder_workload(stream: Stream, size: str) -> Sample:
    """Sequences without a mask."""
    return _workload(_inputs(_with_open_units), stream, WORKLOADS[size], size)


def block_workload(stream: Stream, size: str) -> Sample:
    """Sequences of full length."""
    return _workload(_inputs(_with_biases), stream, WORKLOADS[size], size)


def llama_workload(stream: Stream, size: str) -> Sample:
    """Sequences of full length, two heads to a group."""
    sizes = WORKLOADS[size]
    return _workload(_llama_inputs, stream, sizes._replace(groups=sizes.heads // 2), size)
