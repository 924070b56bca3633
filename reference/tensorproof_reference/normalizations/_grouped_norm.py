"""What normalizations over positions of one example share: the normalization by groups of channels, its adjoint, and samples."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_shape
from tensorproof_reference.operation import DTYPES, Sample, Work, asarray
from tensorproof_reference.operations._channels import beside_channels, over_channels
from tensorproof_reference.operations._workloads import IMAGES, count, ordinary
from tensorproof_reference.sample_kinds import long_samples
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

AXES = {"x": "n c ...", "y": "n c ..."}
HIGH = ("float64", "float32")
WIDE = (*HIGH, "bfloat16")


def normalize(x: Array, groups: int, epsilon: float) -> tuple[Array, Array]:
    """The input normalized over each group of channels, in its shape, and the roots that it was divided by: (N, groups, 1)."""
    together = _together(x, groups)
    normalized = together - np.mean(together, axis=-1, keepdims=True)
    deviation = np.sqrt(np.mean(np.square(normalized), axis=-1, keepdims=True) + epsilon)
    normalized /= deviation
    return normalized.reshape(x.shape), deviation


def _together(x: Array, groups: int) -> Array:
    """The numbers of each group of channels along one axis: (N, groups, m)."""
    return x.reshape(x.shape[0], groups, math.prod(x.shape[1:]) // groups)


def affine(normalized: Array, scale: Array | None, offset: Array | None) -> Array:
    """Each channel scaled and shifted."""
    scaled = normalized if scale is None else normalized * beside_channels(scale, normalized)
    return scaled if offset is None else scaled + beside_channels(offset, normalized)


def pull_back(dy: Array, x: Array, scale: Array | None, offset: Array | None, groups: int, epsilon: float) -> Gradients:
    """The vector-Jacobian product of ``affine`` of ``normalize``."""
    normalized, deviation = normalize(x, groups, epsilon)
    dscale = None if scale is None else np.sum(dy * normalized, axis=over_channels(x))
    doffset = None if offset is None else np.sum(dy, axis=over_channels(x))
    dnormalized = _together(dy if scale is None else dy * beside_channels(scale, x), groups)
    together = _together(normalized, groups)
    projection = np.mean(dnormalized * together, axis=-1, keepdims=True)
    dx = dnormalized - np.mean(dnormalized, axis=-1, keepdims=True)
    together *= projection
    dx -= together
    dx /= deviation
    return {"x": dx.reshape(x.shape), "scale": dscale, "offset": doffset}


def check(x: Array, scale: Array | None, offset: Array | None, epsilon: float) -> None:
    """Raise ``ValueError`` if an array does not fit, or ε is negative."""
    require(x.ndim >= 2, "x", "an array with at least 2 axes", f"shape {x.shape}")
    require(0 not in x.shape[1:], "x", "at least one value in each example", f"shape {x.shape}")
    for name, array in (("scale", scale), ("offset", offset)):
        if array is not None:
            require_shape(array, name, (x.shape[1],))
    require(epsilon >= 0, "epsilon", "a number that is not negative", epsilon)


def arguments(stream: Stream, *shape: int, mean: float = 0.0, deviation: float = 1.0, **given: Any) -> dict[str, Any]:
    """The input, scale and offset, or what is given instead."""
    return {
        "x": stream("x").normal(shape, mean, deviation),
        "scale": stream("scale").uniform((shape[1],), 0.25, 0.75),
        "offset": stream("offset").normal((shape[1],), deviation=0.5),
        **given,
    }


def grouped_samples(stream: Stream, keywords: Mapping[str, Any]) -> Iterator[Sample]:
    """What both have: sizes, ranks, small inputs, cancellation, long examples, optional arguments, special values."""

    def sample(
        name: str, *shape: int, dtypes: tuple[str, ...] = DTYPES, memory: str = "contiguous", epsilon: float = 1e-5, **others: Any
    ) -> Sample:
        chosen = dict(keywords) if epsilon == 1e-5 else {**keywords, "epsilon": epsilon}
        return Sample(name=name, inputs=arguments(stream(name), *shape, **others), keywords=chosen, dtypes=dtypes, memory=memory)

    plain = (2, 12, 2, 3)
    yield sample("plain_images", *plain)
    yield sample("size_large", 8, 32, 16, 16)
    yield sample("rank_three", 2, 6, 9)
    yield sample("rank_five", 2, 6, 3, 2, 2)
    yield sample("unit_batch", 1, 4, 3, 3)
    yield sample("unit_row", 2, 4, 1, 6)
    yield sample("empty_batch", 0, 4, 3, 3)
    yield sample("strided_transposed", *plain, memory="transposed")
    yield sample("strided_sliced", *plain, memory="sliced")
    yield sample("epsilon_inputs_3_milli", *plain, deviation=3e-3)
    yield sample("epsilon_inputs_10_micro", *plain, deviation=1e-5, dtypes=WIDE)
    yield sample("epsilon_large", *plain, deviation=0.3, epsilon=0.125)
    yield sample("bounds_epsilon_zero", *plain, epsilon=0.0)
    yield sample("magnitude_100", *plain, deviation=100.0)
    yield sample("magnitude_1e10", *plain, deviation=1e10, dtypes=WIDE)
    yield sample("cancellation_mean_2", *plain, mean=2.0, dtypes=(*HIGH, "float16"))
    yield sample("cancellation_mean_100", *plain, mean=100.0, dtypes=HIGH)
    yield sample("cancellation_mean_1000", *plain, mean=1000.0, deviation=0.01, dtypes=("float64",))
    yield sample("long_positions_5000", 1, 4, 5000)
    yield from long_samples(lambda name, length: arguments(stream(name), 1, 4, length), "positions", keywords=dict(keywords))
    yield sample("optional_no_scale", *plain, scale=None)
    yield sample("optional_no_offset", *plain, offset=None)
    yield sample("optional_neither", *plain, scale=None, offset=None)
    for name, value in (("nan_one_in_each_example", np.nan), ("infinity_one_in_an_example", np.inf)):
        inputs = arguments(stream(name), *plain)
        inputs["x"][0, 1, 0, 2] = value
        if np.isnan(value):
            inputs["x"][1, 5, 1, 2] = value
        yield Sample(name=name, inputs=inputs, keywords=dict(keywords))


def one_number_samples(shape: tuple[int, ...], keywords: Mapping[str, Any]) -> Iterator[Sample]:
    """The mean of one number is that number: the offset is exact and the scale has no gradient, however large the number is."""
    for name, values, dtypes in (
        ("cancellation_of_one_number", [10000 / 3, 1023.7, -60000.0, 333.3, 7.1], DTYPES),
        ("cancellation_of_one_number_1e6", [1e6, 1e6 + 0.7, -12345678.9, 3e20, 1.1e-20], WIDE),
    ):
        inputs = {"x": asarray(values).reshape(shape), "scale": asarray([2.0]), "offset": asarray([3.0])}
        expected = {"y": np.full(shape, 3.0), "d_scale": np.zeros(1)}
        zeros = ("d_x", "d_scale")
        yield Sample(name=name, inputs=inputs, keywords=dict(keywords), expected=expected, exact_zero=zeros, dtypes=dtypes)


def grouped_workload(stream: Stream, size: str) -> Sample:
    """Images with scale and offset."""
    channels = IMAGES[size][1]
    inputs = {
        "x": ordinary(stream("x"), IMAGES[size]),
        "scale": stream("scale").uniform((channels,), 0.5, 1.5),
        "offset": stream("offset").uniform((channels,), -0.5, 0.5),
    }
    return Sample(name=size, inputs=inputs)


def grouped_work(x: Array, scale: Array | None, offset: Array | None, groups: int) -> Work:
    """As in ``layer_norm``, with a mean and a root for each group of each example."""
    numbers, means = count(x), x.shape[0] * groups
    of_scale = 0 if scale is None else 3 * numbers - count(scale)
    of_offset = 0 if offset is None else numbers - count(offset)
    return Work(
        flops=numbers * (5 + (scale is not None) + (offset is not None)) + means,
        transcendentals=means,
        backward_flops=7 * numbers + of_scale + of_offset,
    )
