"""Clipping by the norm of all gradients together: see ``clip_by_global_norm``."""

from collections.abc import Iterator, Sequence

import numpy as np

from tensorproof_reference.arguments import require_choice
from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.optimizers._clipping import EPSILONS, clipping_samples
from tensorproof_reference.optimizers._steps import require_not_negative
from tensorproof_reference.optimizers._workloads import clipping_workload, numbers_in
from tensorproof_reference.optimizers.clip_by_norm import scaled
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def clip_by_global_norm(gradients: Sequence[Array], *, limit: float, epsilon: float = 0.0) -> list[Array]:
    r"""All gradients scaled by one factor, so that their common norm is at most c, the ``limit``:
    :math:`g_i \min(1, c / (n + \epsilon))` with :math:`n = \sqrt{\sum_i \|g_i\|_2^2}`.

    Shapes: ``gradients`` is a list of arrays of any shape, and so is the result; the arguments stay as they are.
    Special values: gradients of zero stay zero, also with a limit of 0; NaN anywhere makes all of them NaN; ±∞ becomes NaN,
    and what is finite beside it 0. The norm counts also where its square is beyond the range of the dtype.
    Raises: ``ValueError`` if ``limit`` is negative or the convention is unknown.
    Source: Pascanu, Mikolov & Bengio (2013), algorithm 1, over all parameters.
    """
    require_not_negative(limit=limit)
    require_choice(epsilon, "epsilon", EPSILONS)
    everything = np.concatenate([gradient.reshape(-1) for gradient in gradients])
    norm = np.sqrt(np.sum(np.square(everything)))
    return [scaled(gradient, norm, limit, epsilon) for gradient in gradients]


def samples(stream: Stream) -> Iterator[Sample]:
    """Norms above, below and at the limit, together."""
    bounds = {
        "ties_exactly_the_limit": [[0.5, 0.5], [0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5]],
        "bounds_one_above_one_below": [[3.0, 4.0, 0.0], [0.5, 0.25]],
        "bounds_sum_above_each_below": [[1.0, 0.5], [0.5, 1.0], [-1.0, 0.5]],
    }
    variants = {"bounds_large_limit": {"limit": 64.0}, "bounds_small_limit": {"limit": 0.0625}}
    variants |= {f"convention_epsilon_{index}": {"epsilon": value, "limit": 2.0**-10} for index, value in enumerate(EPSILONS)}
    yield from clipping_samples(stream, limit=1.5, bounds=bounds, variants=variants, infinite=False)


def workload(stream: Stream, size: str) -> Sample:
    """Gradients of which some are beyond the limit."""
    return clipping_workload(stream, size)


def work(gradients: Sequence[Array], *, limit: float, epsilon: float = 0.0) -> Work:
    """A square and their sum, and a product; once a root, a sum with ε, a quotient and a minimum."""
    return Work(flops=3 * numbers_in(gradients) + 1 + bool(epsilon), transcendentals=1)


OPERATION = Operation(
    function=clip_by_global_norm,
    vjp=None,
    samples=samples,
    family="clipping",
    differentiable=(),
    outputs=("gradients",),
    cotangents=(),
    conventions={"epsilon": EPSILONS},
    workload=workload,
    work=work,
    version=2,
)
