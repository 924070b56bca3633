"""Kullback-Leibler divergence: see ``kl_divergence``."""

from collections.abc import Iterator

import numpy as np
import scipy

from tensorproof_reference.arguments import require, require_shape
from tensorproof_reference.losses._draw import distributions, soft_targets, targets_of_any_sum
from tensorproof_reference.losses._reduction import reduced, spread
from tensorproof_reference.losses._samples import FINE, NONE, PLAIN, WIDE, each_by_itself, loss_samples
from tensorproof_reference.losses._workloads import CLASSES, reduction_work
from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work, asarray
from tensorproof_reference.operations._workloads import count
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def kl_divergence(log_probabilities: Array, target: Array, *, log_target: bool = False, reduction: str = "mean") -> Array:
    r"""The Kullback-Leibler divergence of a distribution from a target: :math:`y = \sum_k t_k (\log t_k - x_k)`.

    x are logarithms of probabilities. A term whose target is 0 is 0. With ``log_target`` the target is given as logarithms l, and
    :math:`y = \sum_k e^{l_k} (l_k - x_k)`. Neither is required to sum to one. The mean is over distributions (``batchmean`` in
    PyTorch, whose ``mean`` divides by the number of classes too).

    Shapes: ``log_probabilities`` and ``target`` are (…, K), classes last. The result is the mean or sum over distributions,
    or (…) for ``reduction="none"``.
    Special values: by IEEE arithmetic. A logarithm of -∞ gives +∞ where the target is positive and NaN where it is 0 (0 · ∞).
    Raises: ``ValueError`` if the shapes differ, if there is no axis of classes, or if ``reduction`` is unknown.
    Source: Goodfellow, Bengio & Courville (2016), eq. 3.50; Kullback & Leibler (1951), eq. 2.4.
    """
    require_shape(target, "target", log_probabilities.shape)
    require(target.ndim >= 1, "target", "an array with at least 1 axis", f"shape {target.shape}")
    if log_target:
        return reduced(np.sum(np.exp(target) * (target - log_probabilities), axis=-1), reduction)
    return reduced(np.sum(scipy.special.xlogy(target, target) - target * log_probabilities, axis=-1), reduction)


def vjp(dy: Array, log_probabilities: Array, target: Array, *, log_target: bool = False, reduction: str = "mean") -> Gradients:
    r""":math:`dx_k = -t_k \, dy`, divided by the number of distributions where the mean is taken."""
    weights = np.exp(target) if log_target else target
    return {"log_probabilities": -weights * spread(dy, target.shape[:-1], reduction)[..., None]}


def _logarithms(stream: Stream, shape: tuple[int, ...]) -> Array:
    """Between -4 and -1/4."""
    return stream.uniform(shape, -4.0, -0.25)


def samples(stream: Stream) -> Iterator[Sample]:
    """Those of every loss; targets with zeros, of any sum, dense and as logarithms; wide spreads."""
    draws = {"log_probabilities": _logarithms, "target": soft_targets}
    yield from loss_samples(stream, each_by_itself(draws), of_rows=True, lanes=("log_probabilities",))
    for reduction in ("mean", "none"):
        name = f"labels_of_any_sum_{reduction}"
        numbers = stream(name)
        inputs = {"log_probabilities": _logarithms(numbers, (6, 7)), "target": targets_of_any_sum(numbers, (6, 7))}
        yield Sample(name=name, inputs=inputs, keywords={"reduction": reduction})
        name = f"labels_dense_{reduction}"
        inputs = {"log_probabilities": _logarithms(stream(name), PLAIN), "target": distributions(stream(name), PLAIN)}
        yield Sample(name=name, inputs=inputs, keywords={"reduction": reduction})
        for shape in (PLAIN, (64, 128)):
            name = f"labels_logarithms_{reduction}_{shape[0]}"
            inputs = {"log_probabilities": _logarithms(stream(name)("x"), shape), "target": _logarithms(stream(name)("t"), shape)}
            yield Sample(name=name, inputs=inputs, keywords={"log_target": True, "reduction": reduction})
    same = _logarithms(stream("zero_same_logarithms"), PLAIN)
    inputs = {"log_probabilities": same, "target": same}
    yield Sample(name="zero_same_logarithms", inputs=inputs, keywords={"log_target": True, **NONE}, exact_zero=("y",))
    name = "magnitude_spread_60"
    inputs = {"log_probabilities": stream(name).uniform(PLAIN, -60.0, 0.0), "target": soft_targets(stream(name), PLAIN)}
    yield Sample(name=name, inputs=inputs, keywords=NONE, dtypes=FINE)
    name = "magnitude_1e30"
    inputs = {"log_probabilities": 1e30 * _logarithms(stream(name), PLAIN), "target": soft_targets(stream(name), PLAIN)}
    yield Sample(name=name, inputs=inputs, keywords=NONE, dtypes=WIDE)
    inputs = {"log_probabilities": asarray([[-np.inf, -0.5]] * 2), "target": asarray([[1.0, 0.0], [0.0, 1.0]])}
    yield Sample(name="infinity_impossible", inputs=inputs, keywords=NONE, expected={"y": asarray([np.inf, np.nan])})


def workload(stream: Stream, size: str) -> Sample:
    """Distributions over a thousand classes."""
    inputs = {"log_probabilities": _logarithms(stream("x"), CLASSES[size]), "target": distributions(stream("t"), CLASSES[size])}
    return Sample(name=size, inputs=inputs)


def work(log_probabilities: Array, target: Array, *, log_target: bool = False, reduction: str = "mean") -> Work:
    """A logarithm or exponential, two products (one), a difference and their sum; back, a product, and the exponential again."""
    numbers = count(target)
    rows = numbers // target.shape[-1]
    terms = Work(flops=(3 if log_target else 4) * numbers - rows, transcendentals=numbers, backward_flops=numbers)
    return terms + reduction_work(rows, reduction)


OPERATION = Operation(
    function=kl_divergence,
    vjp=vjp,
    samples=samples,
    family="loss",
    profile=EXTENDED,
    differentiable=("log_probabilities",),
    workload=workload,
    work=work,
)
