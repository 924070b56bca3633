"""L-BFGS: see ``lbfgs``."""

from collections.abc import Iterator, Sequence

import numpy as np

from tensorproof_reference.arguments import require, require_choice
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.optimizers._quasi_newton_samples import quasi_newton_samples, quasi_newton_workload
from tensorproof_reference.optimizers._schedules import require_count
from tensorproof_reference.optimizers._steps import Arrays, require_not_negative, require_step, slot
from tensorproof_reference.optimizers._workloads import numbers_in
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

KEPT = ("positive", "all")
SCALES = ("curvature", "one")
FIRST_STEPS = ("norm", "sum", "whole")
ZERO_GRADIENTS = ("counts", "stays")
CONVENTIONS = {"kept": KEPT, "scale": SCALES, "first_step": FIRST_STEPS, "zero_gradient": ZERO_GRADIENTS}
LEAST_CURVATURE = 1e-10
"""What the curvature of a pair must exceed to be kept as positive, in PyTorch and the programs that it follows."""

Pair = tuple[Array, Array, Array]
"""The change of the parameters s, that of the gradient y, and their product."""


def lbfgs(
    parameters: Arrays,
    gradients: Sequence[Arrays],
    previous_parameters: Arrays | None = None,
    previous_gradients: Arrays | None = None,
    parameter_changes: Sequence[Arrays] | None = None,
    gradient_changes: Sequence[Arrays] | None = None,
    *,
    memory: int = 10,
    learning_rate: float = 1.0,
    kept: str = "positive",
    scale: str = "curvature",
    first_step: str = "norm",
    zero_gradient: str = "counts",
) -> tuple[list[Array], list[Array], list[Array], list[list[Array]], list[list[Array]]]:
    r"""L-BFGS: steps along :math:`H g`, where H comes near the inverse Hessian by what the last steps have shown of it.

    All parameters together are one vector x, and their gradients one vector g. Before each step but the first, the pair
    :math:`s = x - x', y = g - g'` of changes since the step before goes into a memory of the newest pairs, so many as
    ``memory``. From the oldest pair to the newest, with :math:`\rho = 1 / s^\top y`,

    .. math:: H \leftarrow (I - \rho s y^\top) H (I - \rho y s^\top) + \rho s s^\top,

    which two passes over the pairs apply to g without any matrix. Then :math:`x \leftarrow x - \alpha H g`, with the
    ``learning_rate`` :math:`\alpha` as it is: there is no line search.

    ``scale`` says where H begins: with :math:`\gamma I` and :math:`\gamma = s^\top y / y^\top y` of the newest pair
    that counts (``"curvature"``), or with the identity (``"one"``), as it does without a pair. The first step is g divided by
    :math:`\max(1, \|g\|_2)` (``first_step="norm"``), by :math:`\max(1, \|g\|_1)` (``"sum"``), or g itself (``"whole"``).

    ``kept`` says which pairs go into the memory: those whose curvature :math:`s^\top y` is above 1e-10 (``"positive"``), without
    which H is not positive definite, or all (``"all"``). A pair with a curvature of 0 has no :math:`\rho`: it takes its place
    in the memory, and counts for nothing. ``zero_gradient`` says what a step along a gradient of zero does, which moves
    nothing: it ``"counts"`` as any other step, or all ``"stays"`` as it is, state too.

    Shapes: ``parameters``, ``previous_parameters`` and ``previous_gradients`` are lists of arrays of any shape; the two come
    together, and left out the next step is the first. ``parameter_changes`` and ``gradient_changes`` are lists over pairs, from
    the oldest on, of such lists. ``gradients`` is a list over steps of lists over parameters. The results are the parameters and
    the state; before the first step these are the parameters and zero, without pairs. The arguments stay as they are.
    Special values: a gradient of zero gives a step of zero.
    Raises: ``ValueError`` if lists differ in length, arrays in shape, there are no numbers, more pairs than ``memory``, pairs
    without what was before, ``memory`` is no positive integer, ``learning_rate`` negative or a convention unknown.
    Source: Nocedal (1980); Nocedal & Wright (2006), algorithms 7.4 and 7.5, eqs. 7.16 to 7.20.
    """
    require_count(memory=memory)
    require_not_negative(learning_rate=learning_rate)
    require_choice(kept, "kept", KEPT)
    require_choice(scale, "scale", SCALES)
    require_choice(first_step, "first_step", FIRST_STEPS)
    require_choice(zero_gradient, "zero_gradient", ZERO_GRADIENTS)
    require(numbers_in(parameters) > 0, "parameters", "at least one number", [parameter.shape for parameter in parameters])
    before = _before(parameters, previous_parameters, previous_gradients)
    pairs = _given_pairs(parameters, parameter_changes, gradient_changes)
    require(before is not None or not pairs, "parameter_changes", "none without previous_parameters", len(pairs))
    require(len(pairs) <= memory, "parameter_changes", f"at most {memory} pairs", len(pairs))
    place = _vector(parameters)
    for of_step in gradients:
        require_step(of_step, parameters)
        gradient = _vector(of_step)
        if zero_gradient == "stays" and _is_zero(gradient):
            continue
        if before is not None:
            # Where no step was taken the change is zero, exactly.
            moved = np.zeros_like(place) if place is before[0] else place - before[0]
            pair = _pair(moved, gradient - before[1])
            if kept == "all" or pair[2] > LEAST_CURVATURE:
                pairs = [*pairs, pair][-memory:]
        direction = _direction(gradient, pairs, scale)
        if before is None and first_step != "whole":
            size = np.sqrt(np.sum(np.square(gradient))) if first_step == "norm" else np.sum(np.abs(gradient))
            direction = direction / np.maximum(1.0, size)
        before = place, gradient
        if learning_rate and not _is_zero(direction):
            place = place - learning_rate * direction
    earlier = (place, np.zeros_like(place)) if before is None else before
    vectors = [*earlier, *(s for s, _, _ in pairs), *(y for _, y, _ in pairs)]
    old, old_gradients, *changes = (_arrays(vector, parameters) for vector in vectors)
    return _arrays(place, parameters), old, old_gradients, changes[: len(pairs)], changes[len(pairs) :]


def _before(parameters: Arrays, places: Arrays | None, gradients: Arrays | None) -> tuple[Array, Array] | None:
    """The vectors of parameters and gradients of the step before, if there was one."""
    if places is None or gradients is None:
        require(gradients is None, "previous_gradients", "none without previous_parameters", "some")
        require(places is None, "previous_parameters", "none without previous_gradients", "some")
        return None
    return (
        _vector(slot(parameters, "previous_parameters", places)),
        _vector(slot(parameters, "previous_gradients", gradients)),
    )


def _given_pairs(parameters: Arrays, steps: Sequence[Arrays] | None, changes: Sequence[Arrays] | None) -> list[Pair]:
    """The pairs of the memory."""
    steps, changes = steps or (), changes or ()
    require(len(steps) == len(changes), "gradient_changes", f"{len(steps)}, one per pair", len(changes))
    return [
        _pair(_vector(slot(parameters, "parameter_changes", s)), _vector(slot(parameters, "gradient_changes", y)))
        for s, y in zip(steps, changes, strict=True)
    ]


def _pair(s: Array, y: Array) -> Pair:
    return s, y, np.sum(s * y)


def _direction(gradient: Array, pairs: Sequence[Pair], scale: str) -> Array:
    """The product of H and the gradient, by the recursion of two passes over the pairs."""
    used = [pair for pair in pairs if pair[2] != 0]
    direction, factors = gradient, []
    for s, y, curvature in reversed(used):
        factors.append(np.sum(s * direction) / curvature)
        direction = direction - factors[-1] * y
    if used and scale == "curvature":
        _, y, curvature = used[-1]
        direction = (curvature / np.sum(np.square(y))) * direction
    for (s, y, curvature), factor in zip(used, reversed(factors), strict=True):
        direction = direction + (factor - np.sum(y * direction) / curvature) * s
    return direction


def _is_zero(vector: Array) -> bool:
    return bool(np.max(np.abs(vector)) == 0)


def _vector(arrays: Arrays) -> Array:
    """All numbers of the arrays, one array after the other."""
    return np.concatenate([array.reshape(-1) for array in arrays])


def _arrays(vector: Array, parameters: Arrays) -> list[Array]:
    """Arrays of the parameters' shapes, of the numbers of a vector."""
    ends = np.cumsum([parameter.size for parameter in parameters]).tolist()
    return [vector[end - parameter.size : end].reshape(parameter.shape) for end, parameter in zip(ends, parameters, strict=True)]


def samples(stream: Stream) -> Iterator[Sample]:
    """Gradients that shrink along the steps, or grow, or rest; short and long memories, full and empty; the conventions."""
    yield from quasi_newton_samples(stream, CONVENTIONS)


def workload(stream: Stream, size: str) -> Sample:
    """One step with a full memory."""
    return quasi_newton_workload(stream, size)


def work(
    parameters: Arrays,
    gradients: Sequence[Arrays],
    previous_parameters: Arrays | None = None,
    previous_gradients: Arrays | None = None,
    parameter_changes: Sequence[Arrays] | None = None,
    gradient_changes: Sequence[Arrays] | None = None,
    *,
    memory: int = 10,
    learning_rate: float = 1.0,
    kept: str = "positive",
    scale: str = "curvature",
    first_step: str = "norm",
    zero_gradient: str = "counts",
) -> Work:
    """In each step a product and a difference; for each pair twice a sum of products, and what is added of it; for a new pair two
    differences and two sums of products, and for the scale a product; in the first step a norm and what is divided by it.

    All pairs are taken to be kept. Numbers that there is one of for each pair are left out, beside those of the vectors.
    """
    numbers = numbers_in(parameters)
    first = previous_parameters is None
    pairs, total = len(parameter_changes or ()), 0
    for _ in gradients:
        pairs = min(memory, pairs if first else pairs + 1)
        total += 2 + 8 * pairs + (3 * (first_step != "whole") if first else 6 + (scale == "curvature"))
        first = False
    roots = previous_parameters is None and len(gradients) > 0 and first_step == "norm"
    return Work(flops=total * numbers, transcendentals=int(roots))


OPERATION = Operation(
    function=lbfgs,
    vjp=None,
    samples=samples,
    family="quasi_newton",
    differentiable=(),
    outputs=("parameters", "previous_parameters", "previous_gradients", "parameter_changes", "gradient_changes"),
    cotangents=(),
    conventions=CONVENTIONS,
    profile=EXTENDED,
    workload=workload,
    work=work,
)
