"""Dropout of whole channels: see ``channel_dropout``."""

from collections.abc import Iterator

from tensorproof_reference.arguments import require
from tensorproof_reference.operation import EXTENDED, Operation, Sample
from tensorproof_reference.operations._masks import mask_samples, masked
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def channel_dropout(x: Array, *, rate: float = 0.5, training: bool = True, seed: int = 0) -> Array:
    r"""Each channel of each example zeroed as a whole with probability ``rate``, the survivors scaled to keep the mean:
    :math:`y_{nc\ldots} = m_{nc} x_{nc\ldots} / (1 - p)` with :math:`m_{nc} = 0` with probability p and 1 otherwise, drawn for
    each channel of each example on its own.

    Frameworks call it spatial dropout or dropout of features (``torch.nn.Dropout2d``, ``keras.layers.SpatialDropout2D``).
    At inference (``training=False``) and at rate 0 the result is ``x``. At rate 1 it is zero everywhere. The same seed draws
    the same mask. As with ``dropout``, in training at a rate between 0 and 1 the result is judged as a distribution, by samples
    of class ``statistics``.

    Shapes: ``x`` and the result (N, C, …) with at least one axis of positions.
    Special values: where the result is ``x``, NaN, ±∞ and the sign of zero stay.
    Raises: ``ValueError`` if there are no positions, ``rate`` is outside [0, 1] or ``seed`` is negative.
    Source: Tompson et al. (2015), §3.2 (SpatialDropout).
    """
    require(x.ndim >= 3, "x", "at least 3 axes", f"shape {x.shape}")
    shape = (*x.shape[:2], *(1 for _ in x.shape[2:]))
    return masked(x, shape, "channel_dropout", rate=rate, training=training, seed=seed)


def vjp(dy: Array, x: Array, *, rate: float = 0.5, training: bool = True, seed: int = 0) -> Gradients:
    r""":math:`dx = m\, dy / (1 - p)`: dropout of the cotangent, with the mask that ``x`` had."""
    return {"x": channel_dropout(dy, rate=rate, training=training, seed=seed)}


def samples(stream: Stream) -> Iterator[Sample]:
    """Positions on one, two and three axes."""
    inference = {
        "size_large": (4, 16, 9, 9),
        "rank_four": (2, 3, 4, 5),
        "rank_five": (2, 3, 2, 3, 4),
        "unit_axes": (1, 1, 1),
    }
    statistics = {
        "statistics_rate_03": (0.3, (200, 200, 2)),
        "statistics_rate_08": (0.8, (200, 200, 1, 2)),
        "statistics_three_axes": (0.5, (200, 200, 1, 2, 1)),
    }
    yield from mask_samples(stream, plain=(3, 5, 7), inference=inference, positions=(2,), statistics=statistics)


OPERATION = Operation(
    function=channel_dropout,
    vjp=vjp,
    samples=samples,
    family="random",
    profile=EXTENDED,
    random=True,
    axes={"x": "n c ...", "y": "n c ..."},
)
