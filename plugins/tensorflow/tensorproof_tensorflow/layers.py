"""Keras layers as functions of their weights."""

import functools
from collections.abc import Sequence
from typing import Any

from tensorproof.backend import Native
from tensorproof_tensorflow.framework import keras, tf


@functools.cache
def _built(kind: str, shape: tuple[int, ...], dtype: str, bidirectional: bool, options: tuple[tuple[str, Any], ...]) -> Any:
    """A layer whose variables exist, outside of any graph that is being traced."""
    with tf.init_scope():
        layer = getattr(keras.layers, kind)(**dict(options), dtype=dtype)
        if bidirectional:
            layer = keras.layers.Bidirectional(layer, dtype=dtype)
        layer.build(shape)
    return layer


def call(
    kind: str,
    x: Native,
    weights: Sequence[Native],
    state: Sequence[Native] = (),
    *,
    bidirectional: bool = False,
    policy: str = "",
    arguments: dict[str, Any] | None = None,
    **options: Any,
) -> tuple[Native, list[Native]]:
    """The output of ``keras.layers.<kind>(**options)`` with these weights, and its state afterwards.

    ``policy`` is Keras's policy of dtypes; left out, everything has the dtype of x.

    ``state`` replaces the layer's non-trainable variables; left out, they stay what they are. The layer is called
    through Keras's ``stateless_call``, so that weights are arguments and gradients flow to them.
    """
    layer = _built(kind, tuple(x.shape), policy or x.dtype.name, bidirectional, tuple(sorted(options.items())))
    state = list(state) or [variable.value for variable in layer.non_trainable_variables]
    output, after = layer.stateless_call(list(weights), state, x, **(arguments or {}))
    return output, list(after)
