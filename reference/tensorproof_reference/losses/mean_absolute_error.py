"""Mean absolute error: see ``mean_absolute_error``."""

from collections.abc import Iterator

import numpy as np

from tensorproof_reference.arguments import require_shape
from tensorproof_reference.losses._reduction import reduced, spread
from tensorproof_reference.losses._samples import NONE, PLAIN, WIDE, each_by_itself, loss_samples, normal, pair_workload
from tensorproof_reference.losses._workloads import reduction_work
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work, asarray
from tensorproof_reference.operations._workloads import count
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def mean_absolute_error(prediction: Array, target: Array, *, reduction: str = "mean") -> Array:
    r"""The mean of absolute differences: :math:`y = \frac{1}{n} \sum_i |\hat y_i - t_i|` over all n elements.

    Also called L1 loss.

    Shapes: ``prediction`` and ``target`` have the same shape, of any rank. The result is a scalar, or of that shape for
    ``reduction="none"``; ``"sum"`` leaves out the division.
    Special values: NaN in either gives NaN; an infinity gives +∞, and NaN where the other is the same infinity. The derivative
    where both are equal is 0. Frameworks differ there and in the gradient at NaN, whose samples are optional.
    Raises: ``ValueError`` if the shapes differ (they are not broadcast), or if ``reduction`` is unknown.
    Source: Willmott & Matsuura (2005), eq. 2.
    """
    require_shape(target, "target", prediction.shape)
    return reduced(np.abs(prediction - target), reduction)


def vjp(dy: Array, prediction: Array, target: Array, *, reduction: str = "mean") -> Gradients:
    r""":math:`d\hat y = \mathrm{sign}(\hat y - t) \, dy / n` and :math:`dt = -d\hat y`; n = 1 unless the mean is taken."""
    d_prediction = np.sign(prediction - target) * spread(dy, prediction.shape, reduction)
    return {"prediction": d_prediction, "target": -d_prediction}


def _prediction(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Multiples of an eighth."""
    return np.rint(8.0 * stream.normal(shape)) / 8.0


def _target(stream: Stream, shape: tuple[int, ...]) -> Array:
    """A quarter of the way between these: no difference is near the kink, of half the prediction neither."""
    return _prediction(stream, shape) + 0.03125


def samples(stream: Stream) -> Iterator[Sample]:
    """Those of every loss, equal arguments, the ends of the range."""
    yield from loss_samples(
        stream, each_by_itself({"prediction": _prediction, "target": _target}), lanes=("prediction", "target"), nan_gradient=False
    )
    for exponent in (-20, 12, 100):
        name = f"magnitude_2_to_{exponent}".replace("-", "minus_")
        drawn = {key: draw(stream(name)(key), PLAIN) for key, draw in (("prediction", _prediction), ("target", _target))}
        inputs = {key: value * 2.0**exponent for key, value in drawn.items()}
        yield Sample(name=name, inputs=inputs, keywords=NONE, dtypes=WIDE)
    equal = normal(stream("zero_equal"), PLAIN)
    both = {"prediction": equal, "target": equal}
    yield Sample(name="zero_equal", inputs=both, expected={"y": asarray(0.0)}, exact_zero=("y",), gradient=False)
    zeros = ("d_prediction", "d_target")
    yield Sample(name="kink_equal", inputs=both, keywords=NONE, exact_zero=zeros, required=False)
    infinite = {"prediction": asarray([np.inf, -np.inf, 1.0, np.inf]), "target": asarray([1.0, 1.0, -np.inf, np.inf])}
    expected = {"y": asarray([np.inf, np.inf, np.inf, np.nan])}
    yield Sample(name="infinity_none", inputs=infinite, keywords=NONE, expected=expected, gradient=False)


def work(prediction: Array, target: Array, *, reduction: str = "mean") -> Work:
    """A difference; back, the cotangent times a sign."""
    numbers = count(prediction)
    return Work(flops=numbers, backward_flops=numbers) + reduction_work(numbers, reduction)


OPERATION = Operation(
    function=mean_absolute_error,
    vjp=vjp,
    samples=samples,
    family="loss",
    profile=EXTENDED,
    differentiable=("prediction", "target"),
    workload=pair_workload,
    work=work,
)
