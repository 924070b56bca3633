"""Metrics beyond accuracies (profile ``extended``): those of Keras, which count in float32."""

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow.framework import keras, tf
from tensorproof_tensorflow.table import operations


def _result(metric: Native, target: Native, answers: Native) -> Native:
    """What a metric of Keras says of one batch."""
    metric.update_state(target, answers)
    return metric.result()


def _require_eager() -> None:
    if not tf.executing_eagerly():
        raise Unsupported("a metric of Keras makes variables, which tf.function allows in its first call only")


@operations.library
def precision(probabilities: Native, target: Native, *, threshold: float = 0.5) -> Native:
    """``keras.metrics.Precision``."""
    _require_eager()
    return _result(keras.metrics.Precision(thresholds=threshold), target, probabilities)


@operations.library
def recall(probabilities: Native, target: Native, *, threshold: float = 0.5) -> Native:
    """``keras.metrics.Recall``."""
    _require_eager()
    return _result(keras.metrics.Recall(thresholds=threshold), target, probabilities)


@operations.library
def f1_score(probabilities: Native, target: Native, *, threshold: float = 0.5) -> Native:
    """``keras.metrics.F1Score`` of one column."""
    _require_eager()
    if threshold <= 0:
        raise Unsupported("keras.metrics.F1Score takes thresholds above 0")
    metric = keras.metrics.F1Score(average="micro", threshold=threshold)
    return _result(metric, tf.reshape(target, (-1, 1)), tf.reshape(probabilities, (-1, 1)))


@operations.native
def confusion_matrix(labels: Native, answers: Native, *, classes: int) -> Native:
    """``tf.math.confusion_matrix``."""
    return tf.math.confusion_matrix(labels, answers, num_classes=classes, dtype=tf.int64)


@operations.native
def top_k_accuracy(scores: Native, labels: Native, *, k: int = 5) -> Native:
    """The mean of ``tf.math.in_top_k``, which takes float32."""
    return tf.reduce_mean(tf.cast(tf.math.in_top_k(labels, tf.cast(scores, tf.float32), k), tf.float32))


@operations.library
def r_squared(prediction: Native, target: Native) -> Native:
    """``keras.metrics.R2Score``."""
    _require_eager()
    return _result(keras.metrics.R2Score(dtype=prediction.dtype.name), target, prediction)
