"""Clipping by value: see ``clip_by_value``."""

from collections.abc import Iterator, Sequence

import numpy as np

from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.optimizers._clipping import clipping_samples
from tensorproof_reference.optimizers._steps import require_not_negative
from tensorproof_reference.optimizers._workloads import clipping_workload, numbers_in
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def clip_by_value(gradients: Sequence[Array], *, limit: float) -> list[Array]:
    r"""Each number of each gradient brought into :math:`[-c, c]`, where c is ``limit``: :math:`\min(\max(g, -c), c)`.

    Shapes: ``gradients`` is a list of arrays of any shape, and so is the result; the arguments stay as they are.
    Special values: NaN stays NaN; ±∞ becomes ±c.
    Raises: ``ValueError`` if ``limit`` is negative.
    Source: Goodfellow, Bengio & Courville (2016), §10.11.1.
    """
    require_not_negative(limit=limit)
    return [np.minimum(np.maximum(gradient, -limit), limit) for gradient in gradients]


def samples(stream: Stream) -> Iterator[Sample]:
    """Values beyond, within and at the limits."""
    bounds = {
        "ties_at_the_limit": [[1.5, -1.5, 1.0], [-1.5]],
        "bounds_beside_the_limit": [[1.4921875, -1.4921875, 1.5078125], [-1.5078125]],
    }
    variants = {"bounds_large_limit": {"limit": 64.0}, "bounds_small_limit": {"limit": 0.0625}}
    yield from clipping_samples(stream, limit=1.5, bounds=bounds, variants=variants, infinite=True)


def workload(stream: Stream, size: str) -> Sample:
    """Gradients of which some are beyond the limit."""
    return clipping_workload(stream, size)


def work(gradients: Sequence[Array], *, limit: float) -> Work:
    """Two comparisons."""
    return Work(flops=2 * numbers_in(gradients))


OPERATION = Operation(
    function=clip_by_value,
    vjp=None,
    samples=samples,
    family="clipping",
    differentiable=(),
    outputs=("gradients",),
    cotangents=(),
    workload=workload,
    work=work,
    version=2,
)
