"""Rotation of images: see ``rotate``."""

from collections.abc import Iterator

import numpy as np

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
from tensorproof_reference.operation import Operation, Sample, asarray
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

TRIGONOMETRY = ("float64", "float32")
"""Sines and cosines in 16 bits are too coarse to say between which pixels a place lies, and in 8 which pixel is nearest."""


def rotate(
    x: Array,
    degrees: Array,
    *,
    interpolation: str = "bilinear",
    fill: str = "constant",
    fill_value: float = 0.0,
) -> Array:
    r"""Images turned about their centre, counter-clockwise as seen: :math:`y_{ij} = x(r, c)` with
    :math:`r = r_0 + (i - r_0) \cos θ + (j - c_0) \sin θ`, :math:`c = c_0 + (j - c_0) \cos θ - (i - r_0) \sin θ` and the centre
    :math:`r_0 = (H - 1)/2`, :math:`c_0 = (W - 1)/2`. Rows are counted from the top.

    Between pixels, ``interpolation`` chooses how x is found:

    - ``"bilinear"``: linearly in both directions;
    - ``"nearest"``: that of the nearest pixel, the one after where two are equally near.

    Beyond the image, ``fill`` chooses the pixels. Interpolation also happens between these and the edge:

    - ``"constant"``: ``fill_value``;
    - ``"nearest"``: the edge, a a a | a b c | c c c;
    - ``"reflect"``: the image reflected about the edge of its last pixel, c b a | a b c | c b a;
    - ``"mirror"``: the image reflected about the centre of its last pixel, . c b | a b c | b a .;
    - ``"wrap"``: the image again, a b c | a b c | a b c.

    Shapes: ``x`` and the result (N, C, H, W); ``degrees`` is a single number.
    Special values: NaN and infinity spread to each place that has them among its four surrounding pixels.
    Raises: ``ValueError`` if ``x`` has not four axes, ``degrees`` is not a single number or a convention is unknown.
    Source: Simard, Steinkraus & Platt (2003), §2 (affine distortions, bilinear interpolation); the texts, 000 §4.1.1.
    """
    require_image(x, interpolation, fill, degrees=degrees)
    return gather(x, _taps(x, degrees, interpolation), fill, fill_value)


def _taps(x: Array, degrees: Array, interpolation: str) -> Taps:
    height, width = x.shape[2:]
    angle = degrees * (np.pi / 180)
    down = (np.arange(height).astype(x.dtype) - (height - 1) / 2)[:, None]
    right = (np.arange(width).astype(x.dtype) - (width - 1) / 2)[None, :]
    rows = (height - 1) / 2 + (down * np.cos(angle) + right * np.sin(angle))
    columns = (width - 1) / 2 + (right * np.cos(angle) - down * np.sin(angle))
    bound = 2 * (height + width) + 2
    if interpolation == "nearest":
        return nearest(floor(rows + 0.5, bound), floor(columns + 0.5, bound), (height, width))
    return bilinear(rows, columns, floor(rows, bound), floor(columns, bound), (height, width))


def vjp(
    dy: Array,
    x: Array,
    degrees: Array,
    *,
    interpolation: str = "bilinear",
    fill: str = "constant",
    fill_value: float = 0.0,
) -> Gradients:
    """The rotation is linear in the images: its adjoint gives each cotangent to the pixels around, by the same weights."""
    require_image(x, interpolation, fill, degrees=degrees)
    return {"x": scatter(dy, x, _taps(x, degrees, interpolation), fill)}


def samples(stream: Stream) -> Iterator[Sample]:
    """Both directions, all fills and both interpolations, sizes odd, even and 1, and quarter turns."""

    def images(name: str, *shape: int, degrees: float = 15.0) -> dict[str, Array]:
        return {"x": stream(name).normal(shape), "degrees": asarray(degrees)}

    def sample(name: str, *shape: int, degrees: float = 15.0, memory: str = "contiguous", **keywords: object) -> Sample:
        arguments = images(name, *(shape or (2, 3, 7, 6)), degrees=degrees)
        return Sample(name=name, inputs=arguments, keywords=keywords, memory=memory, dtypes=TRIGONOMETRY)

    yield sample("plain_counter_clockwise")
    yield sample("size_large", 2, 3, 24, 20, degrees=-11.0)
    yield sample("unit_row", 2, 3, 1, 6, degrees=40.0)
    yield sample("unit_column", 2, 3, 6, 1, degrees=40.0)
    yield sample("unit_batch_and_channel", 1, 1, 7, 6)
    yield Sample(name="empty_batch", inputs=images("empty_batch", 0, 3, 7, 6), dtypes=TRIGONOMETRY)
    yield sample("strided_transposed", memory="transposed")
    yield sample("strided_sliced", memory="sliced")
    for name, degrees in (("clockwise", -15.0), ("wide_angle", 50.0), ("obtuse", 160.0), ("beyond_a_turn", 395.0)):
        yield sample(f"geometry_{name}", degrees=degrees)
    for name, shape in (("even", (2, 3, 6, 8)), ("high", (1, 2, 12, 3)), ("wide", (1, 2, 3, 10))):
        yield sample(f"geometry_{name}", *shape, degrees=35.0)
    for interpolation in INTERPOLATIONS:
        for fill in FILLS:
            keywords = {"interpolation": interpolation, "fill": fill}
            yield sample(f"convention_{interpolation}_{fill}", degrees=35.0, **keywords)
            word, shape = ("row", (1, 2, 1, 6)) if interpolation == "bilinear" else ("column", (1, 2, 6, 1))
            yield sample(f"unit_{word}_{interpolation}_{fill}", *shape, degrees=40.0, **keywords)
        name = f"convention_{interpolation}_fill_value"
        yield sample(name, degrees=35.0, interpolation=interpolation, fill="constant", fill_value=2.5)
    yield sample("convention_reflect_far", 1, 2, 2, 11, degrees=75.0, fill="reflect")
    yield sample("convention_mirror_far", 1, 2, 2, 11, degrees=75.0, fill="mirror")
    yield sample("convention_wrap_far", 1, 2, 2, 11, degrees=75.0, fill="wrap")
    spots = images("nan_each_lane", 2, 3, 7, 6)
    spots["x"][:, :, 3, 2] = np.nan
    yield Sample(name="nan_each_lane", inputs=spots, dtypes=TRIGONOMETRY)
    flat = images("infinity_spots", 2, 3, 7, 6)
    flat["x"][0, :, 2, 2], flat["x"][1, :, 4, 3] = np.inf, -np.inf
    yield Sample(name="infinity_spots", inputs=flat, dtypes=TRIGONOMETRY)
    for name, degrees in (("none", 0.0), ("quarter", 90.0), ("half", 180.0), ("quarter_clockwise", -90.0)):
        arguments = images(f"geometry_turn_{name}", 2, 3, 6, 6, degrees=degrees)
        expected = {"y": np.rot90(arguments["x"], round(degrees / 90), axes=(2, 3))}
        keywords = {"interpolation": "nearest"}
        yield Sample(
            name=f"geometry_turn_{name}",
            inputs=arguments,
            keywords=keywords,
            expected=expected,
            dtypes=(*TRIGONOMETRY, "float16"),
        )
    # Places on pixels: within a rounding of where interpolation turns from one pair of pixels to the next.
    yield sample("kink_centre_on_a_pixel", 2, 3, 7, 9, degrees=35.0)
    name = "kink_quarter_turn"
    turned = images(name, 2, 3, 6, 6, degrees=90.0)
    yield Sample(name=name, inputs=turned, keywords={"fill": "nearest"}, gradient=False, dtypes=TRIGONOMETRY)


OPERATION = Operation(
    function=rotate,
    vjp=vjp,
    samples=samples,
    family="image",
    axes={"x": "n c h w", "degrees": "", "y": "n c h w"},
    conventions={"interpolation": INTERPOLATIONS, "fill": FILLS},
    documents=("000 §4.1.1",),
)
