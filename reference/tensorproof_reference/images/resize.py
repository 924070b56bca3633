"""Images of another size: see ``resize``."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tensorproof_reference.arguments import require, require_choice, require_numbers, require_rank
from tensorproof_reference.images._weights import REACH, Axis, Weights, averaging, interpolating, nearest, overlapping
from tensorproof_reference.operation import DTYPES, EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._window_samples import WIDE
from tensorproof_reference.operations._windows import Pair
from tensorproof_reference.operations._workloads import count, ordinary
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "area")
COORDINATES = ("half_pixel", "align_corners", "asymmetric")
ROUNDINGS = ("round_prefer_ceil", "floor", "round_prefer_floor", "ceil")
COEFFICIENTS = (-0.75, -0.5)
AREAS = ("whole_pixels", "fractions")


def resize(
    x: Array,
    *,
    size: Pair,
    interpolation: str = "bilinear",
    coordinates: str = "half_pixel",
    antialias: bool = False,
    rounding: str = "round_prefer_ceil",
    cubic_coefficient: float = -0.75,
    exclude_outside: bool = False,
    area: str = "whole_pixels",
) -> Array:
    r"""Images of another size: :math:`y_{ncij} = \sum_{p,q} R_{ip}\, C_{jq}\, x_{ncpq}` with weights :math:`R` of rows and
    :math:`C` of columns.

    Pixel i of m along an axis of L lies at place :math:`c_i` among the pixels of the image. ``coordinates`` says where:

    - ``"half_pixel"``: :math:`(i + \frac{1}{2}) \frac{L}{m} - \frac{1}{2}`;
    - ``"align_corners"``: :math:`i \frac{L - 1}{m - 1}`, and 0 for m = 1;
    - ``"asymmetric"``: :math:`i \frac{L}{m}`.

    ``interpolation`` gives the weights:

    - ``"nearest"``: 1 for the pixel at :math:`c_i` rounded as ``rounding`` says (to the nearest, the upper or the lower one of
      two that are equally near; down; up), and moved into the image;
    - ``"bilinear"``: :math:`k(|c_i - p|)` with :math:`k(d) = 1 - d` for :math:`d < 1`;
    - ``"bicubic"``: the same with :math:`k(d) = (a + 2) d^3 - (a + 3) d^2 + 1` for :math:`d \le 1` and
      :math:`a d^3 - 5a d^2 + 8a d - 4a` for :math:`1 < d < 2`; ``cubic_coefficient`` is :math:`a`;
    - ``"area"``: the mean over windows of whole pixels, as in ``adaptive_average_pool`` (``area="whole_pixels"``), or over the
      interval from :math:`i \frac{L}{m}` to :math:`(i + 1) \frac{L}{m}`, where a pixel counts as far as the interval covers it
      (``"fractions"``). ``coordinates`` must be ``"half_pixel"``.

    A pixel beyond the edge is the pixel at the edge; with ``exclude_outside`` it has no weight, and the others are divided by
    their sum. With ``antialias`` the kernel of an axis that shrinks is as many times wider as the axis shrinks,
    :math:`k(|c_i - p|\, m/L)`; pixels beyond the edge have no weight, and the others are divided by their sum.

    Shapes: ``x`` (N, C, H, W); ``size`` (H', W'); the result (N, C, H', W'). N may be 0.
    Special values: NaN and infinity reach the pixels that look at them, and no others.
    Raises: ``ValueError`` if the rank or the size does not fit, a convention is unknown, an axis of positions is empty, or
    ``antialias`` comes with another interpolation than bilinear and bicubic or other coordinates than half pixels.
    Source: Keys (1981), eq. 4 and 15; ONNX Resize (opset 19).
    """
    _require(x, size, interpolation, coordinates, antialias, rounding, cubic_coefficient, exclude_outside, area)
    axes = _axes(x, size, coordinates)
    if interpolation == "nearest":
        rows, columns = (nearest(axis, rounding) for axis in axes)
        return np.take(np.take(x, rows, axis=2), columns, axis=3)
    weights = (_weights(x, axis, interpolation, antialias, cubic_coefficient, exclude_outside, area) for axis in axes)
    return _resampled(x, *weights)


def _require(
    x: Array,
    size: Any,
    interpolation: str,
    coordinates: str,
    antialias: bool,
    rounding: str,
    cubic_coefficient: float,
    exclude_outside: bool,
    area: str,
) -> None:
    require_rank(x, "x", 4)
    require(0 not in x.shape[2:], "x", "no empty axis of positions", f"shape {x.shape}")
    require_numbers(size, "size", 1, 2)
    require_choice(interpolation, "interpolation", INTERPOLATIONS)
    require_choice(coordinates, "coordinates", COORDINATES)
    require_choice(rounding, "rounding", ROUNDINGS)
    require_choice(area, "area", AREAS)
    require(isinstance(cubic_coefficient, float), "cubic_coefficient", "a number", cubic_coefficient)
    require(isinstance(exclude_outside, bool), "exclude_outside", "True or False", exclude_outside)
    require(isinstance(antialias, bool), "antialias", "True or False", antialias)
    smooth = interpolation in REACH and coordinates == "half_pixel"
    require(not antialias or smooth, "antialias", "False, or interpolation between half pixels", antialias)
    aligned = interpolation == "area" and coordinates != "half_pixel"
    require(not aligned, "coordinates", "'half_pixel' where interpolation is 'area'", coordinates)


def _axes(x: Array, size: Pair, coordinates: str) -> tuple[Axis, Axis]:
    rows, columns = (Axis(length, wanted, coordinates) for length, wanted in zip(x.shape[2:], size, strict=True))
    return rows, columns


def _weights(
    x: Array, axis: Axis, interpolation: str, antialias: bool, cubic_coefficient: float, exclude_outside: bool, area: str
) -> Weights:
    if interpolation == "area":
        return averaging(x, axis) if area == "whole_pixels" else overlapping(x, axis)
    return interpolating(x, axis, interpolation, cubic_coefficient, antialias, exclude_outside)


def _resampled(x: Array, rows: Weights, columns: Weights) -> Array:
    """Columns, and then rows, as the weights say.

    A product of matrices would bring NaN and infinity to where no weight takes them, so these are looked at tap by tap.
    """
    if not np.all(np.isfinite(x)):
        return np.swapaxes(_tapped(np.swapaxes(_tapped(x, columns), 2, 3), rows), 2, 3)
    between = np.matmul(np.reshape(x, (math.prod(x.shape[:3]), x.shape[3])), columns.matrix.T)
    return np.matmul(rows.matrix, np.reshape(between, (*x.shape[:3], between.shape[1])))


def _tapped(x: Array, weights: Weights) -> Array:
    """The last axis as the weights say, each result a sum over its taps."""
    return np.sum(np.where(weights.taps, x[..., None, :] * weights.matrix, 0.0), axis=-1)


def _vjp(
    dy: Array,
    x: Array,
    *,
    size: Pair,
    interpolation: str = "bilinear",
    coordinates: str = "half_pixel",
    antialias: bool = False,
    rounding: str = "round_prefer_ceil",
    cubic_coefficient: float = -0.75,
    exclude_outside: bool = False,
    area: str = "whole_pixels",
) -> Gradients:
    """Resizing is linear: the gradient takes the weights the other way."""
    axes = _axes(x, size, coordinates)
    if interpolation == "nearest":
        rows, columns = (nearest(axis, rounding) for axis in axes)
        dx = np.zeros_like(x)
        places: Any = (slice(None), slice(None), rows[:, None], columns)
        np.add.at(dx, places, dy)
        return {"x": dx}
    found = (_weights(x, axis, interpolation, antialias, cubic_coefficient, exclude_outside, area) for axis in axes)
    return {"x": _resampled(dy, *(Weights(item.matrix.T, item.taps.T) for item in found))}


FINE = ("float64", "float32")
"""The dtypes of samples whose geometry matters, and not their rounding."""
PLAIN = (2, 3, 7, 6)
LARGER, SMALLER = (11, 9), (5, 4)
"""Sizes at which no pixel of the result lies on one of the image, nor half way between two."""

WIDENED: Mapping[str, tuple[tuple[int, ...], Pair]] = {
    "smaller": (PLAIN, SMALLER),
    "much_smaller": ((2, 3, 24, 20), (5, 7)),
    "larger": (PLAIN, LARGER),
    "narrower": (PLAIN, (11, 4)),
}
"""Shapes and sizes of samples whose kernels widen along the axes that shrink."""


def _samples(stream: Stream) -> Iterator[Sample]:
    """Every interpolation and its conventions, larger and smaller along each axis, and special values."""

    def drawn(name: str, *shape: int, scale: float = 1.0) -> dict[str, Array]:
        return {"x": stream(name).normal(shape or PLAIN, deviation=scale)}

    def sample(name: str, *shape: int, size: Pair = LARGER, memory: str = "contiguous", **keywords: Any) -> Sample:
        dtypes = FINE if name.startswith(("convention", "unit")) else DTYPES
        inputs = drawn(name, *shape)
        return Sample(name=name, inputs=inputs, keywords={"size": size, **keywords}, memory=memory, dtypes=dtypes)

    yield sample("plain_larger")
    yield sample("plain_smaller", size=SMALLER)
    yield sample("size_large", 2, 16, 24, 20, size=(37, 33))
    yield sample("size_much_smaller", 2, 8, 40, 33, size=(9, 7))
    for kind in INTERPOLATIONS:
        yield sample(f"geometry_{kind}_larger", interpolation=kind)
        yield sample(f"geometry_{kind}_smaller", size=SMALLER, interpolation=kind)
        yield sample(f"geometry_{kind}_doubled", size=(14, 12), interpolation=kind)
        yield sample(f"geometry_{kind}_halved", 2, 3, 8, 12, size=(4, 6), interpolation=kind)
        yield sample(f"geometry_{kind}_higher_and_narrower", size=(13, 4), interpolation=kind)
        yield sample(f"geometry_{kind}_same_size", size=(7, 6), interpolation=kind)
        yield sample(f"unit_image_{kind}", 2, 3, 1, 1, size=(3, 2), interpolation=kind)
        yield sample(f"unit_row_{kind}", 2, 3, 1, 6, size=(4, 9), interpolation=kind)
        yield sample(f"unit_result_{kind}", 2, 3, 7, 5, size=(1, 1), interpolation=kind)
    yield sample("unit_batch", 1, 3, 7, 6)
    yield sample("unit_channels", 2, 1, 7, 6)
    yield sample("empty_batch", 0, 3, 7, 6)
    for memory in ("transposed", "sliced"):
        yield sample(f"strided_{memory}", memory=memory)
        yield sample(f"strided_{memory}_bicubic", memory=memory, interpolation="bicubic")
    for kind in ("bilinear", "bicubic"):
        cubic: dict[str, Any] = {"cubic_coefficient": -0.5, "exclude_outside": True} if kind == "bicubic" else {}
        for word, (shape, size) in WIDENED.items():
            yield sample(f"optional_antialias_{kind}_{word}", *shape, size=size, interpolation=kind, antialias=True, **cubic)
        beyond: dict[str, Any] = {"cubic_coefficient": -0.75, "exclude_outside": False} if kind == "bicubic" else {}
        for coordinates in COORDINATES[1:]:
            aligned: dict[str, Any] = {"interpolation": kind, "coordinates": coordinates, **beyond}
            yield sample(f"convention_{coordinates}_{kind}_larger", **aligned)
            yield sample(f"convention_{coordinates}_{kind}_smaller", size=SMALLER, **aligned)
            yield sample(f"convention_{coordinates}_{kind}_doubled", size=(14, 12), **aligned)
            yield sample(f"convention_{coordinates}_{kind}_halved", 2, 3, 8, 12, size=(4, 6), **aligned)
            yield sample(f"convention_{coordinates}_{kind}_unit_result", size=(1, 4), **aligned)
            yield sample(f"convention_{coordinates}_{kind}_unit_image", 2, 3, 1, 6, size=(3, 11), **aligned)
    for word, (shape, size) in WIDENED.items():
        wide: dict[str, Any] = {"interpolation": "bicubic", "antialias": True, "cubic_coefficient": -0.75}
        yield sample(f"convention_antialias_bicubic_0_75_{word}", *shape, size=size, **wide)
    for coordinates, rounding in (
        ("half_pixel", "round_prefer_ceil"),
        ("half_pixel", "round_prefer_floor"),
        ("half_pixel", "floor"),
        ("half_pixel", "ceil"),
        ("asymmetric", "floor"),
        ("asymmetric", "round_prefer_ceil"),
        ("align_corners", "round_prefer_ceil"),
        ("align_corners", "floor"),
    ):
        rounded: dict[str, Any] = {"interpolation": "nearest", "coordinates": coordinates, "rounding": rounding}
        for word, shape, size in (
            ("larger", PLAIN, LARGER),
            ("smaller", PLAIN, SMALLER),
            ("ties", (2, 3, 8, 6), (4, 11)),
            ("on_pixels", (2, 3, 9, 5), (13, 17)),
            ("doubled", PLAIN, (14, 12)),
            ("halved", (2, 3, 8, 12), (4, 6)),
        ):
            yield sample(f"convention_nearest_{coordinates}_{rounding}_{word}", *shape, size=size, **rounded)
    for coefficient in COEFFICIENTS:
        for excluded in (False, True):
            kernel: dict[str, Any] = {"interpolation": "bicubic", "cubic_coefficient": coefficient, "exclude_outside": excluded}
            name = f"convention_bicubic_{str(-coefficient).replace('.', '_')}{'_exclude_outside' if excluded else ''}"
            yield sample(f"{name}_larger", **kernel)
            yield sample(f"{name}_smaller", size=SMALLER, **kernel)
    for area in AREAS:
        covered: dict[str, Any] = {"interpolation": "area", "area": area}
        for word, shape, size in (
            ("larger", PLAIN, LARGER),
            ("smaller", PLAIN, SMALLER),
            ("divided", (2, 3, 8, 6), (4, 2)),
            ("much_smaller", (2, 3, 24, 20), (5, 7)),
        ):
            yield sample(f"convention_area_{area}_{word}", *shape, size=size, **covered)
    for kind in INTERPOLATIONS:
        for word, values in (
            ("nan", {(0, 1, 3, 2): np.nan, (1, 2, 3, 3): np.nan}),
            ("infinity", {(0, 1, 3, 2): np.inf, (1, 2, 3, 3): -np.inf}),
        ):
            name = f"{word}_inside_{kind}"
            arrays = drawn(name)
            for index, value in values.items():
                arrays["x"][index] = value
            yield Sample(name=name, inputs=arrays, keywords={"size": LARGER, "interpolation": kind})
    for word, scale in (("256", 256.0), ("1e4", 1e4), ("1e_minus_4", 1e-4), ("1e30", 1e30)):
        name = f"magnitude_{word}"
        dtypes = DTYPES if word == "256" else WIDE
        yield Sample(name=name, inputs=drawn(name, scale=scale), keywords={"size": LARGER}, dtypes=dtypes)
    yield sample("long_row", 1, 2, 1, 4099, size=(1, 1021))


SIZES = {"S": ((2, 4, 16, 16), (24, 24)), "M": ((8, 32, 32, 32), (48, 48)), "L": ((16, 32, 64, 64), (96, 96))}
"""What is timed, by size: images, and the sizes that they get."""


def _workload(stream: Stream, size: str) -> Sample:
    shape, wanted = SIZES[size]
    return Sample(name=size, inputs={"x": ordinary(stream("x"), shape)}, keywords={"size": wanted})


def _work(
    x: Array,
    *,
    size: Pair,
    interpolation: str = "bilinear",
    coordinates: str = "half_pixel",
    antialias: bool = False,
    rounding: str = "round_prefer_ceil",
    cubic_coefficient: float = -0.75,
    exclude_outside: bool = False,
    area: str = "whole_pixels",
) -> Work:
    """A product and a sum for each tap of each pixel but the first, first along columns and then along rows; back the same.

    Nearest pixels are copied; back, those that are taken more than once are summed.
    """
    planes = x.shape[0] * x.shape[1]
    results = planes * math.prod(size)
    if interpolation == "nearest":
        return Work(flops=0, backward_flops=max(results - count(x), 0))
    between = planes * x.shape[2] * size[1]
    reach = 2 * REACH.get(interpolation, 1)
    widened = antialias or interpolation == "area"
    taps = [
        (reach if interpolation in REACH else 1) * (max(math.ceil(length / wanted), 1) if widened else 1)
        for length, wanted in zip(x.shape[2:], size, strict=True)
    ]
    flops = between * (2 * taps[1] - 1) + results * (2 * taps[0] - 1)
    return Work(flops=flops, backward_flops=flops)


OPERATIONS = (
    Operation(
        function=resize,
        vjp=_vjp,
        samples=_samples,
        family="resampling",
        profile=EXTENDED,
        axes={"x": "n c h w", "y": "n c h w"},
        conventions={
            "coordinates": COORDINATES,
            "rounding": ROUNDINGS,
            "cubic_coefficient": COEFFICIENTS,
            "exclude_outside": (False, True),
            "area": AREAS,
        },
        workload=_workload,
        work=_work,
    ),
)
