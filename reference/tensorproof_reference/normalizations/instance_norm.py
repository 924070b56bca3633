"""Instance normalization: see ``instance_norm``."""

from collections.abc import Iterator

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


def instance_norm(x: Array, scale: Array | None = None, offset: Array | None = None, *, epsilon: float = 1e-5) -> Array:
    r"""Each channel of each example brought to mean 0 and variance 1 over its positions, then scaled and shifted:
    :math:`y = \gamma_c (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta_c`.

    :math:`\mu` is the mean over the positions, m values, and :math:`\sigma^2 = \frac{1}{m} \sum (x - \mu)^2`, in two passes.
    It is ``group_norm`` with a group for each channel.

    Shapes: ``x`` and the result (N, C, …) with at least one axis of positions; ``scale`` and ``offset`` (C), and may be ``None``:
    1 and 0.
    Special values: NaN makes its whole channel NaN, as does ±∞. Over one value the result is the offset.
    Raises: ``ValueError`` if there are no positions, shapes do not fit, or ``epsilon`` is negative.
    Source: Ulyanov, Vedaldi & Lempitsky (2016), eq. 3.
    """
    check(x, scale, offset, epsilon)
    require(x.ndim >= 3, "x", "at least 3 axes", f"shape {x.shape}")
    return affine(normalize(x, x.shape[1], epsilon)[0], scale, offset)


def vjp(dy: Array, x: Array, scale: Array | None = None, offset: Array | None = None, *, epsilon: float = 1e-5) -> Gradients:
    r"""That of ``group_norm``, with means over the positions of a channel."""
    return pull_back(dy, x, scale, offset, x.shape[1], epsilon)


def samples(stream: Stream) -> Iterator[Sample]:
    """Those of normalizations over positions; one channel; channels of one number."""
    yield from grouped_samples(stream, {})
    yield Sample(name="unit_channel", inputs=arguments(stream("unit_channel"), 3, 1, 5, 7))
    yield from one_number_samples((5, 1, 1), {})


def workload(stream: Stream, size: str) -> Sample:
    """Images with scale and offset."""
    return grouped_workload(stream, size)


def work(x: Array, scale: Array | None = None, offset: Array | None = None, *, epsilon: float = 1e-5) -> Work:
    """As in ``layer_norm``, with a mean and a root for each channel."""
    return grouped_work(x, scale, offset, x.shape[1])


OPERATION = Operation(
    function=instance_norm,
    vjp=vjp,
    samples=samples,
    family="normalization",
    profile=EXTENDED,
    differentiable=("x", "scale", "offset"),
    axes=AXES,
    workload=workload,
    work=work,
)
