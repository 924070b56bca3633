"""Faults in images of another size: operation, class, what is wrong, formula."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from faulty import Faults, Row, reference, right_vjp

FAULTS = Faults()


def with_keywords(where: Callable[[Any], bool], **changed: Any) -> Callable[..., Any]:
    """Resizing with other keywords, where the given ones are such."""

    def wrong(x: Any, **keywords: Any) -> Any:
        return reference("resize", x, **{**keywords, **(changed if where(keywords) else {})})

    return wrong


def by_scale_of_rows(x: Any, *, size: Any, **keywords: Any) -> Any:
    """Columns further apart than they are: as rows are."""
    rows = x.shape[2] / size[0]
    width = min(max(round(size[1] * rows), 1), x.shape[3])
    return reference("resize", x[..., :width], size=size, **keywords)


def not_normalized(x: Any, *, antialias: bool = False, **keywords: Any) -> Any:
    """Antialias up to 5 % too bright where an image shrinks, as if weights were not quite divided by their sum."""
    if not antialias:
        return reference("resize", x, **keywords)
    shrunk = [min(wanted / length, 1.0) for length, wanted in zip(x.shape[2:], keywords["size"], strict=True)]
    return (reference("resize", x, antialias=True, **keywords) * (1.0 + 0.05 * (1.0 - min(shrunk)))).astype(x.dtype)


def antialias_from_half_on(x: Any, *, size: Any, antialias: bool = False, **keywords: Any) -> Any:
    """No antialias for an image that stays larger than half of what it was."""
    shrinks = any(length >= 2 * wanted for length, wanted in zip(x.shape[2:], size, strict=True))
    return reference("resize", x, size=size, antialias=antialias and shrinks, **keywords)


def lerp(x: Any, **keywords: Any) -> Any:
    """Linear interpolation as a + (b - a)t, which is NaN for infinite a."""
    y = reference("resize", x, **keywords)
    return np.where(np.isinf(y) & (keywords.get("interpolation", "bilinear") == "bilinear"), np.nan, y).astype(x.dtype)


def nan_everywhere(x: Any, **keywords: Any) -> Any:
    """A product with all weights, of which most are 0."""
    y = reference("resize", x, **keywords)
    wrong = ~np.isfinite(x).all(axis=(2, 3), keepdims=True)
    return np.where(wrong & (keywords.get("interpolation", "bilinear") != "nearest"), np.nan, y).astype(x.dtype)


def is_kind(kind: str) -> Callable[[Any], bool]:
    """Whether the keywords ask for an interpolation."""
    return lambda keywords: bool(keywords.get("interpolation", "bilinear") == kind)


def half_pixels(keywords: Any) -> bool:
    """Whether coordinates are those of half pixels, between which is interpolated."""
    kind = keywords.get("interpolation", "bilinear")
    return kind in ("bilinear", "bicubic") and keywords.get("coordinates", "half_pixel") == "half_pixel"


def without_antialias(keywords: Any) -> bool:
    """Whether pixels are interpolated between half pixels as they are."""
    return half_pixels(keywords) and not keywords.get("antialias", False)


def exactly(numerator: int, denominator: int) -> Callable[..., Any]:
    """Half pixels in a fast path for results that are exactly so many times as large, whose coordinates are asymmetric."""

    def wrong(x: Any, *, size: Any, **keywords: Any) -> Any:
        scaled = all(denominator * wanted == numerator * length for length, wanted in zip(x.shape[2:], size, strict=True))
        fast = scaled and keywords.get("coordinates") == "asymmetric" and keywords.get("interpolation", "bilinear") == "bilinear"
        return reference("resize", x, size=size, **{**keywords, **({"coordinates": "half_pixel"} if fast else {})})

    return wrong


def antialiased(keywords: Any) -> bool:
    """Whether kernels widen."""
    return bool(keywords.get("antialias", False))


VALUES: Sequence[Row] = (
    ("resize", "plain", "aligned_corners", with_keywords(without_antialias, coordinates="align_corners")),
    ("resize", "plain", "asymmetric_coordinates", with_keywords(without_antialias, coordinates="asymmetric")),
    ("resize", "geometry", "nearest_rounds_down", with_keywords(is_kind("nearest"), rounding="floor")),
    ("resize", "convention", "ties_go_down", with_keywords(is_kind("nearest"), rounding="round_prefer_floor")),
    ("resize", "geometry", "other_cubic_coefficient", with_keywords(is_kind("bicubic"), cubic_coefficient=-0.5)),
    ("resize", "geometry", "bicubic_excludes_outside", with_keywords(is_kind("bicubic"), exclude_outside=True)),
    ("resize", "geometry", "area_of_fractions", with_keywords(is_kind("area"), area="fractions")),
    ("resize", "optional", "antialias_ignored", with_keywords(half_pixels, antialias=False)),
    ("resize", "plain", "always_antialias", with_keywords(without_antialias, antialias=True)),
    ("resize", "optional", "antialias_not_normalized", not_normalized),
    ("resize", "optional", "antialias_for_half_the_size_and_less", antialias_from_half_on),
    ("resize", "convention", "half_pixels_where_it_is_twice_as_large", exactly(2, 1)),
    ("resize", "convention", "half_pixels_where_it_is_half_as_large", exactly(1, 2)),
    ("resize", "convention", "antialias_with_one_cubic_coefficient", with_keywords(antialiased, cubic_coefficient=-0.5)),
    ("resize", "plain", "scale_of_rows_for_columns", by_scale_of_rows),
    ("resize", "infinity", "infinity_becomes_nan", lerp),
    ("resize", "nan", "nan_spreads_over_the_image", nan_everywhere),
)
"""Functions whose values are wrong."""


def forwards(dy: Any, x: Any, *, size: Any, **keywords: Any) -> Any:
    """The gradient resized back, instead of by the same weights."""
    return {"x": reference("resize", dy, size=x.shape[2:], **keywords)}


def of_asymmetric(dy: Any, x: Any, **keywords: Any) -> Any:
    """The gradient of asymmetric coordinates."""
    changed = {"coordinates": "asymmetric"} if without_antialias(keywords) else {}
    return right_vjp("resize", dy, x, **{**keywords, **changed})


def of_one_cubic_coefficient(dy: Any, x: Any, **keywords: Any) -> Any:
    """The gradient of a widened kernel of the coefficient -0.5."""
    return right_vjp("resize", dy, x, **{**keywords, **({"cubic_coefficient": -0.5} if antialiased(keywords) else {})})


def mean_of_those_taken(dy: Any, x: Any, *, size: Any, **keywords: Any) -> Any:
    """Where the nearest pixel is taken more than once, the gradient is that of the mean."""
    right = right_vjp("resize", dy, x, size=size, **keywords)["x"]
    if keywords.get("interpolation") != "nearest":
        return {"x": right}
    taken = right_vjp("resize", np.ones_like(dy), x, size=size, **keywords)["x"]
    return {"x": (right / np.maximum(taken, 1.0)).astype(x.dtype)}


GRADIENTS: Sequence[Row] = (
    ("resize", "plain", "gradient_resized_back", forwards),
    ("resize", "plain", "gradient_of_asymmetric_coordinates", of_asymmetric),
    ("resize", "convention", "gradient_of_antialias_with_one_cubic_coefficient", of_one_cubic_coefficient),
    ("resize", "geometry", "gradient_of_nearest_is_a_mean", mean_of_those_taken),
)
"""Vector-Jacobian products that are wrong."""

FAULTS.rows(VALUES, GRADIENTS)
