"""JAX's initialisers of weights, and random draws for augmentation and shuffling."""

from collections.abc import Mapping

from tensorproof.backend import Native
from tensorproof_jax.framework import jax, jnp
from tensorproof_jax.table import operations

LAYOUTS = {
    name: {"like": "... i o", "y": "... i o"}
    for name in (
        *("glorot_uniform", "glorot_normal", "he_uniform", "he_normal"),
        *("lecun_uniform", "lecun_normal", "orthogonal"),
    )
}

LAYER_INITIALIZERS: Mapping[str, str] = {
    "dense": "lecun_normal(distribution='truncated_normal')",
    "conv2d": "lecun_normal(distribution='truncated_normal')",
    "simple_rnn": "lecun_normal(distribution='truncated_normal')",
    "simple_rnn_recurrent": "orthogonal()",
    "lstm": "lecun_normal(distribution='truncated_normal')",
    "lstm_recurrent": "orthogonal()",
    "gru": "lecun_normal(distribution='truncated_normal')",
    "gru_recurrent": "orthogonal()",
    "embedding": "normal(deviation=1/sqrt(features))",
}
"""What Flax's own layers draw their weights from: operations of the specification, in Python. Biases are 0. The gates of
recurrent layers are matrices of their own."""

initializers = jax.nn.initializers


def _scaled(like: Native, scale: float, mode: str, distribution: str, seed: int) -> Native:
    """``jax.nn.initializers.variance_scaling``, where the initialiser of the name has not all the options."""
    return initializers.variance_scaling(scale, mode, distribution)(jax.random.key(seed), like.shape, like.dtype)


@operations.native
def uniform(like: Native, *, low: float = -0.05, high: float = 0.05, seed: int = 0) -> Native:
    """``jax.random.uniform``; ``jax.nn.initializers.uniform`` starts at 0 always."""
    return jax.random.uniform(jax.random.key(seed), like.shape, like.dtype, low, high)


@operations.native
def normal(like: Native, *, mean: float = 0.0, deviation: float = 0.05, seed: int = 0) -> Native:
    """``jax.nn.initializers.normal``, around the mean."""
    return mean + initializers.normal(deviation)(jax.random.key(seed), like.shape, like.dtype)


@operations.native
def truncated_normal(like: Native, *, mean: float = 0.0, deviation: float = 0.05, seed: int = 0) -> Native:
    """``jax.nn.initializers.truncated_normal``, around the mean."""
    return mean + initializers.truncated_normal(deviation)(jax.random.key(seed), like.shape, like.dtype)


@operations.native
def glorot_uniform(like: Native, *, gain: float = 1.0, seed: int = 0) -> Native:
    """``jax.nn.initializers.glorot_uniform``, or ``variance_scaling`` with a gain."""
    if gain != 1.0:
        return _scaled(like, gain * gain, "fan_avg", "uniform", seed)
    return initializers.glorot_uniform()(jax.random.key(seed), like.shape, like.dtype)


@operations.native
def glorot_normal(like: Native, *, gain: float = 1.0, distribution: str = "normal", seed: int = 0) -> Native:
    """``jax.nn.initializers.glorot_normal``, which is truncated, or ``variance_scaling``."""
    if gain != 1.0 or distribution == "normal":
        return _scaled(like, gain * gain, "fan_avg", distribution, seed)
    return initializers.glorot_normal()(jax.random.key(seed), like.shape, like.dtype)


@operations.native
def he_uniform(like: Native, *, negative_slope: float = 0.0, seed: int = 0) -> Native:
    """``jax.nn.initializers.he_uniform``, or ``variance_scaling`` with a slope."""
    if negative_slope != 0.0:
        return _scaled(like, 2.0 / (1.0 + negative_slope**2), "fan_in", "uniform", seed)
    return initializers.he_uniform()(jax.random.key(seed), like.shape, like.dtype)


@operations.native
def he_normal(like: Native, *, negative_slope: float = 0.0, distribution: str = "normal", seed: int = 0) -> Native:
    """``jax.nn.initializers.he_normal``, which is truncated, or ``variance_scaling``."""
    if negative_slope != 0.0 or distribution == "normal":
        return _scaled(like, 2.0 / (1.0 + negative_slope**2), "fan_in", distribution, seed)
    return initializers.he_normal()(jax.random.key(seed), like.shape, like.dtype)


@operations.native
def lecun_uniform(like: Native, *, seed: int = 0) -> Native:
    """``jax.nn.initializers.lecun_uniform``."""
    return initializers.lecun_uniform()(jax.random.key(seed), like.shape, like.dtype)


@operations.native
def lecun_normal(like: Native, *, distribution: str = "normal", seed: int = 0) -> Native:
    """``jax.nn.initializers.lecun_normal``, which is truncated, or ``variance_scaling``."""
    if distribution == "normal":
        return _scaled(like, 1.0, "fan_in", distribution, seed)
    return initializers.lecun_normal()(jax.random.key(seed), like.shape, like.dtype)


@operations.native
def orthogonal(like: Native, *, gain: float = 1.0, seed: int = 0) -> Native:
    """``jax.nn.initializers.orthogonal``."""
    return initializers.orthogonal(gain)(jax.random.key(seed), like.shape, like.dtype)


@operations.native
def shuffle(x: Native, *, seed: int = 0) -> Native:
    """``jax.random.permutation``."""
    return jax.random.permutation(jax.random.key(seed), x)


@operations.composed
def random_flip(x: Native, *, probability: float = 0.5, seed: int = 0) -> Native:
    """``jax.random.bernoulli`` for each image."""
    mirrored = jax.random.bernoulli(jax.random.key(seed), probability, (len(x), 1, 1, 1))
    return jnp.where(mirrored, jnp.flip(x, 3), x)


@operations.composed
def random_rotation(like: Native, *, degrees: float = 15.0, seed: int = 0) -> Native:
    """``jax.random.uniform``."""
    return jax.random.uniform(jax.random.key(seed), like.shape, like.dtype, -degrees, degrees)


@operations.composed
def random_shift(like: Native, *, fraction: float = 0.1, seed: int = 0) -> Native:
    """``jax.random.uniform``."""
    return jax.random.uniform(jax.random.key(seed), like.shape, like.dtype, -fraction, fraction)
