"""Faults in metrics: thresholds, quotients of nothing, rows for columns, ties."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from faulty import Faults, Row, changed, reference

FAULTS = Faults()


def nothing_is_undefined(operation: str) -> Any:
    """NaN where nothing is to be divided by."""

    def metric(probabilities: Any, target: Any, *, threshold: float = 0.5) -> Any:
        answers, ones = np.sum(probabilities > threshold), np.sum(target == 1.0)
        whole = {"precision": answers, "recall": ones, "f1_score": answers + ones}[operation]
        return reference(operation, probabilities, target, threshold=threshold) if whole else np.asarray(np.nan)

    return metric


def exchanged(operation: str) -> Any:
    """Precision for recall, and recall for precision."""
    return lambda *arguments, **keywords: reference("recall" if operation == "precision" else "precision", *arguments, **keywords)


def at_the_threshold(operation: str) -> Any:
    """A probability equal to the threshold answers 1."""
    return lambda probabilities, target, *, threshold=0.5: reference(
        operation, probabilities, target, threshold=threshold - 2.0**-12
    )


def half_always(operation: str) -> Any:
    """The threshold is not looked at."""
    return lambda probabilities, target, *, threshold=0.5: reference(operation, probabilities, target)


def mean_of_both(probabilities: Any, target: Any, *, threshold: float = 0.5) -> Any:
    """The arithmetic mean of precision and recall."""
    both = [reference(name, probabilities, target, threshold=threshold) for name in ("precision", "recall")]
    return np.asarray(sum(both) / 2)


def ranks_by_sorting(scores: Any, labels: Any, *, k: int = 5) -> Any:
    """Of equal scores at the last of the k places the first are in."""
    best = np.argsort(-scores, axis=-1, kind="stable")[:, :k]
    return np.mean((best == labels[:, None]).any(axis=-1).astype(np.float64))


def last_row_forgotten(labels: Any, answers: Any, *, classes: int) -> Any:
    """As many classes as were answered: what is beyond is not counted."""
    right = reference("confusion_matrix", labels, answers, classes=classes)
    right[-1] = 0
    return right


def of_bytes(labels: Any, answers: Any, *, classes: int) -> Any:
    """Counts in 16 bits."""
    return reference("confusion_matrix", labels, answers, classes=classes).astype(np.int16).astype(np.int64)


def one_pass(prediction: Any, target: Any) -> Any:
    """The variance as mean of squares less square of mean, in float32."""
    t = target.astype(np.float32)
    whole = np.mean(t * t, axis=0) - np.mean(t, axis=0) ** 2
    left = np.mean((target - prediction).astype(np.float32) ** 2, axis=0)
    return np.mean(1.0 - left / whole).astype(target.dtype)


def all_columns_together(prediction: Any, target: Any) -> Any:
    """One mean for all columns."""
    return reference("r_squared", prediction.reshape(-1, 1), target.reshape(-1, 1))


VALUES: Sequence[Row] = (
    ("precision", "plain", "recall_instead", exchanged("precision")),
    ("precision", "bounds", "nothing_is_undefined", nothing_is_undefined("precision")),
    ("precision", "ties", "threshold_itself_is_one", at_the_threshold("precision")),
    ("recall", "plain", "precision_instead", exchanged("recall")),
    ("recall", "bounds", "nothing_is_undefined", nothing_is_undefined("recall")),
    ("recall", "optional", "threshold_ignored", half_always("recall")),
    ("f1_score", "plain", "arithmetic_mean", mean_of_both),
    ("f1_score", "bounds", "nothing_is_undefined", nothing_is_undefined("f1_score")),
    ("f1_score", "ties", "threshold_itself_is_one", at_the_threshold("f1_score")),
    (
        "confusion_matrix",
        "plain",
        "rows_for_columns",
        changed("confusion_matrix", lambda given: {"labels": given["answers"], "answers": given["labels"]}),
    ),
    ("confusion_matrix", "plain", "last_row_forgotten", last_row_forgotten),
    ("confusion_matrix", "long", "counts_in_16_bits", of_bytes),
    ("top_k_accuracy", "ties", "ties_cut_off", ranks_by_sorting),
    ("top_k_accuracy", "bounds", "one_place_more", changed("top_k_accuracy", lambda given: {"k": given.get("k", 5) + 1})),
    ("r_squared", "cancellation", "one_pass_variance", one_pass),
    ("r_squared", "plain", "all_columns_together", all_columns_together),
    (
        "r_squared",
        "plain",
        "target_and_prediction_exchanged",
        changed("r_squared", lambda given: {"prediction": given["target"], "target": given["prediction"]}),
    ),
)
"""Functions whose values are wrong."""

FAULTS.rows(VALUES, ())
