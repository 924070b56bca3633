"""Softmax: see ``softmax``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require_axis
from tensorproof_reference.operation import Array, Gradients, Operation, Sample, asarray
from tensorproof_reference.stream import Stream


def softmax(x: Array, *, axis: int = -1) -> Array:
    r"""Exponentials of ``x`` along ``axis``, scaled to sum to one: :math:`y_k = e^{x_k} / \sum_j e^{x_j}`.

    The maximum along ``axis`` is subtracted first, which leaves the value as it is and keeps the exponentials in range.

    Shapes: ``x`` and the result are any shape of rank ≥ 1; ``axis`` counts from either end.
    Special values: -∞ gives 0; NaN or +∞ anywhere along ``axis`` gives NaN all along it, as does a row of -∞ only.
    An axis of size 0 gives an empty result.
    Raises: ``ValueError`` if ``axis`` is not an axis of ``x``.
    Source: Goodfellow, Bengio & Courville (2016), eq. 4.1; the texts, 001 §3.3.
    """
    require_axis(x, "axis", axis)
    if x.size == 0:
        return x
    exponentials = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return exponentials / np.sum(exponentials, axis=axis, keepdims=True)


def vjp(dy: Array, x: Array, *, axis: int = -1) -> Gradients:
    r""":math:`dx = y \odot (dy - \sum_k dy_k y_k)`."""
    y = softmax(x, axis=axis)
    return {"x": y * (dy - np.sum(dy * y, axis=axis, keepdims=True))}


def samples(stream: Stream) -> Iterator[Sample]:
    """Rows, other axes, ties, wide spreads, cancellation, masks of -∞."""

    def normal(name: str, *shape: int, mean: float = 0.0, deviation: float = 1.0) -> dict[str, Array]:
        return {"x": stream(name).normal(shape, mean, deviation)}

    yield Sample(name="plain_rows", inputs=normal("plain_rows", 5, 7))
    yield Sample(name="size_large", inputs=normal("size_large", 64, 128))
    for width in (1, 2, 3, 8, 9, 17, 127, 513):
        exact = ("d_x",) if width == 1 else ()
        yield Sample(name=f"width_{width}", inputs=normal(f"width_{width}", 2, width), exact_zero=exact)
    yield Sample(name="rank_one", inputs=normal("rank_one", 7))
    yield Sample(name="rank_four", inputs=normal("rank_four", 2, 3, 4, 5))
    yield Sample(name="unit_batch", inputs=normal("unit_batch", 1, 7))
    yield Sample(name="empty_batch", inputs={"x": asarray([]).reshape(0, 7)})
    yield Sample(name="empty_axis", inputs={"x": asarray([]).reshape(5, 0)})
    yield Sample(name="strided_transposed", inputs=normal("strided_transposed", 5, 7), memory="transposed")
    yield Sample(name="strided_sliced", inputs=normal("strided_sliced", 5, 7), memory="sliced")
    yield Sample(name="axis_first", inputs=normal("axis_first", 5, 7), keywords={"axis": 0})
    yield Sample(name="axis_middle", inputs=normal("axis_middle", 3, 5, 4), keywords={"axis": 1})
    yield Sample(name="axis_negative", inputs=normal("axis_negative", 3, 5, 4), keywords={"axis": -2})
    yield Sample(name="magnitude_spread_60", inputs=normal("magnitude_spread_60", 5, 7, deviation=20.0))
    yield Sample(name="magnitude_spread_1000", inputs=normal("magnitude_spread_1000", 5, 7, deviation=300.0))
    yield Sample(name="magnitude_1e4", inputs=normal("magnitude_1e4", 5, 7, mean=1e4))
    yield Sample(name="cancellation_mean_1000", inputs=normal("cancellation_mean_1000", 5, 7, mean=1e3, deviation=0.01))
    yield Sample(name="ties_constant", inputs={"x": np.full((3, 4), 0.5)}, expected={"y": np.full((3, 4), 0.25)})
    masked = stream("infinity_masked").normal((4, 6))
    masked[:, ::2] = -np.inf
    yield Sample(name="infinity_masked", inputs={"x": masked})
    nan = stream("nan_each_lane").normal((9, 9))
    np.fill_diagonal(nan, np.nan)
    nan[-1] = 0.0
    yield Sample(name="nan_each_lane", inputs={"x": nan})
    all_masked = np.full((2, 3), -np.inf)
    yield Sample(name="infinity_all_masked", inputs={"x": all_masked}, expected={"y": np.full((2, 3), np.nan)})
    yield Sample(name="infinity_positive", inputs={"x": asarray([[0.0, np.inf, 1.0]])}, expected={"y": asarray([[np.nan] * 3])})


OPERATION = Operation(function=softmax, vjp=vjp, samples=samples, family="axis", documents=("001 §3.3",))
