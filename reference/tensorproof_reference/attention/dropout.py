"""Attention whose weights are dropped at random in training: see ``attention_dropout``."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from tensorproof_reference.arguments import require
from tensorproof_reference.attention._dropout_samples import dropout_samples
from tensorproof_reference.attention._heads import (
    allowed_keys,
    grouped_product,
    heads_vjp,
    require_heads,
    scores_of,
    weights_of,
)
from tensorproof_reference.operation import EXTENDED, Operation, Sample
from tensorproof_reference.operations._masks import masked
from tensorproof_reference.operations.scaled_dot_product_attention import masked_softmax_vjp
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

AXES = {
    "query": "b h l e",
    "key": "b h s e",
    "value": "b h s v",
    "mask": "... l s",
    "y": "b h l v",
}

Drop = Callable[[Array], Array]
"""What dropout does to an array of the weights' shape: some elements become 0, the others are scaled."""


def attention_dropout(
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None = None,
    *,
    causal: bool = False,
    scale: float | None = None,
    rate: float = 0.1,
    training: bool = True,
    seed: int = 0,
) -> Array:
    r"""Attention whose weights pass through ``dropout`` between the softmax and the values:

    .. math:: y = \left(\frac{M}{1 - p} \odot \mathrm{softmax}(s\, Q K^\top)\right) V

    with :math:`s = 1/\sqrt{E}` unless ``scale`` is given, and M = 0 with probability p (``rate``) and 1 otherwise, drawn for each
    query and key of each head of each example on its own. So the weights of a query no longer add up to 1, but do on average.

    A key counts for a query where ``mask`` is true, and with ``causal=True`` up to the query's own position; both must allow.

    At inference (``training=False``) and at rate 0 it is plain attention. At rate 1 the result is zero everywhere. The same seed
    draws the same M. The draw itself is free, as in ``dropout``. So in training at a rate between 0 and 1 the result is judged as
    a distribution, by samples of class ``statistics``. Their values are the identity matrix, so that the result is the weights.

    Shapes: ``query`` (B, H, L, E), ``key`` (B, H, S, E), ``value`` (B, H, S, V), the result (B, H, L, V); ``mask``, boolean,
    broadcasts to (B, H, L, S).
    Special values: NaN in a query makes its row NaN, in a key every row that may see it, in a value that feature of every row.
    Raises: ``ValueError`` if shapes do not fit, there are no keys or features, ``mask`` is not boolean, ``rate`` is outside
    [0, 1] or ``seed`` is negative.
    Source: Vaswani et al. (2017), eq. 1; dropout of the weights as in the authors' code (``attention_dropout``), and in
    Devlin et al. (2019), appendix A.2.
    """
    drop = partial(_drawn, rate=rate, training=training, seed=seed)
    return attended(drop, query, key, value, mask, causal=causal, scale=scale)


def _vjp(
    dy: Array,
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None = None,
    *,
    causal: bool = False,
    scale: float | None = None,
    rate: float = 0.1,
    training: bool = True,
    seed: int = 0,
) -> Gradients:
    r"""As without dropout, with :math:`dP = \frac{M}{1 - p} \odot (dy\, V^\top)` and
    :math:`dV = (\frac{M}{1 - p} \odot P)^\top dy`, of the same M.
    """
    drop = partial(_drawn, rate=rate, training=training, seed=seed)
    return attended_vjp(dy, drop, query, key, value, mask, causal=causal, scale=scale)


def _drawn(weights: Array, rate: float, training: bool, seed: int) -> Array:
    """Dropout of weights, or of their gradient: the same seed draws the same mask."""
    return masked(weights, weights.shape, "attention_dropout", rate=rate, training=training, seed=seed)


def _weights(
    query: Array, key: Array, value: Array, mask: Array | None, causal: bool, scale: float | None
) -> tuple[Array, Array]:
    """The weights before any is dropped, and the scores through which gradients pass."""
    require_heads(query, key, value)
    require(key.shape[1] == query.shape[1], "key", f"{query.shape[1]} heads", key.shape[1])
    allowed = allowed_keys(query, key, mask, None, causal, None, "upper_left")
    return weights_of(scores_of(query, key, scale), allowed, "nan")


def attended(
    drop: Drop, query: Array, key: Array, value: Array, mask: Array | None = None, *, causal: bool, scale: float | None
) -> Array:
    """Attention with the weights that are left of a known draw."""
    weights, _ = _weights(query, key, value, mask, causal, scale)
    return grouped_product(drop(weights), value)


def attended_vjp(
    dy: Array, drop: Drop, query: Array, key: Array, value: Array, mask: Array | None = None, *, causal: bool, scale: float | None
) -> Gradients:
    """The gradients of attention with the weights that are left of a known draw."""
    weights, passing = _weights(query, key, value, mask, causal, scale)
    dweights = drop(grouped_product(dy, np.swapaxes(value, -1, -2)))
    return heads_vjp(dy, masked_softmax_vjp(dweights, weights, passing), drop(weights), query, key, scale)


def samples(stream: Stream) -> Iterator[Sample]:
    """Inference and the extreme rates, by value; rates in training, with masks too, as distributions."""
    yield from dropout_samples(stream)


OPERATIONS = (
    Operation(
        function=attention_dropout,
        vjp=_vjp,
        samples=samples,
        family="random_attention",
        profile=EXTENDED,
        differentiable=("query", "key", "value"),
        random=True,
        axes=AXES,
    ),
)
