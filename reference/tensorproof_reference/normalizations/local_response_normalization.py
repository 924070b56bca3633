"""Normalization by neighbouring channels: see ``local_response_normalization``."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tensorproof_reference.arguments import require, require_choice
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._workloads import count, image_workload
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

WIDE = ("float64", "float32", "bfloat16")
EVEN_WINDOWS = ("one_more_before", "one_more_after")


def local_response_normalization(
    x: Array, *, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0, even_window: str = "one_more_before"
) -> Array:
    r"""Each channel divided by a power of the mean square of its neighbours:

    .. math:: y_c = x_c \Big(k + \frac{\alpha}{m} \sum_{|j - c| \le (m-1)/2} x_j^2\Big)^{-\beta}

    with m the ``size`` of the window and k the ``bias``. Channels that are not there count as 0. A window of even size reaches
    one channel further before than after (``even_window="one_more_before"``), or after (``"one_more_after"``).

    Shapes: ``x`` and the result (N, C, …) with at least three axes.
    Special values: NaN reaches the channels whose window holds it. ±∞ makes itself NaN (∞/∞) and its neighbours 0.
    Raises: ``ValueError`` if there are fewer than three axes, ``size`` is less than 1, or the convention is unknown.
    Source: Krizhevsky, Sutskever & Hinton (2012), section 3.3, with the mean for their sum; ONNX LRN (opset 13).
    """
    return x * np.power(_means(x, size, alpha, bias, even_window), -beta)


def _sides(size: int, even_window: str) -> tuple[int, int]:
    """How many channels a window reaches before and after."""
    fewer, more = (size - 1) // 2, size // 2
    return (more, fewer) if even_window == "one_more_before" else (fewer, more)


def _sums(x: Array, sides: tuple[int, int]) -> Array:
    """The sum over the window around each channel."""
    padded = np.pad(x, ((0, 0), sides, *((0, 0),) * (x.ndim - 2)))
    return np.sum(sliding_window_view(padded, (sum(sides) + 1,), axis=(1,)), axis=-1)


def _means(x: Array, size: int, alpha: float, bias: float, even_window: str) -> Array:
    require(x.ndim >= 3, "x", "an array with at least 3 axes", f"shape {x.shape}")
    require(isinstance(size, int) and size >= 1, "size", "an integer of at least 1", size)
    require_choice(even_window, "even_window", EVEN_WINDOWS)
    return bias + (alpha / size) * _sums(np.square(x), _sides(size, even_window))


def vjp(
    dy: Array,
    x: Array,
    *,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    bias: float = 1.0,
    even_window: str = "one_more_before",
) -> Gradients:
    r"""With n the sum in parentheses and the channels c whose window holds j,
    :math:`dx_j = dy_j n_j^{-\beta} - \frac{2 \alpha \beta}{m} x_j \sum_c dy_c\, x_c\, n_c^{-\beta-1}`."""
    means = _means(x, size, alpha, bias, even_window)
    before, after = _sides(size, even_window)
    shares = _sums(dy * x * np.power(means, -beta - 1.0), (after, before))
    return {"x": dy * np.power(means, -beta) - (2 * alpha * beta / size) * x * shares}


def samples(stream: Stream) -> Iterator[Sample]:
    """Odd and even windows, wider than there are channels too, and constants that make each term count."""
    usual: dict[str, Any] = {"size": 3, "alpha": 0.75}

    def drawn(name: str, *shape: int, mean: float = 0.0, deviation: float = 1.0) -> dict[str, Array]:
        return {"x": stream(name).normal(shape or (2, 7, 4, 5), mean, deviation)}

    def sample(name: str, *shape: int, memory: str = "contiguous", **keywords: Any) -> Sample:
        return Sample(name=name, inputs=drawn(name, *shape), keywords={**usual, **keywords}, memory=memory)

    yield sample("plain")
    yield sample("size_large", 2, 64, 12, 12, size=5)
    for width in (2, 3, 8, 9, 17):
        yield sample(f"width_{width}", 2, width, 2, 3, size=5)
    yield sample("rank_three", 2, 7, 5)
    yield sample("rank_five", 2, 5, 2, 3, 2)
    yield sample("unit_batch", 1, 7, 4, 5)
    yield sample("unit_channel", 2, 1, 4, 5)
    yield sample("unit_window", size=1)
    yield sample("unit_position", 2, 7, 1, 1)
    yield sample("empty_batch", 0, 7, 4, 5)
    yield sample("strided_transposed", memory="transposed")
    yield sample("strided_sliced", memory="sliced")
    yield sample("geometry_window_wider_than_channels", 2, 4, 3, 3, size=11)
    for convention in EVEN_WINDOWS:
        yield sample(f"convention_{convention}", size=4, even_window=convention)
        yield sample(f"convention_{convention}_two", size=2, even_window=convention)
    yield Sample(name="optional_defaults", inputs=drawn("optional_defaults", deviation=50.0), keywords={"size": 5})
    yield sample("optional_beta_one", beta=1.0)
    yield sample("optional_beta_half", beta=0.5)
    yield sample("optional_bias_two", bias=2.0)
    yield sample("optional_alpha_zero", alpha=0.0)
    small = Sample(
        name="epsilon_small_bias",
        inputs=drawn("epsilon_small_bias", deviation=0.1),
        keywords={**usual, "bias": 1e-3},
    )
    yield small
    yield sample("long_window", 2, 130, 2, 2, size=129)
    mean = drawn("cancellation_mean_100", mean=100.0)
    yield Sample(name="cancellation_mean_100", inputs=mean, keywords=usual)
    yield Sample(name="magnitude_1e10", inputs=drawn("magnitude_1e10", deviation=1e10), keywords=usual, dtypes=WIDE)
    yield Sample(
        name="magnitude_1e_minus_10", inputs=drawn("magnitude_1e_minus_10", deviation=1e-10), keywords=usual, dtypes=WIDE
    )
    lanes = drawn("nan_each_lane", 2, 9, 3, 3)
    lanes["x"][0, 1, 0, 0] = lanes["x"][0, 8, 1, 2] = lanes["x"][1, 4, 2, 1] = np.nan
    yield Sample(name="nan_each_lane", inputs=lanes, keywords=usual)
    infinite = drawn("infinity_one_channel")
    infinite["x"][1, 3, 2, 2], infinite["x"][0, 0, 1, 1] = np.inf, -np.inf
    yield Sample(name="infinity_one_channel", inputs=infinite, keywords=usual, gradient=False)


def workload(stream: Stream, size: str) -> Sample:
    """Images, over windows of five channels."""
    return Sample(name=size, inputs=image_workload(stream, size).inputs, keywords={"size": 5})


def work(
    x: Array, *, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0, even_window: str = "one_more_before"
) -> Work:
    """For each number a square, the sum over its window, a product and a sum, a power and a product.

    Back, a power for each number, three products, the sum over its window, two products and a difference.
    """
    numbers, channels = count(x), x.shape[1]
    before, after = _sides(size, even_window)
    held = sum(min(place + after, channels - 1) - max(place - before, 0) for place in range(channels))
    sums = numbers // max(channels, 1) * held
    return Work(
        flops=4 * numbers + sums,
        transcendentals=numbers,
        backward_flops=6 * numbers + sums,
        backward_transcendentals=numbers,
    )


OPERATION = Operation(
    function=local_response_normalization,
    vjp=vjp,
    samples=samples,
    family="normalization",
    profile=EXTENDED,
    axes={"x": "n c ...", "y": "n c ..."},
    conventions={"even_window": EVEN_WINDOWS},
    workload=workload,
    work=work,
)
