"""Rescaling: see ``rescale``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.operation import Operation, Sample, asarray
from tensorproof_reference.sample_kinds import with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def rescale(x: Array, *, scale: float = 1 / 255, offset: float = 0.0) -> Array:
    r"""Pixel values brought to another range: :math:`y = s\,x + o`; by default from [0, 255] to [0, 1].

    Shapes: ``x`` and the result are any shape.
    Special values: NaN and ±∞ follow IEEE arithmetic.
    Raises: nothing.
    Source: LeCun, Bottou, Orr & Müller (1998), §4.3; the texts, 000 §4.1.1 and 004 §4.2.
    """
    return x * scale + offset


def vjp(dy: Array, x: Array, *, scale: float = 1 / 255, offset: float = 0.0) -> Gradients:
    r""":math:`dx = s\,dy`."""
    return {"x": dy * scale}


def samples(stream: Stream) -> Iterator[Sample]:
    """Images of whole values from 0 to 255, other ranges, and what is not finite."""

    def pixels(name: str, *shape: int) -> dict[str, Array]:
        return {"x": stream(name).integers(shape, 0, 256).astype(np.float64)}

    yield Sample(name="plain_to_one", inputs=pixels("plain_to_one", 2, 5, 6, 3))
    yield Sample(name="size_large", inputs=pixels("size_large", 2, 32, 32, 3))
    yield Sample(name="unit_axes", inputs=pixels("unit_axes", 1, 1, 1, 1))
    one = Sample(name="unit_axes", inputs=pixels("unit_axes_with", 1, 1, 1, 1))
    yield from with_each(one, [{"scale": 0.25}, {"offset": 0.5}, {"scale": 0.25, "offset": 0.5}])
    zero = {"y": np.full((2, 5, 6, 3), 0.5)}
    halves = {"scale": 0.0, "offset": 0.5}
    yield Sample(name="bounds_scale_zero", inputs=pixels("bounds_scale_zero", 2, 5, 6, 3), keywords=halves, expected=zero)
    yield Sample(name="rank_zero", inputs=pixels("rank_zero"))
    yield Sample(name="rank_two", inputs=pixels("rank_two", 3, 7))
    yield Sample(name="empty_batch", inputs=pixels("empty_batch", 0, 5, 6, 3))
    yield Sample(name="strided_transposed", inputs=pixels("strided_transposed", 2, 5, 6, 3), memory="transposed")
    yield Sample(name="strided_sliced", inputs=pixels("strided_sliced", 2, 5, 6, 3), memory="sliced")
    yield Sample(name="geometry_one_channel", inputs=pixels("geometry_one_channel", 2, 5, 6, 1))
    balanced = {"scale": 1 / 127.5, "offset": -1.0}
    yield Sample(name="convention_minus_one_to_one", inputs=pixels("convention_minus_one_to_one", 2, 5, 6, 3), keywords=balanced)
    yield Sample(name="optional_scale", inputs=pixels("optional_scale", 2, 5, 6, 3), keywords={"scale": 0.25})
    yield Sample(name="optional_offset", inputs=pixels("optional_offset", 2, 5, 6, 3), keywords={"offset": 0.5})
    ends = asarray([[0.0, 255.0, 1.0, 254.0]])
    yield Sample(name="bounds_ends", inputs={"x": ends}, keywords={"scale": 0.5}, expected={"y": ends / 2})
    lanes = stream("nan_each_lane").normal((9, 9))
    np.fill_diagonal(lanes, np.nan)
    yield Sample(name="nan_each_lane", inputs={"x": lanes}, keywords={"scale": 0.5}, expected={"y": lanes / 2})
    infinite = asarray([[np.inf, -np.inf, 1.0]])
    expected = {"y": asarray([[np.inf, -np.inf, 3.0]])}
    yield Sample(name="infinity", inputs={"x": infinite}, keywords={"scale": 2.0, "offset": 1.0}, expected=expected)


OPERATION = Operation(
    function=rescale,
    vjp=vjp,
    samples=samples,
    family="image",
    axes={"x": "...", "y": "..."},
    documents=("000 §4.1.1", "004 §4.2"),
)
