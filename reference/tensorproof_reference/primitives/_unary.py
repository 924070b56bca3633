"""What all functions of one number share: their vector-Jacobian product, samples, workload and work. See ``unary``."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._elementwise_samples import (
    FINE_DTYPES,
    MAGNITUDES,
    PLAIN_SHAPE,
    WIDE_DTYPES,
    alternating,
    magnitude,
    ordinary,
    sprinkled,
)
from tensorproof_reference.operations._workloads import count, each, plane_workload
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

WIDTHS = (1, 2, 3, 8, 9, 15, 16, 17, 127)
SINGLE = ("float32",)
"""The dtype of what is about shapes and memory: 77 elements have an odd rest of every vector in the other dtypes."""
SUBNORMAL = (2.0**-15, -(2.0**-18), 3.0 * 2.0**-24)
"""Subnormal numbers of float16."""
TINY = (1e-40, -1e-41, 1e-42)
"""Those of float32 and bfloat16."""


@dataclass(frozen=True, kw_only=True)
class Ends:
    """What a function of one number gives at special points: pairs for -∞ and +∞, and for -0 and +0."""

    at_infinity: tuple[float, float]
    at_zero: tuple[float, float]
    slope_at_infinity: tuple[float, float] | None = None
    """Where the gradient there does not depend on the cotangent (0 or NaN)."""
    zero_gradient: str = "zero_gradient"
    """The name of the sample of the gradient at both zeros; empty where it depends on the sign of zero."""
    nan_gradient: bool = True
    """Whether the gradient at NaN is agreed upon."""
    zero_required: bool = True
    """Whether all frameworks agree on what -0 gives."""
    zero_gradient_required: bool = True
    """Whether they agree on the gradient at zeros."""
    sign_of_zero: bool = True
    """Whether the sign of a result that is zero matters there."""
    more: tuple[tuple[float, float], ...] = ()
    """Other points with their values: ends of the domain, points outside it, ties of a rounding."""
    kind: str = "bounds_of_the_domain"
    """The name of the sample of those."""
    silent: tuple[str, ...] = ()
    """The magnitudes whose gradients are not asked for: they overflow on the way, or not, by the order of the products."""


Domain = Callable[[Array], Array]


def anywhere(x: Array) -> Array:
    """Both signs."""
    return x


def positive(x: Array) -> Array:
    """The absolute values."""
    return np.abs(x)


def above_minus_one(x: Array) -> Array:
    """Negative numbers squeezed into (-1, 0), others as they are."""
    below = np.minimum(x, 0.0)
    return np.where(x < 0, below / (1.0 - below), x)


def beside_integers(x: Array) -> Array:
    """Between an eighth and three eighths above an integer, unless so large that all numbers are integers: no jump is near."""
    below = np.floor(np.where(np.isfinite(x), x, 0.0))
    return np.where(np.isfinite(x), below + 0.125 + 0.25 * (x - below), x)


def unary_samples(stream: Stream, domain: Domain, ends: Ends) -> Iterator[Sample]:
    """The samples that every function of one number has, within its domain but for special values."""

    def drawn(name: str, *shape: int) -> dict[str, Array]:
        return {"x": domain(ordinary(stream(name), shape or PLAIN_SHAPE))}

    def inside(sample: Sample) -> Sample:
        return replace(sample, inputs={"x": domain(np.asarray(sample.inputs["x"]))})

    yield Sample(name="plain_values", inputs=drawn("plain_values"))
    yield Sample(name="size_large", inputs=drawn("size_large", 64, 128))
    # More elements than PyTorch gives to one thread.
    yield Sample(name="size_beyond_one_thread", inputs=drawn("size_beyond_one_thread", 160, 257), dtypes=SINGLE)
    for width in WIDTHS:
        shape = (24 if width < 8 else 6, width)
        yield Sample(name=f"width_{width}", inputs=drawn(f"width_{width}", *shape), dtypes=SINGLE)
    yield Sample(name="width_513", inputs=drawn("width_513", 513), dtypes=SINGLE)
    yield Sample(name="rank_one", inputs=drawn("rank_one", 7), dtypes=SINGLE)
    yield Sample(name="rank_four", inputs=drawn("rank_four", 2, 3, 4, 5), dtypes=SINGLE)
    yield Sample(name="empty_batch", inputs=drawn("empty_batch", 0, 11), dtypes=SINGLE)
    yield Sample(name="strided_transposed", inputs=drawn("strided_transposed"), memory="transposed")
    yield Sample(name="strided_sliced", inputs=drawn("strided_sliced"), memory="sliced")
    nan = {"x": domain(sprinkled(stream("nan_each_lane"), (np.nan,), first=0, every=5))}
    yield Sample(name="nan_each_lane", inputs=nan, gradient=ends.nan_gradient)
    if not ends.nan_gradient:
        yield Sample(name="nan_gradient", inputs=nan, required=False)
    infinite = domain(sprinkled(stream("infinity_each_lane"), (np.inf,), first=2, every=5))
    yield Sample(name="infinity_each_lane", inputs={"x": infinite})
    expected = {"y": alternating(*ends.at_infinity)}
    if ends.slope_at_infinity is not None:
        expected["d_x"] = alternating(*ends.slope_at_infinity)
    yield Sample(
        name="infinity_only",
        inputs={"x": alternating(-np.inf, np.inf)},
        expected=expected,
        gradient=ends.slope_at_infinity is not None,
        exact_zero=("d_x",) if ends.slope_at_infinity == (0.0, 0.0) else (),
    )
    tens = stream("magnitude_tens").uniform(PLAIN_SHAPE, -10.0, 10.0)
    yield Sample(name="magnitude_tens", inputs={"x": domain(np.where(np.abs(tens) < 0.0625, 1.0, tens))}, dtypes=FINE_DTYPES)
    for name in MAGNITUDES:
        yield inside(magnitude(stream, name, gradient=name not in ends.silent))
    for name, values, dtypes in (
        ("magnitude_subnormal_half", SUBNORMAL, ("float16",)),
        ("magnitude_subnormal_single", TINY, ("float32", "bfloat16")),
    ):
        x = domain(sprinkled(stream(name), values))
        # Hardware and compilers may flush these, by their documentation.
        yield Sample(name=name, inputs={"x": x}, dtypes=dtypes, gradient=False, required=False)
    yield Sample(
        name="zero_signed",
        inputs={"x": alternating(-0.0, 0.0)},
        expected={"y": alternating(*ends.at_zero)},
        sign_of_zero=ends.sign_of_zero,
        gradient=False,
        required=ends.zero_required,
    )
    if ends.zero_gradient:
        zeros = {"x": alternating(-0.0, 0.0)}
        yield Sample(name=ends.zero_gradient, inputs=zeros, required=ends.zero_gradient_required)
    if ends.more:
        # In every lane of a vector, as they are the same for all.
        x, y = (np.resize(np.array(numbers), PLAIN_SHAPE) for numbers in zip(*ends.more, strict=True))
        yield Sample(name=ends.kind, inputs={"x": x}, expected={"y": y}, sign_of_zero=True, gradient=False)


Pull = Callable[[Array, Array], Array]
"""From the cotangent and the number to the gradient."""


def flat(dy: Array, x: Array) -> Array:
    """The gradient of a function of steps: 0."""
    return np.zeros_like(dy)


def times(slope: Callable[[Array], Array]) -> Pull:
    """The gradient of a function with that derivative."""
    return lambda dy, x: dy * slope(x)


def unary(
    function: Callable[[Array], Array],
    pull: Pull,
    ends: Ends,
    *,
    domain: Domain = anywhere,
    counts: tuple[int, int, int, int] = (1, 0, 1, 0),
    more: Callable[[Stream], Iterator[Sample]] | None = None,
) -> Operation:
    """The operation of a function of one number.

    Args:
        function: the function, whose docstring is the specification.
        pull: its gradient, from the cotangent and x.
        ends: what it gives at special points.
        domain: moves numbers to where the function is defined.
        counts: operations and transcendentals for each number, forward and back, in the order of ``Work``'s fields.
        more: samples of its own.
    """

    def vjp(dy: Array, x: Array) -> Gradients:
        return {"x": pull(dy, x)}

    def samples(stream: Stream) -> Iterator[Sample]:
        yield from unary_samples(stream, domain, ends)
        if more is not None:
            yield from more(stream)

    def workload(stream: Stream, size: str) -> Sample:
        sample = plane_workload(stream, size)
        return replace(sample, inputs={"x": domain(np.asarray(sample.inputs["x"]))})

    def work(x: Array) -> Work:
        return each(count(x), *counts)

    return Operation(
        function=function,
        vjp=vjp,
        samples=samples,
        family="elementwise",
        profile=EXTENDED,
        workload=workload,
        work=work,
    )


def within(name: str, low: float, high: float, dtypes: tuple[str, ...] = FINE_DTYPES) -> Callable[[Stream], Iterator[Sample]]:
    """The sample of that name: uniform between two bounds."""

    def samples(stream: Stream) -> Iterator[Sample]:
        yield Sample(name=name, inputs={"x": stream(name).uniform(PLAIN_SHAPE, low, high)}, dtypes=dtypes)

    return samples


def near(name: str, values: tuple[float, ...]) -> Callable[[Stream], Iterator[Sample]]:
    """The sample of that name: these values among ordinary ones, in the dtypes that hold them."""

    def samples(stream: Stream) -> Iterator[Sample]:
        yield Sample(name=name, inputs={"x": sprinkled(stream(name), values)}, dtypes=WIDE_DTYPES)

    return samples
