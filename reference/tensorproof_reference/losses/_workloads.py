"""What losses are timed on by size, and the work of reducing them. Counting is as in ``operations._workloads``."""

from tensorproof_reference.operation import Sample, Work
from tensorproof_reference.operations._workloads import PLANES
from tensorproof_reference.stream import Stream

CLASSES = {"S": (4, 1000), "M": (256, 1000), "L": (4096, 1000)}
"""The batch and the classes that losses of distributions are timed on."""


def reduction_work(losses: int, reduction: str) -> Work:
    """The sum of so many losses, and a quotient for the mean; back, the quotient of the cotangent."""
    sums = {"mean": losses, "sum": losses - 1, "none": 0}[reduction]
    return Work(flops=sums, backward_flops=int(reduction == "mean"))


def clipping_work(numbers: int, clipping: str) -> Work:
    """Two comparisons for each probability; back, the cotangent times 0 or 1."""
    return Work(flops=2 * numbers, backward_flops=numbers) if clipping == "probability" else Work(flops=0)


def normalizing_work(numbers: int, rows: int, normalize: bool) -> Work:
    """The sum over the classes, and a quotient; back, a product, its sum, a difference and a quotient."""
    if not normalize:
        return Work(flops=0)
    return Work(flops=2 * numbers - rows, backward_flops=4 * numbers - rows)


def penalty_workload(stream: Stream, size: str) -> Sample:
    """A matrix of weights within ±0.12, at least 1/64 away from zero, where an absolute value has a kink."""
    rows, columns = PLANES[size]
    sizes = stream("sizes").uniform((rows, columns), 0.015625, 0.125)
    signs = 2.0 * stream("signs").integers((rows, columns), 0, 2) - 1.0
    return Sample(name=size, inputs={"w": sizes * signs})
