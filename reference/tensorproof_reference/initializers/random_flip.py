"""Random horizontal flips: see ``random_flip``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require, require_rank
from tensorproof_reference.initializers._draws import require_seed
from tensorproof_reference.operation import Operation, Sample
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def random_flip(x: Array, *, probability: float = 0.5, seed: int = 0) -> Array:
    """Each image as it is, or mirrored left to right with this probability, drawn for each image on its own.

    Pixels are copied bit by bit. The same seed flips the same images; the draw itself is free, and judged as a distribution.

    Shapes: ``x`` and the result are images (N, C, H, W).
    Special values: none.
    Raises: ``ValueError`` if ``x`` has not four axes, ``probability`` is outside [0, 1] or ``seed`` is negative.
    Source: Krizhevsky et al. (2012), §4.1; the texts, 000 §4.1.1.
    """
    require_rank(x, "x", 4)
    require(0 <= probability <= 1, "probability", "a probability", probability)
    require_seed(seed)
    flipped = Stream(seed)("random_flip").uniform((x.shape[0], 1, 1, 1)) < probability
    return np.where(flipped, np.flip(x, axis=3), x)


def samples(stream: Stream) -> Iterator[Sample]:
    """Images in which each column has values of its own, so that the two sides are told apart."""

    def images(name: str, *shape: int) -> dict[str, Array]:
        return {"x": stream(name).uniform(shape, 0.0, 0.5) + np.arange(shape[-1])}

    many = images("statistics_many", 100_000, 1, 1, 3)
    yield Sample(name="statistics_many", inputs=many, keywords={"seed": 1}, gradient=False)
    channels = images("statistics_channels", 10_001, 2, 2, 4)
    yield Sample(name="statistics_channels", inputs=channels, keywords={"seed": 2}, gradient=False)
    yield Sample(
        name="statistics_one_in_four", inputs=channels, keywords={"seed": 3, "probability": 0.25}, required=False, gradient=False
    )


OPERATION = Operation(
    function=random_flip,
    vjp=None,
    samples=samples,
    family="initializer",
    differentiable=(),
    cotangents=(),
    axes={"x": "n c h w", "y": "n c h w"},
    random=True,
    documents=("000 §4.1.1",),
)
