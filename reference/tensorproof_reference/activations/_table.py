"""What all activations of one number share: samples, workload and record. See ``activation``."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._elementwise_samples import PLAIN_SHAPE, ordinary, sprinkled
from tensorproof_reference.operations._workloads import plane_workload
from tensorproof_reference.primitives._unary import Ends, unary_samples
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

CLEAR = 0.125
"""How far ordinary numbers stay from kinks: more than the spacing of bfloat16 at 6."""


@dataclass(frozen=True, kw_only=True)
class Kinks:
    """Where a function has no derivative, and what the specification takes for one there."""

    at: tuple[float, ...]
    slopes: tuple[float, ...]
    agreed: bool = False
    """Whether frameworks agree on these derivatives; if not, their sample is optional."""


NO_KINKS = Kinks(at=(), slopes=())


def clear_of(kinks: Kinks) -> Callable[[Array], Array]:
    """Moves numbers that are near a kink other than 0 away from it, upwards; ordinary ones are never near 0."""

    def moved(x: Array) -> Array:
        for place in kinks.at:
            if place:
                x = np.where(np.abs(x - place) < CLEAR, place + CLEAR, x)
        return x

    return moved


def _in_every_lane(values: tuple[float, ...]) -> Array:
    """The values in turn."""
    return np.resize(np.array(values), PLAIN_SHAPE)


def activation_samples(stream: Stream, ends: Ends, kinks: Kinks) -> Iterator[Sample]:
    """Those of every function of one number, one of rank 0, and the kinks: on them, and on both sides of them."""
    domain = clear_of(kinks)
    for sample in unary_samples(stream, domain, ends):
        # The gradient at infinity is asked for where it is known.
        asked = sample.gradient and (sample.name != "infinity_each_lane" or ends.slope_at_infinity is not None)
        yield replace(sample, gradient=asked)
    yield Sample(name="rank_zero", inputs={"x": domain(ordinary(stream("rank_zero"), ()))})
    if not kinks.at:
        return
    beside = tuple(place + sign * CLEAR for place in kinks.at for sign in (-1.0, 1.0))
    yield Sample(name="kink_beside", inputs={"x": domain(sprinkled(stream("kink_beside"), beside))})
    x = {"x": _in_every_lane(kinks.at)}
    yield Sample(name="kink_values", inputs=x, gradient=False)
    expected = {"d_x": _in_every_lane(kinks.slopes)}
    yield Sample(name="kink_gradient", inputs=x, expected=expected, required=kinks.agreed)


def with_keywords(name: str, *, required: bool = True, **keywords: Any) -> Callable[[Stream, Kinks], Iterator[Sample]]:
    """The sample of that name: ordinary numbers, with these keywords."""

    def samples(stream: Stream, kinks: Kinks) -> Iterator[Sample]:
        yield Sample(name=name, inputs={"x": clear_of(kinks)(ordinary(stream(name)))}, keywords=keywords, required=required)

    return samples


def activation(
    function: Callable[..., Array],
    vjp: Callable[..., Gradients],
    ends: Ends,
    *,
    work: Callable[..., Work],
    kinks: Kinks = NO_KINKS,
    more: tuple[Callable[[Stream, Kinks], Iterator[Sample]], ...] = (),
    conventions: Mapping[str, tuple[Any, ...]] | None = None,
    optional: tuple[str, ...] = (),
) -> Operation:
    """The operation of an activation of one number.

    Args:
        function: the function, whose docstring is the specification.
        vjp: its vector-Jacobian product.
        ends: what it gives at special points.
        work: its work, called as the function.
        kinks: where it has no derivative, at the default keywords.
        more: samples of its own.
        conventions: keywords that choose among readings, with all their values.
        optional: names of samples on which frameworks are free to differ.
    """

    def samples(stream: Stream) -> Iterator[Sample]:
        for sample in activation_samples(stream, ends, kinks):
            yield replace(sample, required=False) if sample.name in optional else sample
        for others in more:
            yield from others(stream, kinks)

    def workload(stream: Stream, size: str) -> Sample:
        sample = plane_workload(stream, size)
        return replace(sample, inputs={"x": clear_of(kinks)(np.asarray(sample.inputs["x"]))})

    return Operation(
        function=function,
        vjp=vjp,
        samples=samples,
        family="elementwise",
        profile=EXTENDED,
        conventions=conventions or {},
        workload=workload,
        work=work,
    )
