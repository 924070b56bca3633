"""Activations with an exponential or a quotient: elu and its kin, mish, softsign."""

import math
from collections.abc import Iterator

import numpy as np

from tensorproof_reference.activations._table import Kinks, activation, with_keywords
from tensorproof_reference.operation import Sample
from tensorproof_reference.operations._elementwise_samples import FINE_DTYPES, PLAIN_SHAPE, sprinkled
from tensorproof_reference.operations._workloads import count, each
from tensorproof_reference.operations.sigmoid import sigmoid
from tensorproof_reference.operations.softplus import softplus
from tensorproof_reference.primitives._unary import Ends
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

INF, NAN = math.inf, math.nan
KINK = "kink_of_the_slope"
"""The sample of the gradient at 0 where the second derivative jumps."""
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def elu(x: Array, *, alpha: float = 1.0) -> Array:
    r"""Exponential linear unit: :math:`y = x` for :math:`x > 0`, else :math:`α (e^x - 1)`.

    α is ``alpha``. The derivative is 1 for :math:`x > 0`, else :math:`y + α`.

    Shapes: any; the result has that of ``x``.
    Special values: NaN gives NaN, -∞ gives -α, +∞ gives +∞. The derivative at 0 is α. Frameworks differ in the gradient at NaN,
        which no required sample has.
    Raises: nothing.
    Source: Clevert, Unterthiner & Hochreiter (2016), section 3.
    """
    return np.where(x > 0, x, alpha * (np.exp(np.minimum(x, 0.0)) - 1.0))


def selu(x: Array) -> Array:
    r"""Scaled exponential linear unit: :math:`y = λx` for :math:`x > 0`, else :math:`λα (e^x - 1)`.

    λ = 1.0507009873554805 and α = 1.6732632423543772. The derivative is λ for :math:`x > 0`, else :math:`y + λα`.

    Shapes: any; the result has that of ``x``.
    Special values: NaN gives NaN, -∞ gives -λα, +∞ gives +∞. The derivative at 0 is λα; frameworks that test x < 0 have λ there,
        so no required sample asks.
    Raises: nothing.
    Source: Klambauer, Unterthiner, Mayr & Hochreiter (2017), eq. 2 and 14.
    """
    return SELU_SCALE * elu(x, alpha=SELU_ALPHA)


def celu(x: Array, *, alpha: float = 1.0) -> Array:
    r"""Continuously differentiable exponential linear unit: :math:`y = \max(0, x) + \min(0, α (e^{x/α} - 1))`.

    α is ``alpha``, above 0. The derivative is 1 for :math:`x > 0`, else :math:`y/α + 1`.

    Shapes: any; the result has that of ``x``.
    Special values: NaN gives NaN, -∞ gives -α, +∞ gives +∞. The derivative at 0 is 1. Frameworks differ in the gradient at NaN,
        which no required sample has.
    Raises: ``ValueError`` if α is not above 0.
    Source: Barron (2017).
    """
    if not alpha > 0:
        raise ValueError(f"alpha: expected a number above 0, got {alpha}")
    return np.maximum(x, 0.0) + alpha * (np.exp(np.minimum(x, 0.0) / alpha) - 1.0)


def mish(x: Array) -> Array:
    r"""Each number times the hyperbolic tangent of its softplus: :math:`y = x \tanh(\log(1 + e^x))`.

    With t the tangent and σ the sigmoid, the derivative is :math:`t + x (1 - t^2) σ`.

    Shapes: any; the result has that of ``x``.
    Special values: NaN gives NaN; +∞ gives +∞; -∞ gives NaN, as -∞ · 0 does (the limit is 0, but the frameworks compute the
        product); ±0 gives ±0. The gradient at -∞ and +∞ is NaN for the same reason.
    Raises: nothing.
    Source: Misra (2019), section 2.
    """
    return x * np.tanh(softplus(x))


def softsign(x: Array) -> Array:
    r"""Each number divided by one more than its absolute value: :math:`y = x/(1 + |x|)`.

    Its derivative is :math:`1/(1 + |x|) - |x|/(1 + |x|)^2`.

    Shapes: any; the result has that of ``x``.
    Special values: NaN gives NaN; ±∞ gives NaN, as ∞/∞ does (the limit is ±1, but the frameworks compute the quotient); ±0 gives
        ±0. Frameworks differ in the gradient at ±∞, which no sample has.
    Raises: nothing.
    Source: Turian, Bergstra & Bengio (2009); Glorot & Bengio (2010), section 3.2.
    """
    return x / (1.0 + np.abs(x))


def _elu_vjp(dy: Array, x: Array, *, alpha: float = 1.0) -> Gradients:
    return {"x": np.where(x > 0, dy, dy * (elu(x, alpha=alpha) + alpha))}


def _selu_vjp(dy: Array, x: Array) -> Gradients:
    return {"x": np.where(x > 0, SELU_SCALE * dy, dy * (selu(x) + SELU_SCALE * SELU_ALPHA))}


def _celu_vjp(dy: Array, x: Array, *, alpha: float = 1.0) -> Gradients:
    return {"x": np.where(x > 0, dy, dy * (celu(x, alpha=alpha) / alpha + 1.0))}


def _mish_vjp(dy: Array, x: Array) -> Gradients:
    t = np.tanh(softplus(x))
    return {"x": dy * (t + x * ((1.0 - np.square(t)) * sigmoid(x)))}


def _softsign_vjp(dy: Array, x: Array) -> Gradients:
    d = 1.0 + np.abs(x)
    return {"x": dy / d - dy * (np.abs(x) / d) / d}


def _kink_of_elu(stream: Stream, kinks: Kinks) -> Iterator[Sample]:
    """Zero among others, where another α makes a kink; all frameworks take the slope from below."""
    x = sprinkled(stream("kink_alpha_two"), (-0.0, 0.0))
    yield Sample(name="kink_alpha_two", inputs={"x": x}, keywords={"alpha": 2.0})


def _tail(stream: Stream, kinks: Kinks) -> Iterator[Sample]:
    """Negative numbers, where the exponential is small."""
    yield Sample(
        name="magnitude_tail", inputs={"x": stream("magnitude_tail").uniform(PLAIN_SHAPE, -12.0, -4.0)}, dtypes=FINE_DTYPES
    )


OPERATIONS = (
    activation(
        elu,
        _elu_vjp,
        Ends(
            at_infinity=(-1.0, INF),
            at_zero=(0.0, 0.0),
            zero_gradient=KINK,
            slope_at_infinity=(0.0, 1.0),
            nan_gradient=False,
            sign_of_zero=False,
        ),
        work=lambda x, *, alpha=1.0: each(count(x), 2, 1, 2),
        more=(
            with_keywords("plain_alpha_half", alpha=0.5),
            with_keywords("plain_alpha_two", alpha=2.0),
            with_keywords("bounds_alpha_zero", alpha=0.0),
            _kink_of_elu,
            _tail,
        ),
    ),
    activation(
        selu,
        _selu_vjp,
        Ends(
            at_infinity=(-SELU_SCALE * SELU_ALPHA, INF),
            at_zero=(0.0, 0.0),
            zero_gradient="",
            slope_at_infinity=(0.0, SELU_SCALE),
            nan_gradient=False,
            sign_of_zero=False,
        ),
        work=lambda x: each(count(x), 3, 1, 2),
        kinks=Kinks(at=(0.0,), slopes=(SELU_SCALE * SELU_ALPHA,)),
        more=(_tail,),
    ),
    activation(
        celu,
        _celu_vjp,
        Ends(
            at_infinity=(-1.0, INF),
            at_zero=(0.0, 0.0),
            zero_gradient=KINK,
            slope_at_infinity=(0.0, 1.0),
            nan_gradient=False,
            sign_of_zero=False,
        ),
        work=lambda x, *, alpha=1.0: each(count(x), 3, 1, 3),
        more=(
            with_keywords("plain_alpha_half", alpha=0.5),
            with_keywords("plain_alpha_two", alpha=2.0),
            with_keywords("bounds_alpha_sixteenth", alpha=0.0625),
            _tail,
        ),
    ),
    activation(
        mish,
        _mish_vjp,
        Ends(at_infinity=(NAN, INF), at_zero=(-0.0, 0.0), slope_at_infinity=(NAN, NAN)),
        work=lambda x: each(count(x), 3, 3, 6, 0),
        more=(_tail,),
    ),
    activation(
        softsign,
        _softsign_vjp,
        Ends(at_infinity=(NAN, NAN), at_zero=(-0.0, 0.0), zero_gradient=KINK, silent=("huge", "largest")),
        work=lambda x: each(count(x), 2, 0, 4),
    ),
)
