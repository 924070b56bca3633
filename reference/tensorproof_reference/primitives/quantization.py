"""Numbers on the grid of an integer: fake_quantize."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._elementwise_samples import PLAIN_SHAPE, among
from tensorproof_reference.operations._workloads import count, each, plane_workload
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

DOUBLE = ("float64", "float32")
"""In 16 bits numbers are too coarse to say between which steps of an integer of 8 bits they lie."""


def fake_quantize(x: Array, *, scale: float = 0.125, zero_point: int = 0, lowest: int = -128, highest: int = 127) -> Array:
    r"""Numbers rounded to the steps of an integer, and kept as floats: :math:`y = s\,(q - z)` with
    :math:`q = \min(\max(\mathrm{round}(x/s) + z, l), h)`, the ``scale`` s, the ``zero_point`` z, the ``lowest`` integer l and the
    ``highest`` h.

    No sample asks what is half way between two steps. The gradient goes straight through the steps between the lowest and the
    highest, and is 0 beyond. No sample asks for it less than a step beyond the ends.

    Shapes: any.
    Special values: ±∞ is the highest or lowest, NaN stays NaN (in samples that are not required). 0 stays 0.
    Raises: ``ValueError`` if the scale is not above 0, or 0 is not on the grid.
    Source: Jacob et al. (2018), eq. 12; ONNX QuantizeLinear and DequantizeLinear (opset 13).
    """
    require(scale > 0, "scale", "a number above 0", scale)
    require(lowest <= zero_point <= highest, "zero_point", f"an integer from {lowest} to {highest}", zero_point)
    return np.rint(np.clip(x / scale, float(lowest - zero_point), float(highest - zero_point))) * scale


def _vjp(dy: Array, x: Array, *, scale: float = 0.125, zero_point: int = 0, lowest: int = -128, highest: int = 127) -> Gradients:
    inside = (x >= (lowest - zero_point) * scale) & (x <= (highest - zero_point) * scale)
    return {"x": np.where(inside, dy, 0.0)}


CASES: Mapping[str, dict[str, Any]] = {
    "bounds_unsigned": {"scale": 0.0625, "zero_point": 100, "lowest": 0, "highest": 255},
    "bounds_unsigned_from_zero": {"scale": 0.0625, "zero_point": 0, "lowest": 0, "highest": 255},
    "bounds_narrow": {"lowest": -127, "highest": 127},
    "bounds_four_bits": {"scale": 0.5, "zero_point": -3, "lowest": -8, "highest": 7},
    "bounds_sixteen_bits": {"scale": 2.0**-10, "lowest": -(2**15), "highest": 2**15 - 1},
    "optional_scale_of_tenths": {"scale": 0.1, "zero_point": 5},
    "optional_scale_of_thirds": {"scale": 1 / 3, "zero_point": -20},
    "magnitude_large_scale": {"scale": 1e6},
    "magnitude_small_scale": {"scale": 1e-6},
}
"""Samples by name: their keywords."""


def _drawn(stream: Stream, shape: tuple[int, ...], keywords: Mapping[str, Any]) -> Array:
    """Numbers away from the middle between two steps, a fifth of them beyond either end by more than a step."""
    usual = {"scale": 0.125, "zero_point": 0, "lowest": -128, "highest": 127, **keywords}
    low, high = usual["lowest"] - usual["zero_point"], usual["highest"] - usual["zero_point"]
    wide = max(high - low, 5) // 5
    steps = stream("steps").integers(shape, low - wide, high + wide + 1)
    beyond = np.where(steps < low, steps - 2, np.where(steps > high, steps + 2, steps))
    share = stream("share").uniform(shape, -0.4, 0.4)
    # Inside, so that what rounds to an end is not beyond it.
    share = np.where(steps == low, np.abs(share), np.where(steps == high, -np.abs(share), share))
    return (beyond + share) * usual["scale"]


def _samples(stream: Stream) -> Iterator[Sample]:
    """Grids of several integers, and numbers on, between and beyond their steps."""

    def sample(name: str, *shape: int, memory: str = "contiguous", **keywords: Any) -> Sample:
        inputs = {"x": _drawn(stream(name), shape or PLAIN_SHAPE, keywords)}
        return Sample(name=name, inputs=inputs, keywords=keywords, memory=memory, dtypes=DOUBLE)

    yield sample("plain")
    yield sample("size_large", 64, 128)
    for width in (1, 2, 3, 8, 9, 15, 16, 17, 127):
        yield sample(f"width_{width}", 3, width)
    yield sample("rank_one", 7)
    yield sample("rank_four", 2, 3, 4, 5)
    yield sample("empty_batch", 0, 11)
    for memory in ("transposed", "sliced"):
        yield sample(f"strided_{memory}", memory=memory)
    for name, keywords in CASES.items():
        yield sample(name, **keywords)
    plain = _drawn(stream("special"), PLAIN_SHAPE, {})
    for name, values in (
        ("zero", (0.0, -0.0)),
        ("infinity_each_lane", (np.inf, -np.inf)),
        ("magnitude_beyond_integers", (1e10, -1e10, 1e30, -1e30)),
        ("bounds_of_the_grid", (-16.0, 15.875)),
    ):
        yield Sample(name=name, inputs={"x": among(plain, values, 1, 3)}, dtypes=DOUBLE)
    lanes = {"x": among(plain, (np.nan,), 1, 3)}
    yield Sample(name="nan_each_lane", inputs=lanes, dtypes=DOUBLE, required=False, gradient=False)


def _work(x: Array, *, scale: float = 0.125, zero_point: int = 0, lowest: int = -128, highest: int = 127) -> Work:
    """A quotient, a rounding, two comparisons and a product for each number; back two comparisons."""
    return each(count(x), 5, 0, 2)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        function=fake_quantize,
        vjp=_vjp,
        samples=_samples,
        family="elementwise",
        profile=EXTENDED,
        workload=plane_workload,
        work=_work,
    ),
)
