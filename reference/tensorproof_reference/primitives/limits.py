"""Numbers kept between two limits: clip."""

import math
from collections.abc import Iterator

import numpy as np

from tensorproof_reference.activations._table import Kinks, activation, clear_of
from tensorproof_reference.arguments import require
from tensorproof_reference.operation import Sample, Work
from tensorproof_reference.operations._elementwise_samples import alternating, ordinary
from tensorproof_reference.operations._workloads import count, each
from tensorproof_reference.primitives._unary import Ends
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

LOW, HIGH = -0.5, 2.0


def clip(x: Array, *, low: float | None = LOW, high: float | None = HIGH) -> Array:
    r"""Each number, or the limit beyond which it lies: :math:`y = \min(\max(a, x), b)`.

    a is ``low`` and b is ``high``; one of them may be ``None``, which is no limit. Samples of one limit are optional.

    Shapes: any; the result has that of ``x``.
    Special values: NaN gives NaN, -∞ gives a, +∞ gives b, ±0 between the limits gives ±0. The derivative at a and b is 1;
        frameworks may have 0 or 1/2 there, so no required sample asks. They differ in the gradient at NaN too.
    Raises: ``ValueError`` if there is no limit, or a is above b.
    Source: ONNX Clip (opset 13); the texts of ``torch.clamp`` and ``tf.clip_by_value``.
    """
    bottom, top = _limits(low, high)
    return np.minimum(np.maximum(x, bottom), top)


def _limits(low: float | None, high: float | None) -> tuple[float, float]:
    require(low is not None or high is not None, "low", "a number, as high is None", low)
    bottom, top = -math.inf if low is None else low, math.inf if high is None else high
    require(bottom <= top, "low", f"a number that is not above {top}", bottom)
    return bottom, top


def _vjp(dy: Array, x: Array, *, low: float | None = LOW, high: float | None = HIGH) -> Gradients:
    bottom, top = _limits(low, high)
    return {"x": np.where((x >= bottom) & (x <= top), dy, 0.0)}


def _work(x: Array, *, low: float | None = LOW, high: float | None = HIGH) -> Work:
    """A comparison with each limit; back, a product."""
    return each(count(x), 2 - (low is None) - (high is None), backward=1)


CASES: dict[str, dict[str, float | None]] = {
    "optional_low_only": {"low": -0.25, "high": None},
    "optional_high_only": {"low": None, "high": 0.25},
    "bounds_both_positive": {"low": 0.25, "high": 1.5},
    "bounds_both_negative": {"low": -1.5, "high": -0.25},
    "bounds_low_zero": {"low": 0.0, "high": 1.0},
    "bounds_high_zero": {"low": -3.0, "high": 0.0},
    "bounds_far_apart": {"low": -1e4, "high": 2.0**-4},
    "bounds_equal": {"low": 0.75, "high": 0.75},
}
"""Samples by name: their limits."""


def _between(stream: Stream, kinks: Kinks) -> Iterator[Sample]:
    """Other limits, one of them alone, and both the same; infinities at one limit."""
    for name, keywords in CASES.items():
        ends = tuple(value for value in keywords.values() if value is not None)
        x = clear_of(Kinks(at=ends, slopes=(1.0,) * len(ends)))(ordinary(stream(name)))
        equal = keywords["low"] == keywords["high"]
        yield Sample(
            name=name,
            inputs={"x": x},
            keywords=keywords,
            required=not name.startswith("optional"),
            exact_zero=("d_x",) if equal else (),
        )
    infinite = {"x": alternating(-math.inf, math.inf)}
    for word, limits, ends in (("low", (-0.25, None), (-0.25, math.inf)), ("high", (None, 0.25), (-math.inf, 0.25))):
        keywords = dict(zip(("low", "high"), limits, strict=True))
        expected = {"y": alternating(*ends)}
        yield Sample(name=f"infinity_{word}_only", inputs=infinite, keywords=keywords, expected=expected, required=False)


OPERATIONS = (
    activation(
        clip,
        _vjp,
        Ends(at_infinity=(LOW, HIGH), at_zero=(-0.0, 0.0), slope_at_infinity=(0.0, 0.0), nan_gradient=False),
        work=_work,
        kinks=Kinks(at=(LOW, HIGH), slopes=(1.0, 1.0)),
        more=(_between,),
    ),
)
