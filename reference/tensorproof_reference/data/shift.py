"""Shifts of images: see ``shift``."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tensorproof_reference.arguments import require
from tensorproof_reference.data._resample import (
    FILLS,
    INTERPOLATIONS,
    Taps,
    bilinear,
    floor,
    gather,
    nearest,
    require_image,
    scatter,
)
from tensorproof_reference.operation import DTYPES, Operation, Sample, asarray
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

PLACES = ("float64", "float32", "float16")
"""8 bits of significand say too little about where between two pixels a place lies, but for the smallest images."""


def shift(
    x: Array,
    vertical: Array,
    horizontal: Array,
    *,
    interpolation: str = "bilinear",
    fill: str = "constant",
    fill_value: float = 0.0,
) -> Array:
    r"""Images moved by a number of pixels, which need not be whole, down and to the right:
    :math:`y_{ij} = x(i - v, j - h)`.

    Interpolation and fill are those of ``rotate``.

    Between pixels, ``interpolation`` chooses how x is found:

    - ``"bilinear"``: linearly in both directions;
    - ``"nearest"``: that of the nearest pixel, the one after where two are equally near.

    Beyond the image, ``fill`` chooses the pixels:

    - ``"constant"``: ``fill_value``;
    - ``"nearest"``: the edge, a a a | a b c | c c c;
    - ``"reflect"``: the image reflected about the edge of its last pixel, c b a | a b c | c b a;
    - ``"mirror"``: the image reflected about the centre of its last pixel, . c b | a b c | b a .;
    - ``"wrap"``: the image again, a b c | a b c | a b c.

    Shapes: ``x`` and the result (N, C, H, W); ``vertical`` and ``horizontal`` are single numbers.
    Special values: NaN and infinity spread to each place that has them among its four surrounding pixels.
    Raises: ``ValueError`` if ``x`` has not four axes, ``vertical`` or ``horizontal`` is not a single number or moves the images
    by more than twice their height or width, or a convention is unknown.
    Source: Simard, Steinkraus & Platt (2003), §2 (translations, bilinear interpolation); the texts, 000 §4.1.1.
    """
    return gather(x, _taps(x, vertical, horizontal, interpolation, fill), fill, fill_value)


def _taps(x: Array, vertical: Array, horizontal: Array, interpolation: str, fill: str) -> Taps:
    require_image(x, interpolation, fill, vertical=vertical, horizontal=horizontal)
    height, width = x.shape[2:]
    require(bool(np.abs(vertical) <= 2 * height), "vertical", f"at most {2 * height} pixels", vertical)
    require(bool(np.abs(horizontal) <= 2 * width), "horizontal", f"at most {2 * width} pixels", horizontal)
    # Whole parts from the amounts themselves, which are exact: the floor of a rounded place could be off by one.
    down, right = floor(-vertical, 2 * height), floor(-horizontal, 2 * width)
    row, column = np.arange(height)[:, None], np.arange(width)[None, :]
    if interpolation == "nearest":
        down, right = down + (-vertical - down >= 0.5), right + (-horizontal - right >= 0.5)
        return nearest(row + down, column + right, (height, width))
    places = row.astype(x.dtype) - vertical, column.astype(x.dtype) - horizontal
    return bilinear(*places, row + down, column + right, (height, width))


def vjp(
    dy: Array,
    x: Array,
    vertical: Array,
    horizontal: Array,
    *,
    interpolation: str = "bilinear",
    fill: str = "constant",
    fill_value: float = 0.0,
) -> Gradients:
    """The shift is linear in the images: its adjoint gives each cotangent to the pixels around, by the same weights."""
    return {"x": scatter(dy, x, _taps(x, vertical, horizontal, interpolation, fill), fill)}


def samples(stream: Stream) -> Iterator[Sample]:
    """Whole and fractional, both directions, all fills and both interpolations, far shifts and sizes of 1."""

    def images(name: str, *shape: int, by: tuple[float, float] = (1.25, -0.5)) -> dict[str, Array]:
        return {"x": stream(name).normal(shape), "vertical": asarray(by[0]), "horizontal": asarray(by[1])}

    def sample(
        name: str,
        *shape: int,
        by: tuple[float, float] = (1.25, -0.5),
        dtypes: tuple[str, ...] = PLACES,
        interpolation: str = "bilinear",
        **others: object,
    ) -> Sample:
        dtypes = DTYPES if interpolation == "nearest" else dtypes
        keywords = {"interpolation": interpolation, **others} if others or interpolation == "nearest" else {}
        return Sample(name=name, inputs=images(name, *(shape or (2, 3, 5, 6)), by=by), keywords=keywords, dtypes=dtypes)

    yield sample("plain_down_and_left", dtypes=DTYPES)
    yield sample("size_large", 2, 3, 24, 20, by=(-2.5, 3.25))
    yield sample("unit_row", 2, 3, 1, 6, by=(0.5, 1.25), dtypes=DTYPES)
    yield sample("unit_column", 2, 3, 5, 1, by=(1.25, 0.5), dtypes=DTYPES)
    yield sample("unit_batch_and_channel", 1, 1, 5, 6)
    yield sample("empty_batch", 0, 3, 5, 6)
    yield Sample(name="strided_transposed", inputs=images("strided_transposed", 2, 3, 5, 6), memory="transposed")
    yield Sample(name="strided_sliced", inputs=images("strided_sliced", 2, 3, 5, 6), memory="sliced")
    # Whole amounts, which copy: linear interpolation has its kinks there, and a rounded place may lie on either side.
    for name, by in {"none": (0.0, 0.0), "down": (2.0, 0.0), "right": (0.0, 2.0), "up_and_left": (-1.0, -3.0)}.items():
        yield sample(f"geometry_{name}", by=by, interpolation="nearest")
    yield sample("geometry_up_and_right", by=(-1.75, 0.75), dtypes=DTYPES)
    yield sample("geometry_little", by=(0.25, -0.25), dtypes=DTYPES)
    yield sample("geometry_out_of_sight", by=(5.5, 0.25))
    for interpolation in INTERPOLATIONS:
        for fill in FILLS:
            name = f"convention_{interpolation}_{fill}"
            yield sample(name, by=(1.25, -2.75), interpolation=interpolation, fill=fill)
            yield sample(f"{name}_far", by=(-8.25, 10.75), interpolation=interpolation, fill=fill)
            word, shape = ("row", (1, 2, 1, 6)) if interpolation == "bilinear" else ("column", (1, 2, 5, 1))
            name = f"unit_{word}_{interpolation}_{fill}"
            one = sample(name, *shape, by=(0.75, 1.25), interpolation=interpolation, fill=fill)
            yield replace(one, dtypes=("float64", "float32"))
        name = f"convention_{interpolation}_fill_value"
        yield sample(name, by=(1.25, -2.75), interpolation=interpolation, fill="constant", fill_value=2.5)
    spots = images("nan_each_lane", 2, 3, 5, 6, by=(0.75, -0.5))
    spots["x"][:, :, 2, 3] = np.nan
    yield Sample(name="nan_each_lane", inputs=spots)
    flat = images("infinity_spots", 2, 3, 5, 6, by=(0.75, -0.5))
    flat["x"][0, :, 2, 2], flat["x"][1, :, 3, 3] = np.inf, -np.inf
    yield Sample(name="infinity_spots", inputs=flat, dtypes=PLACES)


OPERATION = Operation(
    function=shift,
    vjp=vjp,
    samples=samples,
    family="image",
    axes={"x": "n c h w", "vertical": "", "horizontal": "", "y": "n c h w"},
    conventions={"interpolation": INTERPOLATIONS, "fill": FILLS},
    documents=("000 §4.1.1",),
)
