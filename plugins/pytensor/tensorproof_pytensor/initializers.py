"""Initialisers, and random draws for augmentation and shuffling, by ``pytensor.tensor.random``."""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt

from tensorproof.backend import Native
from tensorproof_pytensor.table import Given, composed, native, sizes

CUT = 2.0
CUT_DEVIATION = 0.8796256610342398
"""Of a normal distribution of deviation 1, once it is cut at two deviations."""


def _generator(of: Given) -> Any:
    """A generator with the seed; nothing updates it, so each call draws the same."""
    return pytensor.shared(np.random.default_rng(of.seed))


def _uniform(of: Given, low: float, high: float) -> Native:
    return pt.cast(pt.random.uniform(low, high, size=sizes(of.like), rng=_generator(of)), of.like.dtype)


def _normal(of: Given, mean: float, deviation: float) -> Native:
    return pt.cast(pt.random.normal(mean, deviation, size=sizes(of.like), rng=_generator(of)), of.like.dtype)


def _truncated(of: Given, mean: float, deviation: float) -> Native:
    """By inversion: PyTensor draws no truncated normal numbers."""
    share = math.erf(CUT / math.sqrt(2.0))
    uniform = pt.random.uniform(-share, share, size=sizes(of.like), rng=_generator(of), dtype="float64")
    return pt.cast(mean + deviation * math.sqrt(2.0) * pt.erfinv(uniform), of.like.dtype)


def _fans(of: Given) -> tuple[int, int]:
    outputs, inputs, *kernel = sizes(of.like)
    return inputs * math.prod(kernel), outputs * math.prod(kernel)


VARIANCES: dict[str, Callable[[Given], float]] = {
    "glorot": lambda of: 2.0 * of.gain**2 / sum(_fans(of)),
    "he": lambda of: 2.0 / (1.0 + of.negative_slope**2) / _fans(of)[0],
    "lecun": lambda of: 1.0 / _fans(of)[0],
}


def _uniform_of(variance: Callable[[Given], float], of: Given) -> Native:
    bound = math.sqrt(3.0 * variance(of))
    return _uniform(of, -bound, bound)


def _normal_of(variance: Callable[[Given], float], of: Given) -> Native:
    deviation = math.sqrt(variance(of))
    return _normal(of, 0.0, deviation) if of.distribution == "normal" else _truncated(of, 0.0, deviation / CUT_DEVIATION)


for name, variance in VARIANCES.items():
    composed(f"{name}_uniform", functools.partial(_uniform_of, variance))
    composed(f"{name}_normal", functools.partial(_normal_of, variance))


def _orthogonal(of: Given) -> Native:
    """The factor Q of a tall matrix of normal numbers, or of a wide one that of its transpose, with the signs of R's diagonal."""
    outputs, inputs, *kernel = sizes(of.like)
    rows, columns = outputs, inputs * math.prod(kernel)
    drawn = pt.random.normal(0.0, 1.0, size=(max(rows, columns), min(rows, columns)), rng=_generator(of), dtype="float64")
    q, r = pt.linalg.qr(drawn, mode="economic")
    q = of.gain * q * pt.sign(pt.diagonal(r))
    return pt.cast((q if rows >= columns else q.T).reshape(sizes(of.like)), of.like.dtype)


def _flipped(of: Given) -> Native:
    chosen = pt.random.bernoulli(of.probability, size=(sizes(of.x)[0], 1, 1, 1), rng=_generator(of))
    return pt.switch(chosen, pt.flip(of.x, 3), of.x)


def _dropout(of: Given) -> Native:
    if not of.training or of.rate == 0:
        return of.x
    if of.rate == 1:
        return pt.zeros_like(of.x)
    kept = pt.random.bernoulli(1.0 - of.rate, size=sizes(of.x), rng=_generator(of))
    return pt.switch(kept, of.x / (1.0 - of.rate), 0.0)


native("uniform", lambda of: _uniform(of, of.low, of.high))
native("normal", lambda of: _normal(of, of.mean, of.deviation))
composed("truncated_normal", lambda of: _truncated(of, of.mean, of.deviation))
composed("orthogonal", _orthogonal)
native("shuffle", lambda of: pt.random.permutation(of.x, rng=_generator(of)))
composed("random_flip", _flipped)
composed("random_rotation", lambda of: _uniform(of, -of.degrees, of.degrees))
composed("random_shift", lambda of: _uniform(of, -of.fraction, of.fraction))
composed("dropout", _dropout)
