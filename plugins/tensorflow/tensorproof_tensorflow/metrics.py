"""Metrics beyond accuracies (profile ``extended``): those of Keras, which count in float32."""

from tensorproof.backend import Native
from tensorproof_tensorflow.framework import keras, tf
from tensorproof_tensorflow.table import operations


@operations.library
def precision(probabilities: Native, target: Native, *, threshold: float = 0.5) -> Native:
    """``keras.metrics.Precision``."""
    metric = keras.metrics.Precision(thresholds=threshold)
    metric.update_state(target, probabilities)
    return metric.result()


@operations.library
def recall(probabilities: Native, target: Native, *, threshold: float = 0.5) -> Native:
    """``keras.metrics.Recall``."""
    metric = keras.metrics.Recall(thresholds=threshold)
    metric.update_state(target, probabilities)
    return metric.result()


@operations.library
def f1_score(probabilities: Native, target: Native, *, threshold: float = 0.5) -> Native:
    """``keras.metrics.F1Score`` of one column."""
    metric = keras.metrics.F1Score(average="micro", threshold=threshold, dtype=probabilities.dtype.name)
    metric.update_state(tf.reshape(target, (-1, 1)), tf.reshape(probabilities, (-1, 1)))
    return metric.result()


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
    metric = keras.metrics.R2Score(dtype=prediction.dtype.name)
    metric.update_state(target, prediction)
    return metric.result()
