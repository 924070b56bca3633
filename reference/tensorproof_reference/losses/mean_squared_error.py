"""Mean squared error: see ``mean_squared_error``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require_shape
from tensorproof_reference.losses._reduction import reduced, spread
from tensorproof_reference.losses._workloads import reduction_work
from tensorproof_reference.operation import Operation, Sample, Work, asarray
from tensorproof_reference.operations._workloads import PLANES, count, ordinary
from tensorproof_reference.sample_kinds import long_samples, with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def mean_squared_error(prediction: Array, target: Array, *, reduction: str = "mean") -> Array:
    r"""The mean of squared differences: :math:`y = \frac{1}{n} \sum_i (\hat y_i - t_i)^2` over all n elements.

    Shapes: ``prediction`` and ``target`` have the same shape, of any rank. The result is a scalar, or of that shape for
    ``reduction="none"``; ``"sum"`` leaves out the division.
    Special values: NaN in either gives NaN; an infinity gives +∞, and NaN where the other is the same infinity. The mean is
    finite also where the sum of the squares is not (in samples that are not required).
    Raises: ``ValueError`` if the shapes differ (they are not broadcast), or if ``reduction`` is unknown.
    Source: Goodfellow, Bengio & Courville (2016), eq. 5.4; the texts, 001 §2.4, 002 §3.3.1, 004 §3.3.
    """
    require_shape(target, "target", prediction.shape)
    return reduced(np.square(prediction - target), reduction)


def vjp(dy: Array, prediction: Array, target: Array, *, reduction: str = "mean") -> Gradients:
    r""":math:`d\hat y = 2 (\hat y - t) \, dy / n` and :math:`dt = -d\hat y`; n = 1 unless the mean is taken."""
    d_prediction = 2.0 * (prediction - target) * spread(dy, prediction.shape, reduction)
    return {"prediction": d_prediction, "target": -d_prediction}


def samples(stream: Stream) -> Iterator[Sample]:
    """Reductions, equal arguments, squares near the ends of the range, a large mean."""

    def pair(name: str, *shape: int, mean: float = 0.0, deviation: float = 1.0) -> dict[str, Array]:
        return {key: stream(name)(key).normal(shape, mean, deviation) for key in ("prediction", "target")}

    none = {"reduction": "none"}
    wide = ("float64", "float32", "bfloat16")
    yield Sample(name="plain_rows", inputs=pair("plain_rows", 5, 7))
    yield Sample(name="reduction_sum", inputs=pair("reduction_sum", 5, 7), keywords={"reduction": "sum"})
    yield Sample(name="reduction_none", inputs=pair("reduction_none", 5, 7), keywords=none)
    yield Sample(name="size_large", inputs=pair("size_large", 64, 128))
    yield Sample(name="size_large_none", inputs=pair("size_large_none", 64, 128), keywords=none)
    for width in (1, 2, 3, 8, 17, 127, 513):
        yield Sample(name=f"width_{width}", inputs=pair(f"width_{width}", 2, width))
    yield Sample(name="rank_one", inputs=pair("rank_one", 7))
    yield Sample(name="rank_three", inputs=pair("rank_three", 3, 4, 5))
    yield Sample(name="rank_three_none", inputs=pair("rank_three_none", 3, 4, 5), keywords=none)
    yield Sample(name="unit_batch", inputs=pair("unit_batch", 1, 7))
    yield Sample(name="unit_column", inputs=pair("unit_column", 7, 1))
    yield Sample(name="empty_batch_none", inputs=pair("empty_batch_none", 0, 7), keywords=none)
    yield from with_each(Sample(name="unit_everything", inputs=pair("unit_everything", 1, 1)), [{"reduction": "sum"}, none])
    yield from long_samples(lambda name, length: pair(name, length), "vector")
    yield Sample(name="strided_transposed", inputs=pair("strided_transposed", 5, 7), memory="transposed")
    yield Sample(name="strided_sliced", inputs=pair("strided_sliced", 5, 7), memory="sliced")
    yield Sample(name="magnitude_1000", inputs=pair("magnitude_1000", 5, 7, deviation=1e3), dtypes=wide)
    yield Sample(name="magnitude_1e18", inputs=pair("magnitude_1e18", 5, 7, deviation=1e18), keywords=none, dtypes=wide)
    # Three squares of 2.25e38 overflow when added up; their mean does not.
    three = {"prediction": asarray([1.5e19, -1.5e19, 1.5e19]), "target": np.zeros(3)}
    yield Sample(name="magnitude_sum_overflows", inputs=three, dtypes=wide, required=False)
    small = pair("magnitude_1e_minus_15", 5, 7, deviation=1e-15)
    yield Sample(name="magnitude_1e_minus_15", inputs=small, keywords=none, dtypes=wide)
    near = pair("cancellation_mean_1000", 5, 7, mean=1e3, deviation=0.01)
    yield Sample(name="cancellation_mean_1000", inputs=near, dtypes=("float64", "float32"))
    equal = stream("zero_equal").normal((5, 7))
    zeros = ("y", "d_prediction", "d_target")
    yield Sample(name="zero_equal", inputs={"prediction": equal, "target": equal}, expected={"y": asarray(0.0)}, exact_zero=zeros)
    for key in ("prediction", "target"):
        name = f"nan_each_lane_of_{key}"
        inputs = pair(name, 9, 9)
        np.fill_diagonal(inputs[key], np.nan)
        yield Sample(name=name, inputs=inputs, keywords=none)
    inputs = pair("nan_mean", 5, 7)
    inputs["prediction"][2, 3] = np.nan
    yield Sample(name="nan_mean", inputs=inputs, expected={"y": asarray(np.nan)})
    infinite = {
        "prediction": asarray([np.inf, -np.inf, 1.0, np.inf, np.inf]),
        "target": asarray([1.0, 1.0, -np.inf, -np.inf, np.inf]),
    }
    yield Sample(
        name="infinity_none", inputs=infinite, keywords=none, expected={"y": asarray([np.inf, np.inf, np.inf, np.inf, np.nan])}
    )


def workload(stream: Stream, size: str) -> Sample:
    """Predictions and targets."""
    return Sample(name=size, inputs={name: ordinary(stream(name), PLANES[size]) for name in ("prediction", "target")})


def work(prediction: Array, target: Array, *, reduction: str = "mean") -> Work:
    """A difference and its square; back, a product with the difference, twice the cotangent being taken once."""
    numbers = count(prediction)
    return Work(flops=2 * numbers, backward_flops=numbers + 1) + reduction_work(numbers, reduction)


OPERATION = Operation(
    function=mean_squared_error,
    vjp=vjp,
    samples=samples,
    family="loss",
    differentiable=("prediction", "target"),
    documents=("001 §2.4", "002 §3.3.1", "004 §3.3"),
    workload=workload,
    work=work,
)
