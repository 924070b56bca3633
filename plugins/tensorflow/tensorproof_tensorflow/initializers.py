"""Keras's initialisers of weights, and random draws for augmentation and shuffling."""

from collections.abc import Mapping

from tensorproof.backend import Native, Unsupported
from tensorproof_tensorflow import layers
from tensorproof_tensorflow.framework import keras, tf
from tensorproof_tensorflow.table import operations

LAYOUTS = {
    **{
        name: {"like": "... i o", "y": "... i o"}
        for name in (
            *("glorot_uniform", "glorot_normal", "he_uniform", "he_normal"),
            *("lecun_uniform", "lecun_normal", "orthogonal"),
        )
    },
    "random_flip": {"x": "n h w c", "y": "n h w c"},
}

LAYER_INITIALIZERS: Mapping[str, str] = {
    "dense": "glorot_uniform()",
    "conv2d": "glorot_uniform()",
    "simple_rnn": "glorot_uniform()",
    "simple_rnn_recurrent": "orthogonal()",
    "lstm": "glorot_uniform()",
    "lstm_recurrent": "orthogonal()",
    "gru": "glorot_uniform()",
    "gru_recurrent": "orthogonal()",
    "embedding": "uniform()",
}
"""What Keras's own layers draw their weights from: operations of the specification, in Python. Biases are constant: 0, or 1 for
the forget gates of an LSTM. The gates of recurrent layers are columns of one matrix, which counts as a whole."""


def _scaled(like: Native, scale: float, mode: str, distribution: str, seed: int) -> Native:
    """``keras.initializers.VarianceScaling``, where the initialiser of the name has not all the options."""
    drawn = {"normal": "untruncated_normal"}.get(distribution, distribution)
    return keras.initializers.VarianceScaling(scale, mode, drawn, seed=seed)(like.shape, like.dtype)


@operations.library
def uniform(like: Native, *, low: float = -0.05, high: float = 0.05, seed: int = 0) -> Native:
    """``keras.initializers.RandomUniform``."""
    return keras.initializers.RandomUniform(low, high, seed=seed)(like.shape, like.dtype)


@operations.library
def normal(like: Native, *, mean: float = 0.0, deviation: float = 0.05, seed: int = 0) -> Native:
    """``keras.initializers.RandomNormal``."""
    return keras.initializers.RandomNormal(mean, deviation, seed=seed)(like.shape, like.dtype)


@operations.library
def truncated_normal(like: Native, *, mean: float = 0.0, deviation: float = 0.05, seed: int = 0) -> Native:
    """``keras.initializers.TruncatedNormal``."""
    return keras.initializers.TruncatedNormal(mean, deviation, seed=seed)(like.shape, like.dtype)


@operations.library
def glorot_uniform(like: Native, *, gain: float = 1.0, seed: int = 0) -> Native:
    """``keras.initializers.GlorotUniform``, or ``VarianceScaling`` with a gain."""
    if gain != 1.0:
        return _scaled(like, gain * gain, "fan_avg", "uniform", seed)
    return keras.initializers.GlorotUniform(seed=seed)(like.shape, like.dtype)


@operations.library
def glorot_normal(like: Native, *, gain: float = 1.0, distribution: str = "normal", seed: int = 0) -> Native:
    """``keras.initializers.GlorotNormal``, which is truncated, or ``VarianceScaling``."""
    if gain != 1.0 or distribution == "normal":
        return _scaled(like, gain * gain, "fan_avg", distribution, seed)
    return keras.initializers.GlorotNormal(seed=seed)(like.shape, like.dtype)


@operations.library
def he_uniform(like: Native, *, negative_slope: float = 0.0, seed: int = 0) -> Native:
    """``keras.initializers.HeUniform``, or ``VarianceScaling`` with a slope."""
    if negative_slope != 0.0:
        return _scaled(like, 2.0 / (1.0 + negative_slope**2), "fan_in", "uniform", seed)
    return keras.initializers.HeUniform(seed=seed)(like.shape, like.dtype)


@operations.library
def he_normal(like: Native, *, negative_slope: float = 0.0, distribution: str = "normal", seed: int = 0) -> Native:
    """``keras.initializers.HeNormal``, which is truncated, or ``VarianceScaling``."""
    if negative_slope != 0.0 or distribution == "normal":
        return _scaled(like, 2.0 / (1.0 + negative_slope**2), "fan_in", distribution, seed)
    return keras.initializers.HeNormal(seed=seed)(like.shape, like.dtype)


@operations.library
def lecun_uniform(like: Native, *, seed: int = 0) -> Native:
    """``keras.initializers.LecunUniform``."""
    return keras.initializers.LecunUniform(seed=seed)(like.shape, like.dtype)


@operations.library
def lecun_normal(like: Native, *, distribution: str = "normal", seed: int = 0) -> Native:
    """``keras.initializers.LecunNormal``, which is truncated, or ``VarianceScaling``."""
    if distribution == "normal":
        return _scaled(like, 1.0, "fan_in", distribution, seed)
    return keras.initializers.LecunNormal(seed=seed)(like.shape, like.dtype)


@operations.library
def orthogonal(like: Native, *, gain: float = 1.0, seed: int = 0) -> Native:
    """``keras.initializers.Orthogonal``."""
    return keras.initializers.Orthogonal(gain, seed=seed)(like.shape, like.dtype)


@operations.native
def shuffle(x: Native, *, seed: int = 0) -> Native:
    """``tf.random.experimental.stateless_shuffle``."""
    return tf.random.experimental.stateless_shuffle(x, seed=[seed, 0])


@operations.library
def random_flip(x: Native, *, probability: float = 0.5, seed: int = 0) -> Native:
    """``keras.layers.RandomFlip``, whose state is that of its generator."""
    if probability != 0.5:
        raise Unsupported("keras.layers.RandomFlip mirrors an image with probability 0.5 always")
    state = tf.constant([seed, 0], tf.int64)
    return layers.call("RandomFlip", x, (), [state], arguments={"training": True}, mode="horizontal")[0]


@operations.composed
def random_rotation(like: Native, *, degrees: float = 15.0, seed: int = 0) -> Native:
    """``keras.random.uniform``, as ``keras.layers.RandomRotation`` draws angles."""
    return keras.random.uniform(like.shape, -degrees, degrees, dtype=like.dtype, seed=seed)


@operations.composed
def random_shift(like: Native, *, fraction: float = 0.1, seed: int = 0) -> Native:
    """``keras.random.uniform``, as ``keras.layers.RandomTranslation`` draws shifts."""
    return keras.random.uniform(like.shape, -fraction, fraction, dtype=like.dtype, seed=seed)
