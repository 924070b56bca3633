"""Gradients of several batches in one step: see ``gradient_accumulation``."""

from collections.abc import Iterator, Mapping
from typing import Any

from tensorproof_reference.arguments import require, require_choice
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.optimizers._samples import also_given, optimizer_samples
from tensorproof_reference.optimizers._schedules import require_count
from tensorproof_reference.optimizers._steps import Arrays, require_step, slot
from tensorproof_reference.optimizers._workloads import numbers_in, optimizer_workload
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

KEPT = ("shares", "sum", "mean")
STATES = {"accumulated": "-"}


def gradient_accumulation(
    parameters: Arrays,
    gradients: list[Arrays],
    accumulated: Arrays | None = None,
    *,
    every: int = 2,
    taken: int = 0,
    learning_rate: float = 0.01,
    kept: str = "shares",
) -> tuple[list[Array], list[Array]]:
    r"""One step of ``gradient_descent`` for every k batches, along the mean of their gradients:
    :math:`\theta \leftarrow \theta - \alpha \frac{1}{k} \sum_{j=1}^{k} g_j` with k batches, ``every``.

    The number of batches goes on from ``taken``. After each k-th the parameters move, and what is accumulated is zero again; else
    the parameters stay. ``kept`` says what is remembered between batches, of n since the last step: ``shares``,
    :math:`\sum g_j / k`, where each batch's loss is divided by k; the ``sum`` :math:`\sum g_j`; or the ``mean`` so far,
    :math:`a \leftarrow a + (g_n - a) / n`.

    Shapes: ``parameters`` and ``accumulated`` are lists of arrays of any shape; what is left out is zero. ``gradients`` is a list
    over batches of lists over parameters. The results are the parameters and what is accumulated; the arguments stay as they are.
    Special values: as IEEE arithmetic gives them.
    Raises: ``ValueError`` if lists differ in length, arrays in shape, ``every`` is no positive integer, ``taken`` or
    ``learning_rate`` is negative, or the convention is unknown.
    Source: Goodfellow, Bengio & Courville (2016), §8.1.3 (the gradient of a larger batch); the text of ``optax.MultiSteps``.
    """
    require_count(every=every)
    require(taken >= 0, "taken", "a number that is not negative", taken)
    require(learning_rate >= 0, "learning_rate", "a number that is not negative", learning_rate)
    require_choice(kept, "kept", KEPT)
    moved, sums = list(parameters), slot(parameters, "accumulated", accumulated)
    for count, of_batch in enumerate(gradients, taken + 1):
        require_step(of_batch, moved)
        number = (count - 1) % every + 1
        for index, gradient in enumerate(of_batch):
            before = sums[index]
            if kept == "mean":
                sums[index] = before + (gradient - before) / number
            else:
                sums[index] = before + (gradient / every if kept == "shares" else gradient)
            if number == every:
                mean = sums[index] / every if kept == "sum" else sums[index]
                moved[index] = moved[index] - learning_rate * mean
                sums[index] = 0.0 * parameters[index]
    return moved, sums


def samples(stream: Stream) -> Iterator[Sample]:
    """The samples of optimizers whose parameters all have gradients; other numbers of batches, in the middle of them too."""
    variants: dict[str, Mapping[str, Any]] = {
        "optional_every_three": {"every": 3},
        "optional_every_four_given": {"every": 4, "taken": 6},
        "optional_every_third_given": {"every": 3, "taken": 5},
        "bounds_every_batch": {"every": 1},
        "bounds_more_than_there_are": {"every": 8},
        **also_given({f"convention_kept_{kept}": {"kept": kept, "every": 3} for kept in KEPT}),
    }
    for sample in optimizer_samples(stream, variants=variants, states=STATES, counted=True, epsilon=False):
        absent = any(gradient is None for of_batch in sample.inputs["gradients"] for gradient in of_batch)
        if not absent and "group" not in sample.name:
            yield sample


def workload(stream: Stream, size: str) -> Sample:
    """The last batch of two: a step."""
    return optimizer_workload(stream, size, states=STATES, counted=True)


def work(
    parameters: Arrays,
    gradients: list[Arrays],
    accumulated: Arrays | None = None,
    *,
    every: int = 2,
    taken: int = 0,
    learning_rate: float = 0.01,
    kept: str = "shares",
) -> Work:
    """A sum and a quotient for each number in each batch, a difference more for a mean; a product and a difference in a step."""
    steps = (taken + len(gradients)) // every - taken // every
    of_number = (3 if kept == "mean" else 2) * len(gradients) + 2 * steps
    return Work(flops=of_number * numbers_in(parameters))


OPERATION = Operation(
    function=gradient_accumulation,
    vjp=None,
    samples=samples,
    family="accumulation",
    differentiable=(),
    outputs=("parameters", *STATES),
    cotangents=(),
    conventions={"kept": KEPT},
    profile=EXTENDED,
    workload=workload,
    work=work,
)
