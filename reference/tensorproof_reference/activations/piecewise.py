"""Activations of straight pieces: relu6, the hard forms of sigmoid, swish and tanh, and the threshold."""

import math
from collections.abc import Iterator

import numpy as np

from tensorproof_reference.activations._table import Kinks, activation, clear_of
from tensorproof_reference.arguments import require_choice
from tensorproof_reference.operation import Sample
from tensorproof_reference.operations._elementwise_samples import alternating, ordinary
from tensorproof_reference.operations._workloads import count, each
from tensorproof_reference.primitives._unary import Ends
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

INF, NAN = math.inf, math.nan
SLOPES = ("sixth", "fifth")


def relu6(x: Array) -> Array:
    r"""The positive part of each number, at most 6: :math:`y = \min(\max(0, x), 6)`.

    Shapes: any; the result has that of ``x``.
    Special values: NaN gives NaN, -∞ gives 0, +∞ gives 6. The derivative at 0 and at 6 is 0. Frameworks differ in the gradient at
        NaN, which no required sample has.
    Raises: nothing.
    Source: Krizhevsky (2010), section 3; Howard et al. (2017).
    """
    return np.minimum(np.maximum(x, 0.0), 6.0)


def hard_sigmoid(x: Array, *, slope: str = "sixth") -> Array:
    r"""A sigmoid of straight pieces: :math:`y = \min(\max(0, x + 3), 6)/6`.

    ``slope``: with ``fifth``, as in Keras 2 and ONNX, :math:`y = \min(\max(0, x/5 + 1/2), 1)`.

    Shapes: any; the result has that of ``x``.
    Special values: NaN gives NaN, -∞ gives 0, +∞ gives 1. The derivative where the pieces meet is 0; frameworks that clip may
        have the slope there, so no required sample asks. They differ in the gradient at NaN too.
    Raises: ``ValueError`` for another word.
    Source: Courbariaux, Bengio & David (2015), section 2.4; Howard et al. (2019), section 5.2.
    """
    require_choice(slope, "slope", SLOPES)
    return relu6(x + 3.0) / 6.0 if slope == "sixth" else np.minimum(np.maximum(0.2 * x + 0.5, 0.0), 1.0)


def hard_swish(x: Array) -> Array:
    r"""Each number times its hard sigmoid: :math:`y = x \min(\max(0, x + 3), 6)/6`. Also called hard SiLU.

    Its derivative is 0 below -3, :math:`x/3 + 1/2` up to 3, and 1 above.

    Shapes: any; the result has that of ``x``.
    Special values: NaN gives NaN; +∞ gives +∞; -∞ gives NaN, as -∞ · 0 does (the limit is 0, but the frameworks compute the
        product); ±0 gives ±0. The derivative at -3 is 0 and at 3 it is 1; frameworks may have -1/2 and 3/2 there, so no required
        sample asks. They differ in the gradient at ±∞ too, which no sample has.
    Raises: nothing.
    Source: Howard et al. (2019), section 5.2.
    """
    return x * hard_sigmoid(x)


def hard_tanh(x: Array, *, low: float = -1.0, high: float = 1.0) -> Array:
    r"""A hyperbolic tangent of straight pieces: :math:`y = \min(\max(a, x), b)`.

    a is ``low`` and b is ``high``; samples of other bounds are optional.

    Shapes: any; the result has that of ``x``.
    Special values: NaN gives NaN, -∞ gives a, +∞ gives b, ±0 gives ±0. The derivative at a and b is 0; frameworks may have 1
        there, so no required sample asks. They differ in the gradient at NaN too.
    Raises: ``ValueError`` unless a is below b.
    Source: Collobert (2004), section 5.
    """
    _require_order(low, high)
    return np.minimum(np.maximum(x, low), high)


def threshold(x: Array, *, threshold: float = 1.0, value: float = 0.0) -> Array:
    r"""Each number that is above a threshold, and a value instead of the others: :math:`y = x` for :math:`x > θ`, else v.

    θ is ``threshold`` and v is ``value``. The derivative is 1 for :math:`x > θ`, else 0.

    Shapes: any; the result has that of ``x``.
    Special values: NaN gives NaN; frameworks that test x > θ give v there, so its sample is optional. -∞ gives v, +∞ gives +∞.
        The derivative at θ is 0.
    Raises: nothing.
    Source: Konda, Memisevic & Krueger (2015), section 3.
    """
    return np.where(x <= threshold, value, x)


def _require_order(low: float, high: float) -> None:
    if not low < high:
        raise ValueError(f"low, high: expected the first below the second, got {low}, {high}")


def _relu6_vjp(dy: Array, x: Array) -> Gradients:
    return {"x": np.where((x > 0) & (x < 6), dy, 0.0)}


def _hard_sigmoid_vjp(dy: Array, x: Array, *, slope: str = "sixth") -> Gradients:
    inside = np.abs(x) < (3.0 if slope == "sixth" else 2.5)
    return {"x": np.where(inside, dy / 6.0 if slope == "sixth" else 0.2 * dy, 0.0)}


def _hard_swish_vjp(dy: Array, x: Array) -> Gradients:
    rising = np.where(x >= 3, dy, dy * (x / 3.0 + 0.5))
    return {"x": np.where(x <= -3, 0.0, rising)}


def _hard_tanh_vjp(dy: Array, x: Array, *, low: float = -1.0, high: float = 1.0) -> Gradients:
    return {"x": np.where((x > low) & (x < high), dy, 0.0)}


def _threshold_vjp(dy: Array, x: Array, *, threshold: float = 1.0, value: float = 0.0) -> Gradients:
    return {"x": np.where(x <= threshold, 0.0, dy)}


FIFTH = Kinks(at=(-2.5, 2.5), slopes=(0.0, 0.0))
RANGE = Kinks(at=(-0.5, 2.0), slopes=(0.0, 0.0))


def _fifth(stream: Stream, kinks: Kinks) -> Iterator[Sample]:
    """The other slope, within the pieces and where they meet."""
    fifth = {"slope": "fifth"}
    for name, shape in (("convention_fifth", (7, 11)), ("convention_fifth_large", (64, 128))):
        yield Sample(name=name, inputs={"x": clear_of(FIFTH)(ordinary(stream(name), shape))}, keywords=fifth, required=False)
    x, expected = {"x": alternating(*FIFTH.at)}, {"d_x": alternating(0.0, 0.0)}
    yield Sample(name="kink_gradient_fifth", inputs=x, keywords=fifth, expected=expected, required=False)


def _range(stream: Stream, kinks: Kinks) -> Iterator[Sample]:
    """Bounds that are not symmetric."""
    name = "bounds_asymmetric"
    x = clear_of(RANGE)(ordinary(stream(name)))
    yield Sample(name=name, inputs={"x": x}, keywords={"low": -0.5, "high": 2.0}, required=False)


def _value(stream: Stream, kinks: Kinks) -> Iterator[Sample]:
    """Another threshold and value."""
    for name, keywords in (
        ("plain_threshold_zero", {"threshold": 0.0, "value": 20.0}),
        ("plain_threshold_negative", {"threshold": -0.5, "value": -7.0}),
    ):
        moved = clear_of(Kinks(at=(keywords["threshold"],), slopes=(0.0,)))
        yield Sample(name=name, inputs={"x": moved(ordinary(stream(name)))}, keywords=keywords)


OPERATIONS = (
    activation(
        relu6,
        _relu6_vjp,
        Ends(
            at_infinity=(0.0, 6.0),
            at_zero=(0.0, 0.0),
            zero_gradient="",
            slope_at_infinity=(0.0, 0.0),
            nan_gradient=False,
            sign_of_zero=False,
        ),
        work=lambda x: each(count(x), 2, backward=1),
        kinks=Kinks(at=(0.0, 6.0), slopes=(0.0, 0.0), agreed=True),
    ),
    activation(
        hard_sigmoid,
        _hard_sigmoid_vjp,
        Ends(at_infinity=(0.0, 1.0), at_zero=(0.5, 0.5), slope_at_infinity=(0.0, 0.0), nan_gradient=False),
        work=lambda x, *, slope="sixth": each(count(x), 4, backward=1),
        kinks=Kinks(at=(-3.0, 3.0), slopes=(0.0, 0.0)),
        more=(_fifth,),
        conventions={"slope": SLOPES},
    ),
    activation(
        hard_swish,
        _hard_swish_vjp,
        Ends(at_infinity=(NAN, INF), at_zero=(-0.0, 0.0), nan_gradient=False),
        work=lambda x: each(count(x), 5, backward=3),
        kinks=Kinks(at=(-3.0, 3.0), slopes=(0.0, 1.0)),
    ),
    activation(
        hard_tanh,
        _hard_tanh_vjp,
        Ends(at_infinity=(-1.0, 1.0), at_zero=(-0.0, 0.0), slope_at_infinity=(0.0, 0.0), nan_gradient=False),
        work=lambda x, *, low=-1.0, high=1.0: each(count(x), 2, backward=1),
        kinks=Kinks(at=(-1.0, 1.0), slopes=(0.0, 0.0)),
        more=(_range,),
    ),
    activation(
        threshold,
        _threshold_vjp,
        Ends(at_infinity=(0.0, INF), at_zero=(0.0, 0.0), slope_at_infinity=(0.0, 1.0), nan_gradient=False, sign_of_zero=False),
        work=lambda x, *, threshold=1.0, value=0.0: each(count(x), 1, backward=1),
        kinks=Kinks(at=(1.0,), slopes=(0.0,), agreed=True),
        more=(_value,),
        optional=("nan_each_lane",),
    ),
)
