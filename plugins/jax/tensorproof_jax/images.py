"""Images of another size (profile ``extended``)."""

from tensorproof.backend import Native, Unsupported
from tensorproof_jax.framework import jax, jnp
from tensorproof_jax.table import operations

CUBIC = {(-0.5, True): "cubic", (-0.75, False): "cubic-pytorch"}
"""Methods of ``jax.image.resize`` by the coefficient and whether pixels beyond the edge are excluded."""


def _method(interpolation: str, antialias: bool, cubic_coefficient: float, exclude_outside: bool, area: str) -> str:
    """The method in JAX's words."""
    if interpolation == "bicubic":
        method = CUBIC.get((cubic_coefficient, exclude_outside))
        if method is None or (antialias and method != "cubic"):
            raise Unsupported("jax.image.resize has the coefficient -0.5 without pixels beyond the edge, and -0.75 with them")
        return method
    if interpolation == "area" and area != "fractions":
        raise Unsupported("jax.image.resize averages fractions of pixels")
    return interpolation


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
    """``jax.image.resize``; with aligned corners ``jax.image.scale_and_translate``, as its documentation says."""
    shape = (*x.shape[:2], *size)
    method = _method(interpolation, antialias, cubic_coefficient, exclude_outside, area)
    if coordinates == "half_pixel":
        if interpolation == "nearest" and rounding != "round_prefer_ceil":
            raise Unsupported("jax.image.resize rounds to the nearest pixel")
        return jax.image.resize(x, shape, method, antialias=antialias)
    if coordinates == "asymmetric" or interpolation == "nearest":
        raise Unsupported("jax.image.resize has half-pixel coordinates, and scale_and_translate has no nearest pixel")
    if 1 in (*x.shape[2:], *size):
        raise Unsupported("jax.image.scale_and_translate has no scale for an axis of one pixel with aligned corners")
    scale = jnp.array([(after - 1) / (before - 1) for before, after in zip(x.shape[2:], size, strict=True)])
    return jax.image.scale_and_translate(x, shape, (2, 3), scale, 0.5 * (1 - scale), method, antialias=False)


for name in ("pixel_shuffle", "pixel_unshuffle"):
    operations.unsupported(name, "neither JAX nor Flax moves channels into blocks of pixels")
operations.unsupported("affine_grid", "neither JAX nor Flax makes grids of affine transformations")
operations.unsupported("grid_sample", "jax.scipy.ndimage.map_coordinates takes places in pixels, of one array without channels")
