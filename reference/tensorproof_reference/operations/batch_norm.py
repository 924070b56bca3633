"""Batch normalization: see ``batch_norm``."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_choice, require_shape
from tensorproof_reference.operation import DTYPES, Operation, Sample, Work, asarray
from tensorproof_reference.operations._channels import beside_channels, over_channels
from tensorproof_reference.operations._workloads import IMAGES, count, ordinary
from tensorproof_reference.sample_kinds import long_samples, with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

ESTIMATES = ("unbiased", "biased")


def batch_norm(
    x: Array,
    scale: Array | None,
    offset: Array | None,
    running_mean: Array,
    running_variance: Array,
    *,
    training: bool = True,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    running_variance_estimate: str = "unbiased",
) -> tuple[Array, Array, Array]:
    r"""Each channel of ``x`` brought to mean 0 and variance 1, then scaled and shifted:
    :math:`y = \gamma (x - \mu_c) / \sqrt{\sigma_c^2 + \epsilon} + \beta`.

    In training :math:`\mu_c` is the mean of channel c over the batch and all positions, m values, and
    :math:`\sigma_c^2 = \frac{1}{m} \sum (x - \mu_c)^2`, in two passes. The new running statistics are
    momentum · old + (1 - momentum) · that of the batch, so ``momentum`` is the weight of the old value. The batch's variance
    enters them multiplied by m / (m - 1) (``running_variance_estimate="unbiased"``) or as it is (``"biased"``). At inference
    :math:`\mu_c` and :math:`\sigma_c^2` are the running statistics, which come back unchanged. No gradient flows through the
    running statistics.

    Shapes: ``x`` and ``y`` are (N, C, …) of rank ≥ 2; everything else is (C,). ``scale`` and ``offset`` may be ``None``: 1 and 0.
    Special values: in training, NaN makes its whole channel NaN, running statistics included, and leaves the other channels
    alone; at inference, NaN and ±∞ stay where they are. With one value per channel, y is the offset.
    Raises: ``ValueError`` if shapes do not fit, ``epsilon`` is negative, ``momentum`` is outside [0, 1], the estimate is
    unknown, or a channel has fewer values than training needs (1; 2 for the unbiased estimate).
    Source: Ioffe & Szegedy (2015), algorithms 1 and 2; the texts, 004 §4.4.
    """
    require(x.ndim >= 2, "x", "an array with at least 2 axes", f"shape {x.shape}")
    channels = (x.shape[1],)
    for name, vector in (("scale", scale), ("offset", offset)):
        if vector is not None:
            require_shape(vector, name, channels)
    require_shape(running_mean, "running_mean", channels)
    require_shape(running_variance, "running_variance", channels)
    require(epsilon >= 0, "epsilon", "a number that is not negative", epsilon)
    require(0 <= momentum <= 1, "momentum", "a number from 0 to 1", momentum)
    require_choice(running_variance_estimate, "running_variance_estimate", ESTIMATES)
    if not training:
        y = _affine(_normalize(x, running_mean, running_variance, epsilon), scale, offset)
        return y, running_mean, running_variance
    count = x.shape[0] * math.prod(x.shape[2:])
    least = 2 if running_variance_estimate == "unbiased" else 1
    require(count >= least, "x", f"at least {least} values in each channel", f"shape {x.shape}")
    mean, variance = _batch_statistics(x)
    y = _affine(_normalize(x, mean, variance, epsilon), scale, offset)
    estimate = variance * (count / (count - 1)) if running_variance_estimate == "unbiased" else variance
    new_mean = momentum * running_mean + (1.0 - momentum) * mean
    new_variance = momentum * running_variance + (1.0 - momentum) * estimate
    return y, new_mean, new_variance


def _batch_statistics(x: Array) -> tuple[Array, Array]:
    """The mean and the biased variance of each channel."""
    mean = np.mean(x, axis=over_channels(x))
    return mean, np.mean(np.square(x - beside_channels(mean, x)), axis=over_channels(x))


def _normalize(x: Array, mean: Array, variance: Array, epsilon: float) -> Array:
    centred = x - beside_channels(mean, x)
    centred /= np.sqrt(beside_channels(variance, x) + epsilon)
    return centred


def _affine(x: Array, scale: Array | None, offset: Array | None) -> Array:
    scaled = x if scale is None else beside_channels(scale, x) * x
    return scaled if offset is None else scaled + beside_channels(offset, x)


def vjp(
    dy: Array,
    x: Array,
    scale: Array | None,
    offset: Array | None,
    running_mean: Array,
    running_variance: Array,
    *,
    training: bool = True,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    running_variance_estimate: str = "unbiased",
) -> Gradients:
    r"""With :math:`\hat x` the normalized input, :math:`g = \gamma\, dy` and means over each channel:
    :math:`dx = (g - \overline{g} - \hat x\, \overline{g \hat x}) / \sqrt{\sigma^2 + \epsilon}` in training and
    :math:`g / \sqrt{\sigma^2 + \epsilon}` at inference; :math:`d\gamma = \sum dy\, \hat x`, :math:`d\beta = \sum dy`.
    """
    mean, variance = _batch_statistics(x) if training else (running_mean, running_variance)
    normalized = _normalize(x, mean, variance, epsilon)
    dscale = None if scale is None else np.sum(dy * normalized, axis=over_channels(x))
    doffset = None if offset is None else np.sum(dy, axis=over_channels(x))
    dnormalized = _affine(dy, scale, None)
    if training:
        projection = np.mean(dnormalized * normalized, axis=over_channels(x), keepdims=True)
        dnormalized = dnormalized - np.mean(dnormalized, axis=over_channels(x), keepdims=True)
        normalized *= projection
        dnormalized -= normalized
    return {"x": dnormalized / np.sqrt(beside_channels(variance, x) + epsilon), "scale": dscale, "offset": doffset}


def samples(stream: Stream) -> Iterator[Sample]:
    """Ranks 2 to 4, training and inference, momentum, both estimates, small inputs, cancellation, NaN in single channels."""

    def arguments(name: str, *shape: int, mean: float = 0.0, deviation: float = 1.0, **given: Any) -> dict[str, Array]:
        # Offsets away from 0 and running means near it: at inference, x·a + (β - μ·a) is then as exact as the formula.
        numbers, channels = stream(name), (shape[1],)
        signs = numbers("signs").integers(channels, 0, 2) * 2 - 1
        return {
            "x": numbers("x").normal(shape, mean, deviation),
            "scale": numbers("scale").uniform(channels, 0.5, 1.5),
            "offset": numbers("offset").uniform(channels, 0.5, 1.5) * signs,
            "running_mean": numbers("running_mean").uniform(channels, -0.5, 0.5),
            "running_variance": numbers("running_variance").uniform(channels, 0.5, 2.0),
            **given,
        }

    images = (6, 3, 4, 5)
    rows = (8, 3)
    high = ("float64", "float32")
    fine = (*high, "float16")
    wide = (*high, "bfloat16")
    none = np.zeros(3)
    yield Sample(name="plain_images", inputs=arguments("plain_images", *images))
    yield Sample(name="size_large", inputs=arguments("size_large", 16, 32, 5, 5))
    yield Sample(name="rank_two", inputs=arguments("rank_two", *rows))
    yield Sample(name="rank_three", inputs=arguments("rank_three", 5, 3, 7))
    yield Sample(name="rank_five", inputs=arguments("rank_five", 3, 2, 3, 2, 5))
    yield Sample(name="unit_batch", inputs=arguments("unit_batch", 1, 3, 4, 5))
    yield Sample(name="unit_channel", inputs=arguments("unit_channel", 6, 1, 4, 5), dtypes=high)
    yield Sample(name="unit_space", inputs=arguments("unit_space", 8, 3, 1, 1))
    single = arguments("unit_value", 1, 3)
    yield Sample(
        name="unit_value",
        inputs=single,
        keywords={"running_variance_estimate": "biased", "epsilon": 0.1},
        required=False,
        expected={"y": single["offset"][None]},
        exact_zero=("d_x", "d_scale"),
    )
    one = Sample(name="unit_space", inputs=arguments("unit_space_with", 8, 3, 1, 1))
    yield from with_each(one, [{"training": False}, {"momentum": 0.0}, {"momentum": 1.0}, {"epsilon": 0.25}])
    one = Sample(name="unit_value", inputs=arguments("unit_value_with", 1, 3, 1, 1), keywords={"training": False})
    yield from with_each(one, [{"epsilon": 0.25}])
    empty = arguments("empty_batch_inference", 0, *images[1:])
    yield Sample(name="empty_batch_inference", inputs=empty, keywords={"training": False}, required=False)
    yield Sample(name="strided_transposed", inputs=arguments("strided_transposed", *images), memory="transposed")
    yield Sample(name="strided_sliced", inputs=arguments("strided_sliced", *images), memory="sliced")
    yield Sample(name="strided_transposed_rows", inputs=arguments("strided_transposed_rows", *rows), memory="transposed")

    for name, shape in (("statistics_inference", images), ("statistics_inference_rows", rows)):
        yield Sample(name=name, inputs=arguments(name, *shape), keywords={"training": False})
    for name, momentum in (("slow", 0.99), ("half", 0.5), ("last_batch_only", 0.0), ("unchanged", 1.0)):
        name = f"statistics_momentum_{name}"
        yield Sample(name=name, inputs=arguments(name, *rows), keywords={"momentum": momentum})
    for estimate in ESTIMATES:
        for name, shape in ((f"convention_{estimate}", images), (f"convention_{estimate}_eight_values", rows)):
            keywords = {"running_variance_estimate": estimate, "momentum": 0.6}
            yield Sample(name=name, inputs=arguments(name, *shape), keywords=keywords, required=False)

    for name, deviation in (("epsilon_inputs_3_milli", 3e-3), ("epsilon_inputs_10_micro", 1e-5)):
        yield Sample(name=name, inputs=arguments(name, *images, deviation=deviation, offset=none))
    yield Sample(name="epsilon_large", inputs=arguments("epsilon_large", *rows, deviation=0.3), keywords={"epsilon": 0.1})
    two = arguments("epsilon_two_values", 2, 3)
    yield Sample(name="epsilon_two_values", inputs=two, keywords={"epsilon": 0.1}, dtypes=fine)
    name = "epsilon_large_inference"
    yield Sample(name=name, inputs=arguments(name, *rows), keywords={"training": False, "epsilon": 0.1})
    constant = arguments("epsilon_constant_channel", *rows)
    constant["x"][:, 1] = 0.5
    yield Sample(name="epsilon_constant_channel", inputs=constant, dtypes=high)

    yield Sample(name="magnitude_100", inputs=arguments("magnitude_100", *images, deviation=100.0))
    yield Sample(name="magnitude_1e10", inputs=arguments("magnitude_1e10", *images, deviation=1e10), dtypes=wide)
    extreme = arguments("magnitude_1e15", *images, deviation=1e15)
    yield Sample(name="magnitude_1e15", inputs=extreme, dtypes=wide)
    overflowing = arguments("magnitude_squares_overflow", *images, deviation=1e25)
    yield Sample(name="magnitude_squares_overflow", inputs=overflowing, dtypes=wide, required=False)
    yield Sample(name="cancellation_mean_2", inputs=arguments("cancellation_mean_2", *images, mean=2.0))
    yield Sample(name="cancellation_mean_100", inputs=arguments("cancellation_mean_100", *images, mean=100.0), dtypes=high)
    cancelling = arguments("cancellation_mean_1000", *images, mean=1000.0, deviation=0.01)
    yield Sample(name="cancellation_mean_1000", inputs=cancelling, dtypes=("float64",))
    # At inference x - μ comes first: folded into x·a + (β - μ·a), it would cancel where running means are far from zero.
    constant = arguments("cancellation_inference_constant", *rows, running_variance=none)
    constant["running_mean"] = asarray([1e5, -12345.0, 1e4])
    constant["x"] = np.repeat(constant["running_mean"][None], 8, axis=0)
    yield Sample(
        name="cancellation_inference_constant",
        inputs=constant,
        keywords={"training": False},
        expected={"y": np.repeat(constant["offset"][None], 8, axis=0)},
        exact_zero=("d_scale",),
        dtypes=wide,
    )
    for name, shape, mean, deviation, given, dtypes in (
        ("cancellation_inference", images, 1000.0, 16.0, {}, DTYPES),
        ("cancellation_inference_neither", rows, 1000.0, 16.0, {"scale": None, "offset": None}, DTYPES),
        ("cancellation_inference_mean_1e4", images, 1e4, 1.0, {}, high),
    ):
        inputs = arguments(name, *shape, mean=mean, deviation=deviation, **given)
        inputs["running_mean"] = inputs["running_mean"] + mean
        inputs["running_variance"] = inputs["running_variance"] * deviation**2
        yield Sample(name=name, inputs=inputs, keywords={"training": False}, dtypes=dtypes)
    yield from long_samples(lambda name, length: arguments(name, length, 2), "batch")
    for name, training in (("bounds_epsilon_zero", True), ("bounds_epsilon_zero_inference", False)):
        keywords = {"epsilon": 0.0, "training": training}
        yield Sample(name=name, inputs=arguments(name, *images), keywords=keywords, required=not training)
    yield Sample(name="long_batch", inputs=arguments("long_batch", 513, *rows[1:]))
    yield Sample(name="long_batch_mean_2", inputs=arguments("long_batch_mean_2", 513, *rows[1:], mean=2.0))
    yield Sample(name="long_images", inputs=arguments("long_images", 3, 2, 33, 31))

    yield Sample(name="optional_no_scale", inputs=arguments("optional_no_scale", *images, scale=None))
    yield Sample(name="optional_no_offset", inputs=arguments("optional_no_offset", *images, offset=None))
    yield Sample(name="optional_neither", inputs=arguments("optional_neither", *images, scale=None, offset=None))
    neither = arguments("optional_neither_inference", *rows, scale=None, offset=None)
    yield Sample(name="optional_neither_inference", inputs=neither, keywords={"training": False})

    one_channel = arguments("nan_one_channel", *images)
    one_channel["x"][2, 1, 3, 4] = np.nan
    yield Sample(name="nan_one_channel", inputs=one_channel)
    lanes = arguments("nan_each_lane", 8, 9)
    np.fill_diagonal(lanes["x"], np.nan)
    yield Sample(name="nan_each_lane", inputs=lanes)
    at_inference = arguments("nan_inference", *images)
    at_inference["x"].reshape(-1)[::7] = np.nan
    yield Sample(name="nan_inference", inputs=at_inference, keywords={"training": False})
    infinite = arguments("infinity_inference", *images)
    infinite["x"].reshape(-1)[::7] = np.inf
    infinite["x"].reshape(-1)[3::7] = -np.inf
    infinite["scale"][1] = -1.0
    yield Sample(name="infinity_inference", inputs=infinite, keywords={"training": False})


def workload(stream: Stream, size: str) -> Sample:
    """Images and running statistics, in training."""
    images = IMAGES[size]
    channels = (images[1],)
    inputs = {
        "x": ordinary(stream("x"), images),
        "scale": stream("scale").uniform(channels, 0.5, 1.5),
        "offset": stream("offset").uniform(channels, -0.5, 0.5),
        "running_mean": stream("running_mean").uniform(channels, -0.5, 0.5),
        "running_variance": stream("running_variance").uniform(channels, 0.5, 1.5),
    }
    return Sample(name=size, inputs=inputs)


def work(
    x: Array,
    scale: Array | None,
    offset: Array | None,
    running_mean: Array,
    running_variance: Array,
    *,
    training: bool = True,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    running_variance_estimate: str = "unbiased",
) -> Work:
    """In training, for each number: the sum for the mean, the difference from it, its square and the sum of these, and a quotient
    by the root; then a product and a sum. For each channel: two quotients, the sum with ε and its root; and for the running
    statistics two averages of two numbers and the factor of the unbiased estimate. At inference there are neither statistics
    nor averages.

    Back, for each number the product with the scale, dγ (a product and a sum), dβ (a sum), two differences, a product and a
    quotient; the means are those sums times γ/m. At inference a product and a quotient, and dγ and dβ if they are asked for.
    """
    numbers, channels, affine = count(x), x.shape[1], (scale is not None) + (offset is not None)
    if training:
        of_channel = 7 + (running_variance_estimate == "unbiased")
        forward, backward = (5 + affine) * numbers + of_channel * channels, 7 * numbers + 2 * channels
    else:
        forward = (2 + affine) * numbers + channels
        backward = numbers + (0 if scale is None else 2 * numbers - channels) + (0 if offset is None else numbers - channels)
    scaled = 0 if scale is None else numbers
    return Work(flops=forward, transcendentals=channels, backward_flops=backward + scaled)


OPERATION = Operation(
    function=batch_norm,
    vjp=vjp,
    samples=samples,
    family="normalization",
    differentiable=("x", "scale", "offset"),
    outputs=("y", "running_mean", "running_variance"),
    axes={
        "x": "n c ...",
        "y": "n c ...",
        "scale": "c",
        "offset": "c",
        "running_mean": "c",
        "running_variance": "c",
    },
    conventions={"running_variance_estimate": ESTIMATES},
    documents=("004 §4.4",),
    workload=workload,
    work=work,
)
