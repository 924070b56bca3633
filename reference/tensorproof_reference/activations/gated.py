"""Activations of two halves along an axis, of which one is the other's gate: glu and swiglu."""

from collections.abc import Callable, Iterator

import numpy as np

from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._elementwise_samples import FINE_DTYPES, MAGNITUDES, WIDE_DTYPES, ordinary
from tensorproof_reference.operations._workloads import PLANES, count, each
from tensorproof_reference.operations._workloads import ordinary as timed_numbers
from tensorproof_reference.operations.sigmoid import sigmoid
from tensorproof_reference.primitives._unary import SINGLE, WIDTHS
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

PLAIN = (7, 22)


def glu(x: Array, *, axis: int = -1) -> Array:
    r"""Gated linear unit: the first half a of the axis times the sigmoid of the second, b: :math:`y = a/(1 + e^{-b})`.

    Shapes: ``x`` any of rank 1 or more; the result has half the length along ``axis``.
    Special values: NaN in either half gives NaN. -∞ in b gives 0, but NaN where a is ±∞.
    Raises: ``ValueError`` if the length along the axis is odd.
    Source: Dauphin, Fan, Auli & Grangier (2017), eq. 1.
    """
    a, b = _halves(x, axis)
    return a * sigmoid(b)


def swiglu(x: Array, *, axis: int = -1) -> Array:
    r"""Gated linear unit with silu: that of the first half a of the axis, times the second, b: :math:`y = ab/(1 + e^{-a})`.

    In a network the halves are two products of the same input: :math:`a = xW` and :math:`b = xV`.

    Shapes: ``x`` any of rank 1 or more; the result has half the length along ``axis``.
    Special values: NaN in either half gives NaN, and so does -∞ in a, as -∞ · 0 does.
    Raises: ``ValueError`` if the length along the axis is odd.
    Source: Shazeer (2020), section 2.
    """
    a, b = _halves(x, axis)
    return a * sigmoid(a) * b


def _halves(x: Array, axis: int) -> tuple[Array, Array]:
    length = x.shape[axis]
    if length % 2:
        raise ValueError(f"x: expected an even length along axis {axis}, got {length}")
    first = (slice(None),) * (axis % x.ndim)
    return x[(*first, slice(length // 2))], x[(*first, slice(length // 2, None))]


def _glu_vjp(dy: Array, x: Array, *, axis: int = -1) -> Gradients:
    a, b = _halves(x, axis)
    gate = sigmoid(b)
    return {"x": np.concatenate([dy * gate, dy * a * (gate * (1.0 - gate))], axis=axis)}


def _swiglu_vjp(dy: Array, x: Array, *, axis: int = -1) -> Gradients:
    a, b = _halves(x, axis)
    gate = sigmoid(a)
    return {"x": np.concatenate([dy * b * (gate * (1.0 + a * (1.0 - gate))), dy * (a * gate)], axis=axis)}


def _both(stream: Stream, shape: tuple[int, ...], axis: int, values: tuple[float, ...], half: int) -> Array:
    """Ordinary numbers, but for these values in turn at every third place of one half."""
    halved = tuple(length // 2 if place == axis % len(shape) else length for place, length in enumerate(shape))
    halves = [ordinary(stream(word), halved) for word in ("first", "second")]
    flat = halves[half].reshape(-1)
    places = np.arange(1, flat.size, 3)
    flat[places] = np.resize(np.array(values), places.size)
    return np.concatenate([halves[0], halves[1]], axis=axis)


def _gated_samples(stream: Stream, gate: int) -> Iterator[Sample]:
    """Those of both, by the half that goes through the sigmoid."""

    def drawn(name: str, *shape: int) -> dict[str, Array]:
        return {"x": ordinary(stream(name), shape or PLAIN)}

    def holding(name: str, half: int, *values: float) -> dict[str, Array]:
        return {"x": _both(stream(name), PLAIN, -1, values, half)}

    yield Sample(name="plain_values", inputs=drawn("plain_values"))
    yield Sample(name="size_large", inputs=drawn("size_large", 64, 256))
    yield Sample(name="size_beyond_one_thread", inputs=drawn("size_beyond_one_thread", 160, 514), dtypes=SINGLE)
    for width in WIDTHS:
        yield Sample(name=f"width_{width}", inputs=drawn(f"width_{width}", 6, 2 * width), dtypes=SINGLE)
    yield Sample(name="rank_one", inputs=drawn("rank_one", 14))
    yield Sample(name="rank_four", inputs=drawn("rank_four", 2, 3, 4, 10))
    yield Sample(name="unit_half", inputs=drawn("unit_half", 5, 2))
    yield Sample(name="unit_leading", inputs=drawn("unit_leading", 1, 1, 6))
    yield Sample(name="empty_batch", inputs=drawn("empty_batch", 0, 22))
    yield Sample(name="strided_transposed", inputs=drawn("strided_transposed"), memory="transposed")
    yield Sample(name="strided_sliced", inputs=drawn("strided_sliced"), memory="sliced")
    for axis, shape in ((0, (6, 5)), (1, (3, 4, 5)), (-2, (2, 6, 7)), (-3, (8, 3, 2))):
        name = f"axis_{axis}".replace("-", "minus_")
        yield Sample(name=name, inputs=drawn(name, *shape), keywords={"axis": axis})
    for half, word in enumerate(("first", "second")):
        yield Sample(name=f"nan_{word}_half", inputs=holding(f"nan_{word}_half", half, np.nan))
        yield Sample(name=f"zero_{word}_half", inputs=holding(f"zero_{word}_half", half, 0.0, -0.0))
    # The gradient at infinity is the product of 0 and ∞, or not, by the order of the products.
    for half, word in enumerate(("first", "second")):
        inputs = holding(f"infinity_{word}_half", half, -np.inf, np.inf)
        yield Sample(name=f"infinity_{word}_half", inputs=inputs, gradient=False)
    tens = stream("magnitude_tens").uniform(PLAIN, -10.0, 10.0)
    yield Sample(name="magnitude_tens", inputs={"x": tens}, dtypes=FINE_DTYPES)
    for word, values in MAGNITUDES.items():
        signed = tuple(sign * value for value in values for sign in (-1.0, 1.0))
        name = f"magnitude_{word}"
        yield Sample(
            name=name,
            inputs=holding(name, gate, *signed),
            dtypes=FINE_DTYPES if word == "moderate" else WIDE_DTYPES,
            gradient=word != "largest",
        )
    yield Sample(name="bounds_odd_length", inputs=drawn("bounds_odd_length", 3, 5), raises=True, gradient=False, required=False)


def _workload(stream: Stream, size: str) -> Sample:
    rows, features = PLANES[size]
    return Sample(name=size, inputs={"x": timed_numbers(stream("x"), (rows, features))})


def _gated(
    function: Callable[..., Array], vjp: Callable[..., Gradients], gate: int, counts: tuple[int, int, int, int]
) -> Operation:
    """The operation of a gated unit, by the half that is its gate.

    ``counts`` are operations and transcendentals for each result, forward and back, in the order of ``Work``'s fields.
    """

    def samples(stream: Stream) -> Iterator[Sample]:
        yield from _gated_samples(stream, gate)

    def work(x: Array, *, axis: int = -1) -> Work:
        return each(count(x) // 2, *counts)

    return Operation(
        function=function,
        vjp=vjp,
        samples=samples,
        family="elementwise",
        profile=EXTENDED,
        workload=_workload,
        work=work,
    )


OPERATIONS = (
    _gated(glu, _glu_vjp, 1, (3, 1, 5, 0)),
    _gated(swiglu, _swiglu_vjp, 0, (4, 1, 6, 0)),
)
