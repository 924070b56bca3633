"""Gaussian error linear unit: see ``gelu``."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy

from tensorproof_reference.arguments import require_choice
from tensorproof_reference.operation import Operation, Sample, Work
from tensorproof_reference.operations._elementwise_samples import (
    PLAIN_SHAPE,
    alternating,
    elementwise_samples,
    magnitude,
    ordinary,
    sprinkled,
)
from tensorproof_reference.operations._workloads import count, each, plane_workload
from tensorproof_reference.sample_kinds import with_each
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def gelu(x: Array, *, approximation: str = "none") -> Array:
    r"""Each number times the normal distribution function of it: :math:`y = \frac{x}{2} (1 + \mathrm{erf}(x/\sqrt{2}))`.

    With ``approximation="tanh"``: :math:`y = \frac{x}{2} (1 + \tanh(\sqrt{2/π} (x + 0.044715 x^3)))`.

    Shapes: any; the result has that of ``x``.
    Special values: NaN gives NaN; +∞ gives +∞; -∞ gives NaN, as -∞ · 0 does (the limit is 0, but the frameworks compute the
    product). The gradient at -∞ and +∞ is NaN for the same reason. For finite ``x`` it is finite, however large ``x`` is.
    Raises: ``ValueError`` unless ``approximation`` is ``"none"`` or ``"tanh"``.
    Source: Hendrycks & Gimpel (2016), section 2.
    """
    require_choice(approximation, "approximation", ("none", "tanh"))
    if approximation == "tanh":
        return x / 2.0 * (1.0 + np.tanh(_inner(x)))
    return x / 2.0 * (1.0 + scipy.special.erf(x / math.sqrt(2.0)))


def vjp(dy: Array, x: Array, *, approximation: str = "none") -> Gradients:
    r""":math:`dx = dy \odot (Φ(x) + x φ(x))`, Φ and φ being the normal distribution function and its density.

    With ``approximation="tanh"``, t being the tanh and u its argument: :math:`\frac{1}{2} (1 + t) + \frac{x}{2} (1 - t^2) u'`.
    """
    require_choice(approximation, "approximation", ("none", "tanh"))
    if approximation == "tanh":
        t = np.tanh(_inner(x))
        inner_slope = math.sqrt(2.0 / math.pi) * (1.0 + 3.0 * 0.044715 * np.square(x))
        return {"x": dy * ((1.0 + t) / 2.0 + x / 2.0 * (1.0 - np.square(t)) * inner_slope)}
    density = np.exp(-np.square(x) / 2.0) / math.sqrt(2.0 * math.pi)
    return {"x": dy * ((1.0 + scipy.special.erf(x / math.sqrt(2.0))) / 2.0 + x * density)}


def _inner(x: Array) -> Array:
    """The argument of tanh in the approximation."""
    return math.sqrt(2.0 / math.pi) * (x + 0.044715 * (x * x * x))


def samples(stream: Stream) -> Iterator[Sample]:
    """Those of every elementwise function, and its approximation by tanh."""
    yield from elementwise_samples(stream, at_infinity=(np.nan, np.inf), at_zero=(0.0, 0.0), slope_at_infinity=(np.nan, np.nan))
    approximate: dict[str, Any] = {"keywords": {"approximation": "tanh"}, "required": False}
    plain, tail = ordinary(stream("convention_tanh")), stream("convention_tanh_tail").uniform(PLAIN_SHAPE, -4.0, 4.0)
    yield Sample(name="convention_tanh", inputs={"x": plain}, **approximate)
    yield Sample(name="convention_tanh_tail", inputs={"x": tail}, **approximate)
    large = ordinary(stream("convention_tanh_large"), (64, 128))
    yield Sample(name="convention_tanh_large", inputs={"x": large}, **approximate)
    number = Sample(name="unit_number", inputs={"x": ordinary(stream("unit_number"), (1, 1))})
    yield from with_each(number, [{"approximation": "tanh"}])
    nan = sprinkled(stream("nan_tanh"), (np.nan,), first=0, every=5)
    yield Sample(name="nan_tanh", inputs={"x": nan}, **approximate)
    infinities = {"y": alternating(np.nan, np.inf), "d_x": alternating(np.nan, np.nan)}
    yield Sample(name="infinity_tanh", inputs={"x": alternating(-np.inf, np.inf)}, expected=infinities, **approximate)
    for name in ("tanh_small", "tanh_moderate", "tanh_large"):
        yield magnitude(stream, name, **approximate)
    for name in ("huge", "largest"):
        yield magnitude(stream, f"tanh_value_{name}", **approximate, gradient=False)
        yield magnitude(stream, f"tanh_gradient_{name}", **approximate)


def workload(stream: Stream, size: str) -> Sample:
    """Numbers of both signs in a plane."""
    return plane_workload(stream, size)


def work(x: Array, *, approximation: str = "none") -> Work:
    """An erf and four operations; back, the density (three and an exponential), x times it, and the rest.

    By tanh: eight, five of them for its argument; back ten, three of them for the slope of the argument from the square that
    the argument had.
    """
    if approximation == "tanh":
        return each(count(x), flops=8, transcendentals=1, backward=10)
    return each(count(x), flops=4, transcendentals=1, backward=7, backward_transcendentals=1)


OPERATION = Operation(
    function=gelu,
    vjp=vjp,
    samples=samples,
    family="elementwise",
    conventions={"approximation": ("none", "tanh")},
    workload=workload,
    work=work,
)
