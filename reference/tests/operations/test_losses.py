"""Losses against scipy and mpmath, by properties, at special values, and their errors."""

from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.special

from tensorproof_reference.losses.binary_cross_entropy import binary_cross_entropy
from tensorproof_reference.losses.binary_cross_entropy import vjp as binary_cross_entropy_vjp
from tensorproof_reference.losses.binary_cross_entropy_with_logits import binary_cross_entropy_with_logits
from tensorproof_reference.losses.binary_cross_entropy_with_logits import vjp as binary_cross_entropy_with_logits_vjp
from tensorproof_reference.losses.categorical_cross_entropy import categorical_cross_entropy
from tensorproof_reference.losses.categorical_cross_entropy import vjp as categorical_cross_entropy_vjp
from tensorproof_reference.losses.cross_entropy import cross_entropy
from tensorproof_reference.losses.hinge import hinge
from tensorproof_reference.losses.hinge import vjp as hinge_vjp
from tensorproof_reference.losses.mean_squared_error import mean_squared_error
from tensorproof_reference.losses.softmax_cross_entropy import softmax_cross_entropy
from tensorproof_reference.losses.softmax_cross_entropy import vjp as softmax_cross_entropy_vjp
from tensorproof_reference.losses.sparse_categorical_cross_entropy import sparse_categorical_cross_entropy
from tensorproof_reference.losses.sparse_categorical_cross_entropy import vjp as sparse_categorical_cross_entropy_vjp
from tensorproof_reference.stream import Stream

STREAM = Stream(11)("test_losses")
LOGITS = STREAM("logits").normal((6, 5), deviation=2.0)
LABELS = STREAM("labels").integers((6,), 0, 5)
ONE_HOT = np.eye(5)[LABELS]
PROBABILITIES = scipy.special.softmax(LOGITS, axis=-1)
SOFT = scipy.special.softmax(STREAM("soft").normal((6, 5)), axis=-1)
BITS = STREAM("bits").integers((6, 5), 0, 2).astype(float)
DY = STREAM("dy").normal((6,))
close = np.testing.assert_allclose


@pytest.mark.parametrize(
    ("loss", "arguments", "shape"),
    [
        (mean_squared_error, (LOGITS, SOFT), (6, 5)),
        (cross_entropy, (PROBABILITIES, SOFT), (6,)),
        (binary_cross_entropy, (PROBABILITIES, BITS), (6, 5)),
        (binary_cross_entropy_with_logits, (LOGITS, BITS), (6, 5)),
        (categorical_cross_entropy, (PROBABILITIES, SOFT), (6,)),
        (sparse_categorical_cross_entropy, (PROBABILITIES, LABELS), (6,)),
        (softmax_cross_entropy, (LOGITS, LABELS), (6,)),
        (hinge, (LOGITS, 2.0 * BITS - 1.0), (6, 5)),
    ],
)
def test_mean_and_sum_reduce_the_losses_of_samples(loss: Any, arguments: tuple[Any, ...], shape: tuple[int, ...]) -> None:
    each = loss(*arguments, reduction="none")
    assert each.shape == shape
    assert np.shape(loss(*arguments)) == ()
    close(loss(*arguments), np.mean(each), rtol=1e-14)
    close(loss(*arguments, reduction="sum"), np.sum(each), rtol=1e-14)


def test_mean_squared_error() -> None:
    assert mean_squared_error(np.array([1.0, 2.0, 4.0]), np.array([1.0, 0.0, 1.0])) == 13.0 / 3.0


def test_cross_entropy_is_entropy_plus_divergence() -> None:
    expected = np.sum(scipy.special.entr(SOFT) + scipy.special.rel_entr(SOFT, PROBABILITIES), axis=-1)
    close(cross_entropy(PROBABILITIES, SOFT, reduction="none"), expected, rtol=1e-13)
    close(cross_entropy(PROBABILITIES.T, SOFT.T, axis=0, reduction="none"), expected, rtol=1e-13)


def test_binary_cross_entropy_is_that_of_two_classes() -> None:
    q, t = PROBABILITIES, SOFT
    expected = -scipy.special.xlogy(t, q) - scipy.special.xlog1py(1.0 - t, -q)
    close(binary_cross_entropy(q, t, reduction="none"), expected, rtol=1e-12)
    two, target = np.stack([q, 1.0 - q], axis=-1), np.stack([t, 1.0 - t], axis=-1)
    close(cross_entropy(two, target, reduction="none"), expected, rtol=1e-12)


@pytest.mark.parametrize("logit", [-1000.0, -89.0, -3.5, 0.0, 2.25, 104.0, 1000.0])
@pytest.mark.parametrize("target", [0.0, 0.25, 1.0])
def test_binary_cross_entropy_with_logits_against_arbitrary_precision(logit: float, target: float) -> None:
    with mpmath.workdps(1000):
        probability = 1 / (1 + mpmath.exp(-mpmath.mpf(logit)))
        exact = float(-(target * mpmath.log(probability) + (1 - target) * mpmath.log(1 - probability)))
        slope = float(probability - target)
    x, t = np.array([logit]), np.array([target])
    close(binary_cross_entropy_with_logits(x, t), exact, rtol=1e-14, atol=2.0**-53 * abs(logit))
    close(binary_cross_entropy_with_logits_vjp(np.array(1.0), x, t)["logits"], [slope], rtol=1e-14, atol=1e-16)


def test_binary_cross_entropy_with_logits_is_that_of_two_logits() -> None:
    two = np.stack([LOGITS, np.zeros_like(LOGITS)], axis=-1)
    target = np.stack([SOFT, 1.0 - SOFT], axis=-1)
    each = binary_cross_entropy_with_logits(LOGITS, SOFT, reduction="none")
    close(each, softmax_cross_entropy(two, target, reduction="none"), rtol=1e-13)


def test_categorical_cross_entropy_of_one_hot_targets_is_the_sparse_one() -> None:
    for keywords in ({}, {"clipping": "probability"}, {"normalize": True}, {"clipping": "probability", "epsilon": 0.1}):
        rows = 1.5 * PROBABILITIES
        dense = categorical_cross_entropy(rows, ONE_HOT, reduction="none", **keywords)
        sparse = sparse_categorical_cross_entropy(rows, LABELS, reduction="none", **keywords)
        close(sparse, dense, rtol=1e-14, atol=1e-14)
        d_dense = categorical_cross_entropy_vjp(DY, rows, ONE_HOT, reduction="none", **keywords)
        d_sparse = sparse_categorical_cross_entropy_vjp(DY, rows, LABELS, reduction="none", **keywords)
        close(d_sparse["probabilities"], d_dense["probabilities"], rtol=1e-14, atol=1e-14)


def test_softmax_cross_entropy_against_scipy() -> None:
    log_softmax = scipy.special.log_softmax(LOGITS, axis=-1)
    expected = -log_softmax[np.arange(6), LABELS]
    close(softmax_cross_entropy(LOGITS, LABELS, reduction="none"), expected, rtol=1e-13, atol=1e-15)
    close(softmax_cross_entropy(LOGITS, ONE_HOT, reduction="none"), expected, rtol=1e-13, atol=1e-15)
    close(softmax_cross_entropy(LOGITS, SOFT, reduction="none"), -np.sum(SOFT * log_softmax, axis=-1), rtol=1e-13)
    smoothed = 0.9 * ONE_HOT + 0.1 / 5
    for target in (LABELS, ONE_HOT):
        loss = softmax_cross_entropy(LOGITS, target, label_smoothing=0.1, reduction="none")
        close(loss, -np.sum(smoothed * log_softmax, axis=-1), rtol=1e-13)
    d_logits = softmax_cross_entropy_vjp(DY, LOGITS, LABELS, label_smoothing=0.1, reduction="none")["logits"]
    close(d_logits, (PROBABILITIES - smoothed) * DY[:, None], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("ignored_label", [-100, -1, 2])
def test_ignored_samples_might_as_well_be_absent(smoothing: float, ignored_label: int) -> None:
    target = np.where(ignored_label == LABELS, 3, LABELS)
    target[[1, 4]] = ignored_label
    kept = np.array([0, 2, 3, 5])
    for reduction in ("mean", "sum"):
        keywords: dict[str, Any] = {"label_smoothing": smoothing, "reduction": reduction}
        all_of_them = softmax_cross_entropy(LOGITS, target, ignored_label=ignored_label, **keywords)
        close(all_of_them, softmax_cross_entropy(LOGITS[kept], target[kept], **keywords), rtol=1e-14)
        dy = np.array(0.7)
        gradient = softmax_cross_entropy_vjp(dy, LOGITS, target, ignored_label=ignored_label, **keywords)["logits"]
        assert not gradient[[1, 4]].any()
        close(gradient[kept], softmax_cross_entropy_vjp(dy, LOGITS[kept], target[kept], **keywords)["logits"], rtol=1e-14)


def test_ignored_samples_hide_nan_and_all_ignored_leave_no_mean() -> None:
    logits = np.where(np.arange(6)[:, None] == 1, np.nan, LOGITS)
    target = np.where(np.arange(6) == 1, -100, LABELS)
    assert np.isfinite(softmax_cross_entropy(logits, target, ignored_label=-100))
    assert np.isfinite(softmax_cross_entropy_vjp(np.array(1.0), logits, target, ignored_label=-100)["logits"]).all()
    with np.errstate(all="ignore"):
        assert np.isnan(softmax_cross_entropy(LOGITS, np.full(6, -100), ignored_label=-100))


def test_labels_out_of_range() -> None:
    labels = np.array([0, 5, -1])
    logits, rows = LOGITS[:3], PROBABILITIES[:3]
    for loss, vjp, x in (
        (softmax_cross_entropy, softmax_cross_entropy_vjp, logits),
        (sparse_categorical_cross_entropy, sparse_categorical_cross_entropy_vjp, rows),
    ):
        (name,) = vjp(DY[:3], x, np.zeros(3, int), reduction="none")
        first = loss(x[:1], labels[:1])
        close(loss(x, labels, out_of_range="zeros", reduction="none"), [first, 0.0, 0.0])
        close(loss(x, labels, out_of_range="zeros"), first / 3.0)
        assert not vjp(DY[:3], x, labels, out_of_range="zeros", reduction="none")[name][1:].any()
        close(loss(x, labels, out_of_range="clamp"), loss(x, np.array([0, 4, 0])))
        close(loss(x, labels, out_of_range="nan", reduction="none"), [first, np.nan, np.nan])
        assert np.isnan(loss(x, labels, out_of_range="nan"))


def test_hinge_and_its_margin() -> None:
    scores, labels = np.array([2.0, 0.5, -1.0, 1.0]), np.array([1.0, 1.0, 1.0, -1.0])
    close(hinge(scores, labels, reduction="none"), [0.0, 0.5, 2.0, 2.0])
    close(hinge_vjp(np.ones(4), scores, labels, reduction="none")["scores"], [0.0, -1.0, -1.0, 1.0])
    assert hinge_vjp(np.array(1.0), np.array([1.0]), np.array([1.0]))["scores"] == [0.0]


def test_clipping() -> None:
    q, t = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0, 1.0])
    keywords: dict[str, Any] = {"clipping": "probability", "epsilon": 2.0**-7, "reduction": "none"}
    right, wrong = -np.log(1 - 2.0**-7), np.log(2.0**7)
    close(binary_cross_entropy(q, t, **keywords), [right, wrong, wrong, right])
    assert not binary_cross_entropy_vjp(np.ones(4), q, t, **keywords)["probabilities"].any()
    inside = np.array([2.0**-7, 1.0 - 2.0**-7])
    assert binary_cross_entropy_vjp(np.ones(2), inside, t[:2], **keywords)["probabilities"].all()
    nan = np.array([np.nan])
    assert np.isnan(binary_cross_entropy_vjp(np.ones(1), nan, t[:1], **keywords)["probabilities"]).all()
    with np.errstate(all="ignore"):
        close(binary_cross_entropy(q, t, clipping="log", reduction="none"), [0.0, 100.0, 100.0, 0.0])
    slopes = binary_cross_entropy_vjp(np.ones(4), q, t, clipping="log", reduction="none")["probabilities"]
    close(slopes, [0.0, 1e12, -1e12, 0.0])


LOGITS_ONLY = {"logits": LOGITS, "target": LABELS}
ROWS_ONLY = {"probabilities": PROBABILITIES, "labels": LABELS}
TWO = {"probabilities": PROBABILITIES, "target": SOFT}


@pytest.mark.parametrize(
    ("loss", "arguments", "wrong"),
    [
        (mean_squared_error, {"prediction": DY, "target": DY[:, None]}, "target"),
        (mean_squared_error, {"prediction": DY, "target": DY, "reduction": "average"}, "reduction"),
        (cross_entropy, {**TWO, "target": SOFT.T}, "target"),
        (cross_entropy, {**TWO, "axis": 2}, "axis"),
        (cross_entropy, {**TWO, "reduction": "batch"}, "reduction"),
        (binary_cross_entropy, {**TWO, "target": DY}, "target"),
        (binary_cross_entropy, {**TWO, "clipping": "logits"}, "clipping"),
        (binary_cross_entropy, {**TWO, "epsilon": 0.5}, "epsilon"),
        (binary_cross_entropy, {**TWO, "reduction": None}, "reduction"),
        (binary_cross_entropy_with_logits, {"logits": LOGITS, "target": DY}, "target"),
        (binary_cross_entropy_with_logits, {"logits": LOGITS, "target": BITS, "reduction": "x"}, "reduction"),
        (categorical_cross_entropy, {"probabilities": np.array(0.5), "target": np.array(1.0)}, "probabilities"),
        (categorical_cross_entropy, {**TWO, "target": SOFT[:5]}, "target"),
        (categorical_cross_entropy, {**TWO, "clipping": "log"}, "clipping"),
        (categorical_cross_entropy, {**TWO, "epsilon": 0.0}, "epsilon"),
        (categorical_cross_entropy, {**TWO, "reduction": "x"}, "reduction"),
        (sparse_categorical_cross_entropy, {"probabilities": np.array(0.5), "labels": np.array(1)}, "probabilities"),
        (sparse_categorical_cross_entropy, {**ROWS_ONLY, "labels": LABELS[:, None]}, "labels"),
        (sparse_categorical_cross_entropy, {**ROWS_ONLY, "labels": LABELS + 0.0}, "labels"),
        (sparse_categorical_cross_entropy, {**ROWS_ONLY, "labels": LABELS - 5}, "labels"),
        (sparse_categorical_cross_entropy, {**ROWS_ONLY, "labels": LABELS + 5}, "labels"),
        (sparse_categorical_cross_entropy, {**ROWS_ONLY, "clipping": "log"}, "clipping"),
        (sparse_categorical_cross_entropy, {**ROWS_ONLY, "epsilon": -1.0}, "epsilon"),
        (sparse_categorical_cross_entropy, {**ROWS_ONLY, "out_of_range": "wrap"}, "out_of_range"),
        (sparse_categorical_cross_entropy, {**ROWS_ONLY, "reduction": "x"}, "reduction"),
        (softmax_cross_entropy, {"logits": np.array(0.5), "target": np.array(1)}, "logits"),
        (softmax_cross_entropy, {**LOGITS_ONLY, "target": SOFT.T}, "target"),
        (softmax_cross_entropy, {**LOGITS_ONLY, "target": LABELS[:5]}, "target"),
        (softmax_cross_entropy, {**LOGITS_ONLY, "target": LABELS + 0.0}, "target"),
        (softmax_cross_entropy, {**LOGITS_ONLY, "target": LABELS + 5}, "target"),
        (softmax_cross_entropy, {**LOGITS_ONLY, "target": LABELS - 5, "ignored_label": -100}, "target"),
        (softmax_cross_entropy, {**LOGITS_ONLY, "label_smoothing": 1.5}, "label_smoothing"),
        (softmax_cross_entropy, {**LOGITS_ONLY, "target": SOFT, "ignored_label": 2}, "ignored_label"),
        (softmax_cross_entropy, {**LOGITS_ONLY, "out_of_range": "wrap"}, "out_of_range"),
        (softmax_cross_entropy, {**LOGITS_ONLY, "target": SOFT, "out_of_range": "wrap"}, "out_of_range"),
        (softmax_cross_entropy, {**LOGITS_ONLY, "reduction": "x"}, "reduction"),
        (hinge, {"scores": LOGITS, "labels": DY}, "labels"),
        (hinge, {"scores": LOGITS, "labels": BITS, "reduction": "x"}, "reduction"),
    ],
)
def test_errors_name_the_argument(loss: Any, arguments: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValueError, match=rf"^{wrong}: expected "):
        loss(**arguments)
