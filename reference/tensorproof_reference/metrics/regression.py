"""The coefficient of determination."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require, require_shape
from tensorproof_reference.losses._samples import PLAIN
from tensorproof_reference.operation import EXTENDED, Operation, Sample, asarray
from tensorproof_reference.sample_kinds import long_samples
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def r_squared(prediction: Array, target: Array) -> Array:
    r"""The share of the variance that is explained, as the mean over columns.

    .. math:: y = \frac{1}{K} \sum_k \left(1 - \frac{\sum_n (t_{nk} - x_{nk})^2}{\sum_n (t_{nk} - \bar t_k)^2}\right)

    Shapes: ``prediction`` and ``target`` (N, K); the result is a single number, the mean over the K columns.
    Special values: NaN where a target is NaN. A column of equal targets has no variance: -∞, or NaN if it is met exactly.
    Raises: ``ValueError`` if the shapes differ, or are not of two axes with at least one row.
    Source: Draper & Smith (1998), eq. 1.3.5.
    """
    require_shape(target, "target", prediction.shape)
    require(prediction.ndim == 2 and prediction.shape[0] > 0, "prediction", "rows and columns", f"shape {prediction.shape}")
    left = np.sum((target - prediction) ** 2, axis=0)
    whole = np.sum((target - np.mean(target, axis=0)) ** 2, axis=0)
    return np.mean(1.0 - left / whole)


def samples(stream: Stream) -> Iterator[Sample]:
    """Good and useless predictions, sizes, one column, large means, NaN."""

    def pair(name: str, *shape: int, far: float = 0.5, mean: float = 0.0) -> dict[str, Array]:
        shape = shape or PLAIN
        target = stream(name)("target").normal(shape, mean)
        return {"prediction": target + stream(name)("off").normal(shape, 0.0, far), "target": target}

    yield Sample(name="plain_rows", inputs=pair("plain_rows"))
    yield Sample(name="plain_useless", inputs=pair("plain_useless", far=3.0))
    yield Sample(name="size_large", inputs=pair("size_large", 64, 40))
    for width in (1, 3, 8, 127):
        yield Sample(name=f"width_{width}", inputs=pair(f"width_{width}", 11, width))
    yield Sample(name="unit_column", inputs=pair("unit_column", 17, 1))
    yield Sample(name="strided_transposed", inputs=pair("strided_transposed", 17, 3), memory="transposed")
    yield Sample(name="strided_sliced", inputs=pair("strided_sliced", 17, 3), memory="sliced")
    exact = stream("bounds_met_exactly").normal(PLAIN)
    yield Sample(name="bounds_met_exactly", inputs={"prediction": exact, "target": exact}, expected={"y": asarray(1.0)})
    # In multiples of 1/4 whose mean is 0: the mean itself is predicted.
    target = np.array([[0.25], [-0.25], [1.0], [-1.0]])
    mean = {"prediction": np.zeros((4, 1)), "target": target}
    yield Sample(name="bounds_mean_predicted", inputs=mean, expected={"y": asarray(0.0)}, exact_zero=("y",))
    tied = {"prediction": np.zeros((4, 2)), "target": np.array([[1.0, 2.0]] * 4)}
    yield Sample(name="ties_no_variance", inputs=tied, expected={"y": asarray(-np.inf)}, required=False)
    yield Sample(
        name="cancellation_mean_100", inputs=pair("cancellation_mean_100", 40, 3, mean=100.0), dtypes=("float64", "float32")
    )
    wide = ("float64", "float32", "bfloat16")
    large = {key: 1e15 * array for key, array in pair("magnitude_1e15").items()}
    yield Sample(name="magnitude_1e15", inputs=large, dtypes=wide)
    undefined = pair("nan_in_a_column")
    undefined["target"][2, 3] = np.nan
    yield Sample(name="nan_in_a_column", inputs=undefined, expected={"y": asarray(np.nan)})
    yield from long_samples(lambda name, length: pair(name, length, 1), "rows")


OPERATIONS = (
    Operation(
        function=r_squared,
        vjp=None,
        samples=samples,
        family="metric",
        profile=EXTENDED,
        differentiable=(),
        cotangents=(),
        output_dtype="any",
    ),
)
