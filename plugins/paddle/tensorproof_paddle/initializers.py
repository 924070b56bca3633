"""Initialisers of ``paddle.nn.initializer``, and random draws for augmentation and shuffling."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import paddle
from paddle.nn import initializer

from tensorproof.backend import Native
from tensorproof_paddle.table import Given, composed, native, require_eager


def _fan_in(of: Given) -> int | None:
    """Of a matrix (outputs, inputs): Paddle takes its first axis for the inputs, and of kernels the second."""
    return of.like.shape[1] if of.like.ndim == 2 else None


def _truncated(of: Given) -> Any:
    """Its bounds are values, not deviations."""
    return initializer.TruncatedNormal(of.mean, of.deviation, of.mean - 2.0 * of.deviation, of.mean + 2.0 * of.deviation)


Initializer = Callable[[Given], Any]
NORMAL = {"distribution": "normal"}
INITIALIZERS: Mapping[str, tuple[Initializer, Mapping[str, Any]]] = {
    "uniform": (lambda of: initializer.Uniform(of.low, of.high), {}),
    "normal": (lambda of: initializer.Normal(of.mean, of.deviation), {}),
    "truncated_normal": (_truncated, {}),
    "glorot_uniform": (lambda of: initializer.XavierUniform(gain=of.gain), {}),
    "glorot_normal": (lambda of: initializer.XavierNormal(gain=of.gain), NORMAL),
    "he_uniform": (lambda of: initializer.KaimingUniform(_fan_in(of), of.negative_slope, "leaky_relu"), {}),
    "he_normal": (lambda of: initializer.KaimingNormal(_fan_in(of), of.negative_slope, "leaky_relu"), NORMAL),
    "lecun_uniform": (lambda of: initializer.KaimingUniform(_fan_in(of), nonlinearity="linear"), {}),
    "lecun_normal": (lambda of: initializer.KaimingNormal(_fan_in(of), nonlinearity="linear"), NORMAL),
    "orthogonal": (lambda of: initializer.Orthogonal(of.gain), {}),
}
"""The initialiser of each operation, and what it does not let choose."""


def _drawn(made: Initializer, of: Given) -> Native:
    """A parameter as the initialiser makes it, after seeding the generator."""
    require_eager("an initialiser")
    paddle.seed(of.seed)
    return paddle.create_parameter(of.like.shape, of.like.dtype, default_initializer=made(of)).detach()


for name, (made, only) in INITIALIZERS.items():
    native(name, functools.partial(_drawn, made), **only)


def _shuffled(of: Given) -> Native:
    """By ``paddle.randperm``."""
    paddle.seed(of.seed)
    return paddle.index_select(of.x, paddle.randperm(of.x.shape[0]))


def _flipped(of: Given) -> Native:
    """By a Bernoulli draw for each image."""
    paddle.seed(of.seed)
    chosen = paddle.bernoulli(paddle.full([of.x.shape[0], 1, 1, 1], of.probability)).astype("bool")
    return paddle.where(chosen, paddle.flip(of.x, 3), of.x)


def _uniform(of: Given, bound: float) -> Native:
    paddle.seed(of.seed)
    return paddle.uniform(of.like.shape, of.like.dtype, -bound, bound)


native("shuffle", _shuffled)
composed("random_flip", _flipped)
composed("random_rotation", lambda of: _uniform(of, of.degrees))
composed("random_shift", lambda of: _uniform(of, of.fraction))
