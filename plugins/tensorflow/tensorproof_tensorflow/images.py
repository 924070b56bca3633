"""Images of another size, channels last (profile ``extended``)."""

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow.framework import tf
from tensorproof_tensorflow.table import operations

LAYOUTS = {
    "resize": {"x": "n h w c", "y": "n h w c"},
    "pixel_shuffle": {"x": "... h w c", "y": "... h w c"},
    "pixel_unshuffle": {"x": "... h w c", "y": "... h w c"},
}
ROUNDED = {"half_pixel": "round_prefer_ceil", "align_corners": "round_prefer_ceil", "asymmetric": "floor"}
"""How the nearest pixel is found, by coordinates."""


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
    """``tf.image.resize``; for other coordinates than half pixels ``tf.compat.v1.image.resize``.

    Both compute and return float32, but for the nearest pixel; the result is cast back from float32 to 16 bits.
    """
    if interpolation == "nearest" and rounding != ROUNDED[coordinates]:
        raise Unsupported("tf.image.resize rounds to the nearest, and asymmetric coordinates down")
    if interpolation == "bicubic" and (cubic_coefficient, exclude_outside) != (
        (-0.5, True) if coordinates == "half_pixel" else (-0.75, False)
    ):
        raise Unsupported(
            "tf.image.resize has the coefficient -0.5 and no pixels beyond the edge, that of version 1 -0.75 and some"
        )
    if interpolation == "area" and area != "fractions":
        raise Unsupported("tf.image.resize averages fractions of pixels")
    if interpolation != "nearest" and x.dtype == tf.float64:
        raise Unsupported("tf.image.resize computes float64 in float32")
    if coordinates == "half_pixel":
        y = tf.image.resize(x, size, method=interpolation, antialias=antialias)
    else:
        y = tf.compat.v1.image.resize(x, size, method=interpolation, align_corners=coordinates == "align_corners")
    return tf.cast(y, x.dtype)


@operations.native
def pixel_shuffle(x: Native, *, factor: int, order: str = "CRD") -> Native:
    """``tf.nn.depth_to_space``."""
    _require_blocks(x, factor, order)
    return tf.nn.depth_to_space(x, factor)


@operations.native
def pixel_unshuffle(x: Native, *, factor: int, order: str = "CRD") -> Native:
    """``tf.nn.space_to_depth``."""
    _require_blocks(x, factor, order)
    return tf.nn.space_to_depth(x, factor)


def _require_blocks(x: Native, factor: int, order: str) -> None:
    if order != "DCR":
        raise Unsupported("tf.nn.depth_to_space and space_to_depth have all channels for each place of a block")
    if len(x.shape) != 4:
        raise Unsupported("tf.nn.depth_to_space and space_to_depth take four axes")
    if factor == 1:
        raise Unsupported("tf.nn.depth_to_space and space_to_depth take blocks of 2 or more")


for name in ("affine_grid", "grid_sample"):
    operations.unsupported(name, "TensorFlow transforms images by eight numbers, and does not look at them where a grid says")
