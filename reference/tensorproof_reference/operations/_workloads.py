"""What operations are timed on by size, and the counts that their work is made of.

Counting follows ``Work``: signs and absolute values, copies and choices between two numbers are no operations, a product
that is added to a sum is two, and a sum or maximum of n numbers is n - 1.
"""

import math
from typing import Any

import numpy as np

from tensorproof_reference.operation import Sample, Work
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

PLANES = {"S": (4, 512), "M": (512, 512), "L": (2048, 2048)}
"""The rows and columns that functions of one number, or along one axis, are timed on."""

IMAGES = {"S": (2, 8, 12, 12), "M": (8, 32, 32, 32), "L": (32, 64, 32, 32)}
"""Images or what a convolution makes of them: (N, C, H, W)."""


def count(array: Any) -> int:
    """How many numbers there are in anything that has a shape; ``None`` has none."""
    return 0 if array is None else math.prod(array.shape)


def shaped(array: Any) -> Array:
    """An array of that shape that takes no memory, for functions that want more of an array than its shape."""
    return np.broadcast_to(0.0, array.shape)


def ordinary(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Both signs, within ±3.1, at least 1/16 away from zero and so from the kinks of relu and its kin."""
    x = stream.uniform(shape, -3.0, 3.0)
    return np.where(x < 0, x - 0.0625, x + 0.0625)


def weights(stream: Stream, shape: tuple[int, ...], fan_in: int) -> Array:
    """Uniform within 1/√(fan in), so that what comes out is of the order of one."""
    bound = fan_in**-0.5
    return stream.uniform(shape, -bound, bound)


def plane_workload(stream: Stream, size: str) -> Sample:
    """Ordinary numbers in a plane."""
    return Sample(name=size, inputs={"x": ordinary(stream("x"), PLANES[size])})


def image_workload(stream: Stream, size: str) -> Sample:
    """Ordinary numbers in images."""
    return Sample(name=size, inputs={"x": ordinary(stream("x"), IMAGES[size])})


def each(numbers: int, flops: int, transcendentals: int = 0, backward: int = 0, backward_transcendentals: int = 0) -> Work:
    """So much work for each of so many numbers."""
    return Work(
        flops=numbers * flops,
        transcendentals=numbers * transcendentals,
        backward_flops=numbers * backward,
        backward_transcendentals=numbers * backward_transcendentals,
    )


def products(multiplications: int) -> Work:
    """That of sums of so many products of two factors: each factor's gradient is as many products again."""
    return Work(flops=2 * multiplications, backward_flops=4 * multiplications)


def added_bias(outputs: int, bias: Any) -> Work:
    """That of a bias, or ``None``, added to outputs; its gradient is a sum over those that it was added to."""
    return Work(flops=0) if bias is None else Work(flops=outputs, backward_flops=outputs - count(bias))
