"""Images of another size (profile ``extended``)."""

import torch.nn.functional as F

from tensorproof.backend import Native, Unsupported
from tensorproof_torch.table import operations

NEAREST = {("half_pixel", "round_prefer_ceil"): "nearest-exact", ("asymmetric", "floor"): "nearest"}
"""Modes of ``F.interpolate`` by coordinates and rounding."""


@operations.native
def resize(
    x: Native,
    *,
    size: tuple[int, int],
    interpolation: str = "bilinear",
    coordinates: str = "half_pixel",
    antialias: bool = False,
    rounding: str = "round_prefer_ceil",
    cubic_coefficient: float = -0.75,
    exclude_outside: bool = False,
    area: str = "whole_pixels",
) -> Native:
    """``F.interpolate``."""
    if interpolation == "nearest":
        mode = NEAREST.get((coordinates, rounding))
        if mode is None:
            raise Unsupported("F.interpolate rounds half-pixel coordinates to the nearest, and asymmetric ones down")
        return F.interpolate(x, size, mode=mode)
    if interpolation == "area":
        if area != "whole_pixels":
            raise Unsupported("F.interpolate averages whole pixels")
        return F.interpolate(x, size, mode="area")
    if coordinates == "asymmetric":
        raise Unsupported("F.interpolate has no asymmetric coordinates but for the nearest pixel")
    if interpolation == "bicubic" and (cubic_coefficient, exclude_outside) != ((-0.5, True) if antialias else (-0.75, False)):
        raise Unsupported("F.interpolate has the coefficient -0.75 and pixels beyond the edge, with antialias -0.5 and none")
    return F.interpolate(x, size, mode=interpolation, align_corners=coordinates == "align_corners", antialias=antialias)


@operations.native
def pixel_shuffle(x: Native, *, factor: int, order: str = "CRD") -> Native:
    """``F.pixel_shuffle``."""
    if order != "CRD":
        raise Unsupported("F.pixel_shuffle has a block for each channel")
    return F.pixel_shuffle(x, factor)


@operations.native
def pixel_unshuffle(x: Native, *, factor: int, order: str = "CRD") -> Native:
    """``F.pixel_unshuffle``."""
    if order != "CRD":
        raise Unsupported("F.pixel_unshuffle has a block for each channel")
    return F.pixel_unshuffle(x, factor)


@operations.native
def affine_grid(theta: Native, *, size: tuple[int, int], align_corners: bool = False) -> Native:
    """``F.affine_grid``."""
    return F.affine_grid(theta, [theta.shape[0], 1, *size], align_corners=align_corners)


@operations.native
def grid_sample(
    x: Native, grid: Native, *, interpolation: str = "bilinear", padding: str = "zeros", align_corners: bool = False
) -> Native:
    """``F.grid_sample``."""
    return F.grid_sample(x, grid, mode=interpolation, padding_mode=padding, align_corners=align_corners)
