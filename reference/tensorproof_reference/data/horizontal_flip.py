"""Mirror images: see ``horizontal_flip``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require_rank
from tensorproof_reference.operation import Operation, Sample, asarray
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def horizontal_flip(x: Array) -> Array:
    r"""Images with left and right exchanged: :math:`y_{ij} = x_{i, W - 1 - j}`.

    Shapes: ``x`` and the result (N, C, H, W).
    Special values: elements are copied bit by bit.
    Raises: ``ValueError`` if ``x`` has not four axes.
    Source: Krizhevsky, Sutskever & Hinton (2012), §4.1; the texts, 000 §4.1.1.
    """
    require_rank(x, "x", 4)
    return np.flip(x, axis=3)


def vjp(dy: Array, x: Array) -> Gradients:
    """The flip is its own adjoint."""
    return {"x": horizontal_flip(dy)}


def samples(stream: Stream) -> Iterator[Sample]:
    """Sizes odd, even and 1, and what is copied bit by bit."""

    def images(name: str, *shape: int) -> dict[str, Array]:
        return {"x": stream(name).normal(shape)}

    yield Sample(name="plain_images", inputs=images("plain_images", 2, 3, 5, 6))
    yield Sample(name="size_large", inputs=images("size_large", 2, 3, 32, 32))
    yield Sample(name="unit_column", inputs=images("unit_column", 2, 3, 5, 1))
    yield Sample(name="unit_axes", inputs=images("unit_axes", 1, 1, 1, 6))
    yield Sample(name="empty_batch", inputs=images("empty_batch", 0, 3, 5, 6))
    yield Sample(name="strided_transposed", inputs=images("strided_transposed", 2, 3, 5, 6), memory="transposed")
    yield Sample(name="strided_sliced", inputs=images("strided_sliced", 2, 3, 5, 6), memory="sliced")
    yield Sample(name="geometry_square", inputs=images("geometry_square", 2, 3, 6, 6))
    yield Sample(name="geometry_odd_width", inputs=images("geometry_odd_width", 3, 3, 3, 7))
    row = asarray([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]])
    turned = asarray([[[[3.0, 2.0, 1.0], [6.0, 5.0, 4.0]]]])
    yield Sample(name="convention_left_and_right", inputs={"x": row}, expected={"y": turned})
    lanes = images("nan_each_lane", 2, 3, 6, 6)
    lanes["x"][:, :, range(6), range(6)] = np.nan
    yield Sample(name="nan_each_lane", inputs=lanes)
    infinite = asarray([np.inf, -np.inf, 1.0]).reshape(1, 1, 1, 3)
    yield Sample(name="infinity", inputs={"x": infinite}, expected={"y": infinite[..., ::-1]})
    signed = asarray([0.0, -0.0, 1.0]).reshape(1, 1, 1, 3)
    yield Sample(name="zero_signs", inputs={"x": signed}, expected={"y": signed[..., ::-1]}, sign_of_zero=True)


OPERATION = Operation(
    function=horizontal_flip,
    vjp=vjp,
    samples=samples,
    family="image",
    axes={"x": "n c h w", "y": "n c h w"},
    documents=("000 §4.1.1",),
)
