"""Images looked at where a grid says: affine_grid and grid_sample."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tensorproof_reference.arguments import require, require_choice, require_numbers, require_rank, require_shape
from tensorproof_reference.data._resample import floor
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work, asarray
from tensorproof_reference.operations._windows import Pair
from tensorproof_reference.operations._workloads import count, ordinary
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

PADDINGS = ("zeros", "border", "reflection")
INTERPOLATIONS = ("bilinear", "nearest")
DOUBLE = ("float64", "float32")
"""The dtypes of a grid: in 16 bits the places of pixels are too coarse."""


def affine_grid(theta: Array, *, size: Pair, align_corners: bool = False) -> Array:
    r"""Where each pixel of a result lies in an image that is turned, scaled, sheared and moved:
    :math:`g_{nij} = \theta_n\, (u_j, v_i, 1)^T`.

    Pixel j of W is at :math:`u_j = (2j + 1)/W - 1`, so that -1 and 1 are the edges of the image; with ``align_corners`` at
    :math:`2j/(W - 1) - 1`, so that they are the centres of its corner pixels, and at 0 for W = 1. Rows :math:`v_i` the same.

    Shapes: ``theta`` (N, 2, 3), columns before rows; ``size`` (H, W); the result (N, H, W, 2). N may be 0.
    Special values: as in products and sums: NaN and infinity reach what they are a factor of.
    Raises: ``ValueError`` if shapes do not fit.
    Source: Jaderberg et al. (2015), eq. 1; ONNX AffineGrid (opset 20).
    """
    return np.einsum("nkc,ijc->nijk", theta, _base(theta, size, align_corners))


def _base(theta: Array, size: Pair, align_corners: bool) -> Array:
    """The places of all pixels and 1: (H, W, 3)."""
    require_rank(theta, "theta", 3)
    require_shape(theta, "theta", (theta.shape[0], 2, 3))
    height, width = require_numbers(size, "size", 1, 2)
    rows, columns = (_centres(theta, length, align_corners) for length in (height, width))
    ones = np.ones_like(theta, shape=(height, width))
    return np.stack([np.broadcast_to(columns, (height, width)), np.broadcast_to(rows[:, None], (height, width)), ones], axis=-1)


def _centres(theta: Array, length: int, align_corners: bool) -> Array:
    """Places of so many pixels between -1 and 1, in the precision of ``theta``."""
    end = (1.0 if length > 1 else 0.0) if align_corners else 1.0 - 1.0 / length
    return np.linspace(np.full_like(theta, -end, shape=()), end, length, dtype=theta.dtype)


def _affine_vjp(dy: Array, theta: Array, *, size: Pair, align_corners: bool = False) -> Gradients:
    """A product with the places of all pixels."""
    return {"theta": np.einsum("nijk,ijc->nkc", dy, _base(theta, size, align_corners))}


def _affine_samples(stream: Stream) -> Iterator[Sample]:
    """Turned, sheared and moved images of both conventions."""

    def sample(name: str, images: int = 2, size: Pair = (4, 5), memory: str = "contiguous", **keywords: Any) -> Sample:
        theta = stream(name).normal((images, 2, 3))
        return Sample(name=name, inputs={"theta": theta}, keywords={"size": size, **keywords}, memory=memory, dtypes=DOUBLE)

    yield sample("plain")
    yield sample("size_large", 3, (33, 65))
    yield sample("unit_image", 1)
    yield sample("unit_row", size=(1, 5))
    yield sample("unit_pixel", size=(1, 1))
    yield sample("empty_batch", 0)
    for memory in ("transposed", "sliced"):
        yield sample(f"strided_{memory}", 3, memory=memory)
    transformations: tuple[tuple[str, Any], ...] = (
        ("identity", [[1, 0, 0], [0, 1, 0]]),
        ("quarter_turn", [[0, -1, 0], [1, 0, 0]]),
        ("mirror", [[-1, 0, 0], [0, 1, 0]]),
        ("moved", [[1, 0, 0.5], [0, 1, -0.25]]),
    )
    for word, matrix in transformations:
        for corners in (False, True):
            name = f"geometry_{word}{'_align_corners' if corners else ''}"
            keywords: dict[str, Any] = {"size": (3, 6), "align_corners": corners}
            yield Sample(name=name, inputs={"theta": asarray([matrix])}, keywords=keywords, dtypes=DOUBLE)
    yield sample("convention_align_corners", align_corners=True)
    yield sample("convention_align_corners_row", size=(1, 5), align_corners=True)
    yield sample("convention_align_corners_pixel", size=(1, 1), align_corners=True)
    yield sample("convention_align_corners_large", 3, (33, 65), align_corners=True)
    for word, value in (("nan", np.nan), ("infinity", np.inf)):
        name = f"{word}_in_one_row"
        theta = stream(name).normal((2, 2, 3))
        theta[1, 0, 2] = value
        yield Sample(name=name, inputs={"theta": theta}, keywords={"size": (4, 5)}, dtypes=DOUBLE)
    for word, scale in (("1e10", 1e10), ("1e_minus_10", 1e-10)):
        name = f"magnitude_{word}"
        inputs = {"theta": stream(name).normal((2, 2, 3), deviation=scale)}
        yield Sample(name=name, inputs=inputs, keywords={"size": (4, 5)}, dtypes=DOUBLE)


GRIDS = {"S": (2, (24, 24)), "M": (4, (128, 128)), "L": (8, (512, 256))}


def _affine_workload(stream: Stream, size: str) -> Sample:
    images, wanted = GRIDS[size]
    return Sample(name=size, inputs={"theta": stream("theta").normal((images, 2, 3))}, keywords={"size": wanted})


def _affine_work(theta: Array, *, size: Pair, align_corners: bool = False) -> Work:
    """Two products and two sums for each coordinate; back the same."""
    flops = 8 * theta.shape[0] * size[0] * size[1]
    return Work(flops=flops, backward_flops=flops)


def grid_sample(
    x: Array, grid: Array, *, interpolation: str = "bilinear", padding: str = "zeros", align_corners: bool = False
) -> Array:
    r"""Images looked at where a grid says: pixel (i, j) of the result is what x has at column :math:`g_{nij0}` and row
    :math:`g_{nij1}`, which go from -1 to 1.

    Column g of W is pixel :math:`((g + 1) W - 1)/2`, so that -1 and 1 are the edges of the image; with ``align_corners`` it is
    :math:`(g + 1)(W - 1)/2`, so that they are the centres of its corner pixels. Rows the same.

    ``interpolation`` between pixels is ``"bilinear"`` (linear in both directions), or ``"nearest"`` (no sample is half way
    between two). Beyond the image, ``padding`` says what there is:

    - ``"zeros"``: pixels of 0, between which and the edge is interpolated too;
    - ``"border"``: places are moved to the nearest centre of a pixel at the edge;
    - ``"reflection"``: places are reflected at the edges (at the centres of the corner pixels with ``align_corners``) until they
      are inside, and then moved as ``"border"`` moves them.

    The gradient to the grid is that of interpolation; of the nearest pixel it is 0, and of a place that was moved too. No sample
    asks for it at the centre of a pixel.

    Shapes: ``x`` (N, C, H, W); ``grid`` (N, H', W', 2); the result (N, C, H', W'). N may be 0.
    Special values: NaN and infinity in x reach the pixels that look at them. The grid is finite.
    Raises: ``ValueError`` if shapes do not fit or a convention is unknown.
    Source: Jaderberg et al. (2015), eq. 5; ONNX GridSample (opset 20).
    """
    places = _places(x, grid, interpolation, padding, align_corners)
    values = _looked_at(x, places)
    values *= places.weights[..., None]
    return np.moveaxis(np.sum(values, axis=0), -1, 1)


class Places(NamedTuple):
    """The pixels that each pixel of the result looks at, (T, N, H', W')."""

    rows: Any
    columns: Any
    inside: Any
    weights: Array
    slopes: tuple[Array, Array] | None
    """How weights change with the column and with the row of the grid; ``None`` where they do not."""


def _pixels(grid: Array, size: int, align_corners: bool) -> Array:
    """Places in pixels."""
    return (grid + 1.0) * ((size - 1) / 2) if align_corners else ((grid + 1.0) * float(size) - 1.0) / 2.0


def _reflected(place: Array, size: int, align_corners: bool, bound: int) -> tuple[Array, Any]:
    """Places reflected until they are inside, and the sign of each."""
    low, span = (0.0, size - 1) if align_corners else (-0.5, size)
    if span == 0:
        return place * 0.0, np.zeros(place.shape)
    distance = place - low
    negative = floor(distance, bound) < 0
    distance = np.where(negative, -distance, distance)
    turns = floor(distance / float(span), bound)
    rest = distance - (turns * float(span)).astype(place.dtype)
    odd = turns % 2 == 1
    return np.where(odd, span - rest, rest) + low, np.where(odd, -1.0, 1.0) * np.where(negative, -1.0, 1.0)


def _along(grid: Array, size: int, padding: str, align_corners: bool) -> tuple[Array, Any]:
    """Places in pixels, and how they change with the grid."""
    place = _pixels(grid, size, align_corners)
    slope: Any = np.full(grid.shape, (size - 1) / 2 if align_corners else size / 2)
    if padding == "reflection":
        place, signs = _reflected(place, size, align_corners, BOUND)
        slope = slope * signs
    if padding != "zeros":
        pixel = floor(place, BOUND)
        slope = np.where((pixel >= 0) & (pixel < size - 1), slope, 0.0)
        place = np.clip(place, 0.0, float(size - 1))
    return place, slope


BOUND = 2**20
"""No place is further away than so many pixels."""


def _places(x: Array, grid: Array, interpolation: str, padding: str, align_corners: bool) -> Places:
    require_rank(x, "x", 4)
    require(0 not in x.shape[2:], "x", "no empty axis of positions", f"shape {x.shape}")
    require_rank(grid, "grid", 4)
    require_shape(grid, "grid", (x.shape[0], *grid.shape[1:3], 2))
    require_choice(interpolation, "interpolation", INTERPOLATIONS)
    require_choice(padding, "padding", PADDINGS)
    require(isinstance(align_corners, bool), "align_corners", "True or False", align_corners)
    height, width = x.shape[2:]
    columns, column_slope = _along(grid[..., 0], width, padding, align_corners)
    rows, row_slope = _along(grid[..., 1], height, padding, align_corners)
    if interpolation == "nearest":
        near = (floor(rows + 0.5, BOUND)[None], floor(columns + 0.5, BOUND)[None])
        return Places(*near, _inside(*near, height, width), np.ones_like(grid, shape=(1, *rows.shape)), None)
    left, above = floor(columns, BOUND), floor(rows, BOUND)
    across, down = columns - left.astype(x.dtype), rows - above.astype(x.dtype)
    corners = [(row, column) for row in (0, 1) for column in (0, 1)]
    of_row, of_column = (1.0 - down, down), (1.0 - across, across)
    at = np.stack([above + row for row, _ in corners]), np.stack([left + column for _, column in corners])
    weights = np.stack([of_row[row] * of_column[column] for row, column in corners])
    by_column = np.stack([of_row[row] * (2 * column - 1) for row, column in corners]) * column_slope.astype(x.dtype)
    by_row = np.stack([of_column[column] * (2 * row - 1) for row, column in corners]) * row_slope.astype(x.dtype)
    return Places(*at, _inside(*at, height, width), weights, (by_column, by_row))


def _inside(rows: Any, columns: Any, height: int, width: int) -> Any:
    return (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)


def _index(x: Array, places: Places) -> tuple[Any, Any, Any]:
    """Images, rows and columns, all inside."""
    images = np.arange(x.shape[0])[:, None, None]
    return images, np.clip(places.rows, 0, x.shape[2] - 1), np.clip(places.columns, 0, x.shape[3] - 1)


def _looked_at(x: Array, places: Places) -> Array:
    """The values of the pixels that are looked at: (T, N, H', W', C)."""
    return np.where(places.inside[..., None], np.moveaxis(x, 1, -1)[_index(x, places)], 0.0)


def _vjp(
    dy: Array,
    x: Array,
    grid: Array,
    *,
    interpolation: str = "bilinear",
    padding: str = "zeros",
    align_corners: bool = False,
) -> Gradients:
    """To each pixel the cotangents by the weights with which it was looked at, to the grid by how these change."""
    places = _places(x, grid, interpolation, padding, align_corners)
    cotangents = np.moveaxis(dy, 1, -1)
    images, channels, height, width = x.shape
    image, row, column = _index(x, places)
    # Along one axis NumPy adds several times faster than at arrays of indices.
    pixels = ((image * height + row) * width + column)[..., None] * channels + np.arange(channels)
    shares = np.where(places.inside[..., None], cotangents * places.weights[..., None], 0.0)
    flat = np.zeros_like(x, shape=(x.size,))
    np.add.at(flat, pixels.reshape(-1), shares.reshape(-1))
    dx = flat.reshape(images, height, width, channels)
    dgrid = np.zeros_like(grid)
    if places.slopes is not None:
        values = _looked_at(x, places)
        dgrid = np.stack([np.einsum("tnijc,tnij,nijc->nij", values, slope, cotangents) for slope in places.slopes], axis=-1)
    return {"x": np.moveaxis(dx, -1, 1), "grid": dgrid}


def _drawn_grid(stream: Stream, shape: tuple[int, ...], size: Pair, align_corners: bool, beyond: int) -> Array:
    """A grid whose places are away from the centres and the edges of pixels, up to so many pixels beyond the image."""
    found = []
    for axis, length in (("columns", size[1]), ("rows", size[0])):
        whole = stream(axis).integers(shape, -beyond, length + beyond).astype(np.float64)
        share = stream(axis)("share").uniform(shape, 0.15, 0.35)
        share = np.where(stream(axis)("side").uniform(shape) < 0.5, share, 1.0 - share)
        place = whole + share
        found.append(2 * place / max(length - 1, 1) - 1 if align_corners else (2 * place + 1) / length - 1)
    return np.stack(found, axis=-1)


def _grid_samples(stream: Stream) -> Iterator[Sample]:
    """Both interpolations and all paddings of both conventions, with places inside, at the edge and far beyond."""

    def drawn(name: str, *shape: int, size: Pair = (4, 5), corners: bool = False, beyond: int = 2) -> dict[str, Array]:
        shape = shape or (2, 3, 7, 6)
        grid = _drawn_grid(stream(name), (shape[0], *size), (shape[2], shape[3]), corners, beyond)
        return {"x": stream(name)("x").normal(shape), "grid": grid}

    def sample(
        name: str, *shape: int, size: Pair = (4, 5), beyond: int = 2, memory: str = "contiguous", **keywords: Any
    ) -> Sample:
        corners = keywords.get("align_corners", False)
        inputs = drawn(name, *shape, size=size, corners=corners, beyond=beyond)
        return Sample(name=name, inputs=inputs, keywords=keywords, memory=memory, dtypes=DOUBLE)

    yield sample("plain", beyond=0)
    yield sample("size_large", 2, 8, 24, 20, size=(17, 33))
    yield sample("size_many_channels", 2, 33, 5, 6)
    yield sample("unit_batch_and_channel", 1, 1, 7, 6)
    yield sample("unit_result", size=(1, 1))
    yield sample("unit_row", 2, 3, 1, 6, beyond=1)
    yield sample("unit_column", 2, 3, 7, 1, beyond=1)
    yield sample("empty_batch", 0, 3, 7, 6)
    for memory in ("transposed", "sliced"):
        yield sample(f"strided_{memory}", memory=memory)
    for word, size in (("higher", (9, 2)), ("wider", (2, 11))):
        yield sample(f"geometry_{word}", size=size)
    yield sample("geometry_far_beyond", beyond=12)
    for interpolation in INTERPOLATIONS:
        for padding in PADDINGS:
            for corners in (False, True):
                name = f"convention_{interpolation}_{padding}{'_align_corners' if corners else ''}"
                yield sample(name, beyond=4, interpolation=interpolation, padding=padding, align_corners=corners)
    yield sample("convention_reflection_often", beyond=17, padding="reflection")
    yield sample("convention_reflection_often_align_corners", beyond=17, padding="reflection", align_corners=True)
    for word, values in (("nan", (np.nan, np.nan)), ("infinity", (np.inf, -np.inf))):
        for interpolation in INTERPOLATIONS:
            name = f"{word}_inside_{interpolation}"
            inputs = drawn(name, beyond=0)
            inputs["x"][0, 1, 3, 2], inputs["x"][1, 2, 4, 3] = values
            chosen = {"interpolation": interpolation}
            nearest = interpolation == "nearest"
            yield Sample(name=name, inputs=inputs, keywords=chosen, gradient=nearest, dtypes=DOUBLE)
    for word, scale in (("1e10", 1e10), ("1e_minus_10", 1e-10)):
        name = f"magnitude_{word}"
        inputs = drawn(name)
        yield Sample(name=name, inputs={**inputs, "x": scale * inputs["x"]}, dtypes=DOUBLE)


IMAGES = {"S": (2, 4, 16, 16), "M": (8, 16, 32, 32), "L": (16, 32, 64, 64)}


def _grid_workload(stream: Stream, size: str) -> Sample:
    """As many pixels as there are, in other places."""
    shape = IMAGES[size]
    grid = _drawn_grid(stream, (shape[0], *shape[2:]), (shape[2], shape[3]), False, 1)
    return Sample(name=size, inputs={"x": ordinary(stream("x"), shape), "grid": grid})


def _grid_work(
    x: Array, grid: Array, *, interpolation: str = "bilinear", padding: str = "zeros", align_corners: bool = False
) -> Work:
    """For each place its pixel and, between pixels, two shares, two that are left and four weights; for each channel four
    products and three sums.

    Back, for each channel the product with each weight and its sum, and for each coordinate a product and a sum for each of
    four pixels; of the nearest pixel the sums alone.
    """
    places, channels = count(grid) // 2, x.shape[1]
    if interpolation == "nearest":
        return Work(flops=8 * places, backward_flops=places * channels)
    return Work(flops=places * (16 + 7 * channels), backward_flops=places * (8 * channels + 16 * channels + 8))


def _sampling(function: Callable[..., Array], **others: Any) -> Operation:
    return Operation(function=function, family="resampling", profile=EXTENDED, **others)


OPERATIONS = (
    _sampling(
        affine_grid,
        vjp=_affine_vjp,
        samples=_affine_samples,
        differentiable=("theta",),
        conventions={"align_corners": (False, True)},
        workload=_affine_workload,
        work=_affine_work,
    ),
    _sampling(
        grid_sample,
        vjp=_vjp,
        samples=_grid_samples,
        differentiable=("x", "grid"),
        axes={"x": "n c h w", "y": "n c h w"},
        conventions={"align_corners": (False, True), "padding": PADDINGS, "interpolation": INTERPOLATIONS},
        workload=_grid_workload,
        work=_grid_work,
    ),
)
