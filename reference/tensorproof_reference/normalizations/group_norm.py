"""Group normalization: see ``group_norm``."""

from collections.abc import Iterator
from typing import Any

from tensorproof_reference.arguments import require
from tensorproof_reference.normalizations._grouped_norm import (
    AXES,
    affine,
    arguments,
    check,
    grouped_samples,
    grouped_work,
    grouped_workload,
    normalize,
    one_number_samples,
    pull_back,
)
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def group_norm(
    x: Array, scale: Array | None = None, offset: Array | None = None, *, groups: int = 1, epsilon: float = 1e-5
) -> Array:
    r"""Each group of channels of each example brought to mean 0 and variance 1, then each channel scaled and shifted:
    :math:`y = \gamma_c (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta_c`.

    Channels lie in ``groups`` groups of neighbours. :math:`\mu` is the mean over a group's channels and all positions, m values,
    and :math:`\sigma^2 = \frac{1}{m} \sum (x - \mu)^2`, in two passes.

    Shapes: ``x`` and the result (N, C, …); ``scale`` and ``offset`` (C), and may be ``None``: 1 and 0.
    Special values: NaN makes its whole group NaN, as does ±∞. Over one value the result is the offset.
    Raises: ``ValueError`` if the groups do not divide the channels, an example is empty, shapes do not fit, or ``epsilon`` is
    negative.
    Source: Wu & He (2018), eq. 1, 2 and 7.
    """
    check(x, scale, offset, epsilon)
    require(groups > 0 and x.shape[1] % groups == 0, "groups", f"a divisor of the {x.shape[1]} channels", groups)
    return affine(normalize(x, groups, epsilon)[0], scale, offset)


def vjp(
    dy: Array, x: Array, scale: Array | None = None, offset: Array | None = None, *, groups: int = 1, epsilon: float = 1e-5
) -> Gradients:
    r"""With :math:`\hat x` the normalized input, :math:`g = \gamma\, dy` and means over a group:
    :math:`dx = (g - \overline{g} - \hat x\, \overline{g \hat x}) / \sqrt{\sigma^2 + \epsilon}`;
    :math:`d\gamma = \sum dy\, \hat x` and :math:`d\beta = \sum dy` over examples and positions."""
    return pull_back(dy, x, scale, offset, groups, epsilon)


def samples(stream: Stream) -> Iterator[Sample]:
    """Two groups throughout; one, all and three; no positions; groups of one number."""
    yield from grouped_samples(stream, {"groups": 2})
    for groups, channels in ((1, 6), (8, 8), (3, 9)):
        name = f"plain_groups_{groups}_of_{channels}"
        yield Sample(name=name, inputs=arguments(stream(name), 2, channels, 2, 3), keywords={"groups": groups})
    keywords: dict[str, Any] = {"groups": 2}
    yield Sample(name="rank_two", inputs=arguments(stream("rank_two"), 5, 6), keywords=keywords)
    yield Sample(name="unit_position", inputs=arguments(stream("unit_position"), 3, 12, 1, 1), keywords=keywords)
    yield from one_number_samples((5, 1), {})


def workload(stream: Stream, size: str) -> Sample:
    """Images with scale and offset, in four groups."""
    sample = grouped_workload(stream, size)
    return Sample(name=size, inputs=sample.inputs, keywords={"groups": 4})


def work(x: Array, scale: Array | None = None, offset: Array | None = None, *, groups: int = 1, epsilon: float = 1e-5) -> Work:
    """As in ``layer_norm``, with a mean and a root for each group."""
    return grouped_work(x, scale, offset, groups)


OPERATION = Operation(
    function=group_norm,
    vjp=vjp,
    samples=samples,
    family="normalization",
    profile=EXTENDED,
    differentiable=("x", "scale", "offset"),
    axes=AXES,
    workload=workload,
    work=work,
)
