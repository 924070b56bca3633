"""Connectionist temporal classification: see ``ctc``."""

import numpy as np

from tensorproof_reference.arguments import require, require_rank, require_shape
from tensorproof_reference.losses._ctc_samples import samples, workload
from tensorproof_reference.losses._reduction import reduced, spread
from tensorproof_reference.losses._workloads import reduction_work
from tensorproof_reference.operation import EXTENDED, Operation, Work
from tensorproof_reference.operations import log_softmax as log_softmax_page
from tensorproof_reference.operations._workloads import count
from tensorproof_reference.operations.log_softmax import log_softmax
from tensorproof_reference.trees import Array, Gradients


def ctc(
    logits: Array, labels: Array, logit_lengths: Array, label_lengths: Array, *, blank: int = 0, reduction: str = "mean"
) -> Array:
    r"""The negative log likelihood of labels in a sequence, wherever they stand: :math:`y = -\log \sum_π \prod_t p_{t, π_t}`.

    :math:`p_t` is the softmax of the logits at time t. The sum is over all paths π of classes and blanks that become the labels
    when equal neighbours are merged and then blanks are left out. Let l' be the labels with a blank before, between and behind
    them. The sum over paths up to time t that end at place s of l' is
    :math:`α_t(s) = (α_{t-1}(s) + α_{t-1}(s-1) + α_{t-1}(s-2)) \, p_{t, l'_s}`, computed in logarithms. Its last term is there
    only where :math:`l'_s` is neither blank nor :math:`l'_{s-2}`. The likelihood is the sum of the last α at the last two places.

    Shapes: ``logits`` (N, T, K); ``labels`` (N, L), ``logit_lengths`` (N) and ``label_lengths`` (N), integers. What lies beyond
    a length does not count. The result is the mean or sum over sequences, or (N) for ``reduction="none"``. No loss is divided by
    its number of labels.
    Special values: +∞ where no path fits, since labels, and a blank between equal ones, need more times than there are. NaN
    within the length gives NaN.
    Raises: ``ValueError`` if the shapes do not fit, if labels or lengths are not integers or out of range, if a label is the
    blank, if ``blank`` is no class, or if ``reduction`` is unknown.
    Source: Graves, Fernández, Gomez & Schmidhuber (2006), eqs. 3 to 8.
    """
    classes, in_time = _checked(logits, labels, logit_lengths, label_lengths, blank)
    last = _forward(_emitted(logits, classes), _may_skip(classes, blank), in_time)[-1]
    return reduced(-_ended(last, label_lengths), reduction)


def vjp(
    dy: Array,
    logits: Array,
    labels: Array,
    logit_lengths: Array,
    label_lengths: Array,
    *,
    blank: int = 0,
    reduction: str = "mean",
) -> Gradients:
    r"""That of log-softmax for :math:`dz_{tk} = -\sum_{s: l'_s = k} α_t(s) β_t(s) / \sum_π p_π \, dy`; beyond the length 0.

    :math:`β_t(s)` is the sum over the rest of all paths that are at place s at time t. At each time the shares of all places sum
    to 1, so :math:`dx_{tk} = p_{tk} \, dy + dz_{tk}` (eq. 16).
    """
    classes, in_time = _checked(logits, labels, logit_lengths, label_lengths, blank)
    emitted, may_skip = _emitted(logits, classes), _may_skip(classes, blank)
    forward = _forward(emitted, may_skip, in_time)
    likelihood = _ended(forward[-1], label_lengths)
    backward = _backward(emitted, may_skip, in_time, label_lengths)
    share = np.exp(np.stack(forward, axis=1) + np.stack(backward, axis=1) - likelihood[:, None, None])
    named = (classes[..., None] == np.arange(logits.shape[-1])).astype(share.dtype)
    each = np.where(in_time, spread(dy, likelihood.shape, reduction)[:, None], 0.0)
    return {"logits": log_softmax_page.vjp(-np.matmul(share, named) * each[..., None], logits)["x"]}


def _checked(logits: Array, labels: Array, logit_lengths: Array, label_lengths: Array, blank: int) -> tuple[Array, Array]:
    """The classes l' at all places, (N, 2 L + 1), blanks beyond the labels; and which times count, (N, T)."""
    require_rank(logits, "logits", 3)
    require_rank(labels, "labels", 2)
    (number, times, classes), most = logits.shape, labels.shape[1]
    require_shape(labels, "labels", (number, most))
    require(0 <= blank < classes, "blank", f"a class from 0 to {classes - 1}", blank)
    _require_between(logit_lengths, "logit_lengths", (number,), 1, times)
    _require_between(label_lengths, "label_lengths", (number,), 0, most)
    named = np.arange(most) < label_lengths[:, None]
    _require_between(np.where(named, labels, 0), "labels", labels.shape, 0, classes - 1)
    require(not (named & (labels == blank)).any(), "labels", f"classes other than the blank {blank}", labels.tolist())
    places = np.full((number, 2 * most + 1), blank)
    places[:, 1::2] = np.where(named, labels, blank)
    return places, np.arange(times) < logit_lengths[:, None]


def _require_between(numbers: Array, argument: str, shape: tuple[int, ...], least: int, most: int) -> None:
    require_shape(numbers, argument, shape)
    require(np.issubdtype(numbers.dtype, np.integer), argument, "integers", f"dtype {numbers.dtype}")
    require(bool(((numbers >= least) & (numbers <= most)).all()), argument, f"numbers from {least} to {most}", numbers.tolist())


def _emitted(logits: Array, classes: Array) -> Array:
    """The logarithm of the probability of each place's class at each time, (N, T, S)."""
    number, times, _ = logits.shape
    places = np.broadcast_to(classes[:, None, :], (number, times, classes.shape[1]))
    return np.take_along_axis(log_softmax(logits), places, axis=-1)


def _may_skip(classes: Array, blank: int) -> Array:
    """The places that a path may reach from the place before the last: those of a label unlike the one before."""
    before = np.roll(classes, 2, axis=1)
    return (classes != blank) & (classes != before) & (np.arange(classes.shape[1]) >= 2)


def _forward(emitted: Array, may_skip: Array, in_time: Array) -> list[Array]:
    """log α for each time; after the last time that counts it stays."""
    places = emitted.shape[2]
    alpha = np.where(np.arange(places) < 2, emitted[:, 0], -np.inf)
    found = [alpha]
    for time in range(1, emitted.shape[1]):
        stays = np.logaddexp(alpha, _moved(alpha, 1))
        reached = np.logaddexp(stays, np.where(may_skip, _moved(alpha, 2), -np.inf)) + emitted[:, time]
        alpha = np.where(in_time[:, time, None], reached, alpha)
        found.append(alpha)
    return found


def _backward(emitted: Array, may_skip: Array, in_time: Array, label_lengths: Array) -> list[Array]:
    """log β for each time: 0 at the last two places at the last time that counts."""
    _, times, places = emitted.shape
    ahead = 2 * label_lengths[:, None] - np.arange(places)
    ends = np.where((ahead == 0) | (ahead == 1), np.zeros_like(emitted[:, 0]), -np.inf)
    beta = ends
    found = [beta]
    for time in range(times - 1, 0, -1):
        follows = beta + emitted[:, time]
        skipped = _moved(np.where(may_skip, follows, -np.inf), -2)
        left = np.logaddexp(np.logaddexp(follows, _moved(follows, -1)), skipped)
        beta = np.where(in_time[:, time, None], left, ends)
        found.append(beta)
    return found[::-1]


def _moved(x: Array, places: int) -> Array:
    """Moved along the last axis by so many places, with -∞ where nothing comes from."""
    away = np.full_like(x[:, : abs(places)], -np.inf)
    if places > 0:
        return np.concatenate([away, x[:, :-places]], axis=1)
    return np.concatenate([x[:, -places:], away], axis=1)


def _ended(alpha: Array, label_lengths: Array) -> Array:
    """The logarithm of the sum over whole paths: those that end at the last blank or the last label."""
    last = 2 * label_lengths[:, None]
    label = np.take_along_axis(alpha, np.maximum(last - 1, 0), axis=1)
    return np.logaddexp(np.take_along_axis(alpha, last, axis=1), np.where(last > 0, label, -np.inf))[:, 0]


def work(
    logits: Array, labels: Array, logit_lengths: Array, label_lengths: Array, *, blank: int = 0, reduction: str = "mean"
) -> Work:
    """A log-softmax, and at each place and time two sums of exponentials and the class's logarithm.

    Back, the same from the end, an exponential at each place and time, softmax and a difference.
    """
    number, times, _ = logits.shape
    numbers, steps = count(logits), number * times * (2 * labels.shape[1] + 1)
    paths = Work(
        flops=9 * steps,
        transcendentals=4 * steps,
        backward_flops=12 * steps + 2 * numbers,
        backward_transcendentals=5 * steps + numbers,
    )
    return log_softmax_page.work(logits) + paths + reduction_work(number, reduction)


OPERATION = Operation(
    function=ctc,
    vjp=vjp,
    samples=samples,
    family="alignment",
    profile=EXTENDED,
    differentiable=("logits",),
    axes={"logits": "n t k"},
    workload=workload,
    work=work,
)
