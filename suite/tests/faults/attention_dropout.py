"""Faults in dropout of attention's weights: where it is, what shares a draw, scales, masks, seeds, inference."""

from typing import Any

import numpy as np
from faulty import Faults, reference, right_vjp

from tensorproof_reference.attention.dropout import attended, attended_vjp
from tensorproof_reference.operations.scaled_dot_product_attention import scale_of
from tensorproof_reference.stream import Stream

FAULTS = Faults()
DROPOUT = "attention_dropout"


def kept(shape, rate, seed):
    """Which weights are kept, as it should be, from another stream."""
    return Stream(seed)("another").uniform(shape) >= rate


def shared_along(*axes):
    """A mask that is the same along these axes."""

    def draw(shape, rate, seed):
        return np.broadcast_to(kept([1 if axis in axes else size for axis, size in enumerate(shape)], rate, seed), shape)

    return draw


def plant(name, draw=kept, scale=None, gradient_seed=0, gradient_draw=None):
    """Attention that keeps ``draw(shape, rate, seed)`` of its weights times ``scale(rate)``; the gradient has its own mask."""

    def drop(query, key, rate, seed, draw):
        mask = draw((*query.shape[:3], key.shape[2]), rate, seed)
        factor = 1.0 / (1.0 - rate) if scale is None else scale(rate)
        return lambda weights: np.where(mask, weights * factor, 0.0).astype(weights.dtype)

    def value(query, key, value, mask=None, *, rate=0.1, training=True, seed=0, causal=False, scale=None):
        if not training or rate in (0.0, 1.0) or not query.size:
            how = {"rate": rate, "training": training, "seed": seed, "causal": causal, "scale": scale}
            return reference(DROPOUT, query, key, value, mask, **how)
        return attended(drop(query, key, rate, seed, draw), query, key, value, mask, causal=causal, scale=scale)

    def gradient(dy, query, key, value, mask=None, *, rate=0.1, training=True, seed=0, causal=False, scale=None):
        if not training or rate in (0.0, 1.0) or not query.size:
            how = {"rate": rate, "training": training, "seed": seed, "causal": causal, "scale": scale}
            return right_vjp(DROPOUT, dy, query, key, value, mask, **how)
        left = drop(query, key, rate, seed + gradient_seed, gradient_draw or draw)
        return attended_vjp(dy, left, query, key, value, mask, causal=causal, scale=scale)

    value.__name__ = name
    FAULTS.value(DROPOUT, "statistics", vjp=gradient)(value)


plant("survivors_not_scaled", scale=lambda rate: 1.0)
plant("survivors_scaled_by_the_rate", scale=lambda rate: 1.0 / rate)
plant("rate_is_the_share_kept", lambda shape, rate, seed: ~kept(shape, rate, seed))
plant("rate_in_four_bits", lambda shape, rate, seed: kept(shape, np.ceil(rate * 16.0) / 16.0, seed))
plant("seed_ignored", lambda shape, rate, seed: kept(shape, rate, 0))
plant("same_mask_for_all_examples", shared_along(0))
plant("same_mask_for_all_heads", shared_along(1))
plant("same_mask_for_all_queries", shared_along(2))
plant("whole_queries_dropped", shared_along(3))
plant(
    "neighbours_share_a_draw",
    lambda shape, rate, seed: np.repeat(kept((*shape[:3], -(-shape[3] // 2)), rate, seed), 2, -1)[..., : shape[3]],
)
plant("mask_repeats_after_4096_weights", lambda shape, rate, seed: np.resize(kept((4096,), rate, seed), shape))
plant("gradient_draws_another_mask", gradient_seed=1)
plant("gradient_without_dropout", gradient_draw=lambda shape, rate, seed: np.ones(shape, bool))


def _in_training(rate, training):
    return training and 0.0 < rate < 1.0


def _with_mask(change):
    """Attention without dropout whose mask is ``change(mask, kept)`` in training."""

    def function(query, key, value, mask=None, *, rate=0.1, training=True, seed=0, **how):
        if _in_training(rate, training) and query.size:
            left = kept((*query.shape[:3], key.shape[2]), rate, seed)
            mask = left if mask is None else mask & left
            y = reference(DROPOUT, query, key, value, mask, rate=0.0, **how)
            return np.nan_to_num(change(y, rate)).astype(query.dtype)
        return reference(DROPOUT, query, key, value, mask, rate=rate, training=training, seed=seed, **how)

    return function


def _scores_of_zero(query, key, value, mask=None, *, rate=0.1, training=True, seed=0, **how):
    """Dropout of the scores: those dropped are 0 before the softmax."""
    right = {"rate": rate, "training": training, "seed": seed, **how}
    if not _in_training(rate, training) or not query.size:
        return reference(DROPOUT, query, key, value, mask, **right)
    scores = np.matmul(query, np.swapaxes(key, -1, -2)) * scale_of(query, how.get("scale"))
    scores = np.where(kept(scores.shape, rate, seed), scores / (1.0 - rate), 0.0).astype(query.dtype)
    allowed = np.tril(np.ones(scores.shape[-2:], bool)) if how.get("causal") else np.ones(scores.shape[-2:], bool)
    scores = np.where(allowed if mask is None else allowed & mask, scores, -np.inf)
    weights = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
    return np.matmul(weights / np.sum(weights, axis=-1, keepdims=True), value).astype(query.dtype)


def _of_results(query, key, value, mask=None, *, rate=0.1, training=True, seed=0, **how):
    """Dropout of the results, and not of the weights."""
    y = reference(DROPOUT, query, key, value, mask, rate=0.0, **how)
    if not _in_training(rate, training) or not query.size:
        return y if rate < 1.0 or not training else 0.0 * y
    return np.where(kept(y.shape, rate, seed), y / (1.0 - rate), 0.0).astype(y.dtype)


def _whatever(**changes: Any) -> Any:
    """Attention with some of its keywords changed."""

    def function(query, key, value, mask=None, **how):
        return reference(DROPOUT, query, key, value, mask, **{**how, **changes})

    return function


def _scaled_at_inference(query, key, value, mask=None, *, rate=0.1, training=True, seed=0, **how):
    y = reference(DROPOUT, query, key, value, mask, rate=rate, training=training, seed=seed, **how)
    return y if training else y * (1.0 - rate)


def _mask_ignored(query, key, value, mask=None, *, rate=0.1, training=True, seed=0, **how):
    """A kernel with dropout that takes no mask."""
    given = None if rate else mask
    return reference(DROPOUT, query, key, value, given, rate=rate, training=training, seed=seed, **how)


def _rate_one_divides_by_zero(query, key, value, mask=None, *, rate=0.1, training=True, seed=0, **how):
    y = reference(DROPOUT, query, key, value, mask, rate=rate, training=training, seed=seed, **how)
    return y * np.nan if training and rate == 1.0 else y


def _gradient_scaled_at_inference(dy, query, key, value, mask=None, *, rate=0.1, training=True, seed=0, **how):
    right = right_vjp(DROPOUT, dy, query, key, value, mask, rate=rate, training=training, seed=seed, **how)
    return right if training else {name: gradient / (1.0 - rate) for name, gradient in right.items()}


def _gradient_of_the_values_without_dropout(dy, query, key, value, mask=None, *, rate=0.1, training=True, seed=0, **how):
    right = right_vjp(DROPOUT, dy, query, key, value, mask, rate=rate, training=training, seed=seed, **how)
    return {**right, "value": right_vjp(DROPOUT, dy, query, key, value, mask, rate=0.0, **how)["value"]}


FAULTS.rows(
    [
        (DROPOUT, "statistics", "dropped_before_softmax", _with_mask(lambda y, rate: y)),
        (DROPOUT, "statistics", "dropped_before_softmax_and_scaled", _with_mask(lambda y, rate: y / (1.0 - rate))),
        (DROPOUT, "statistics", "scores_dropped", _scores_of_zero),
        (DROPOUT, "statistics", "results_dropped", _of_results),
        (DROPOUT, "statistics", "nothing_dropped", _whatever(rate=0.0)),
        (DROPOUT, "plain", "drops_at_inference", _whatever(training=True)),
        (DROPOUT, "plain", "scaled_at_inference", _scaled_at_inference),
        (DROPOUT, "mask", "mask_ignored_with_dropout", _mask_ignored),
        (
            DROPOUT,
            "mask",
            "causal_ignored_with_dropout",
            lambda *arrays, rate=0.1, causal=False, **how: reference(
                DROPOUT, *arrays, rate=rate, causal=causal and not rate, **how
            ),
        ),
        (DROPOUT, "bounds", "rate_one_divides_by_zero", _rate_one_divides_by_zero),
    ],
    [
        (DROPOUT, "plain", "gradient_scaled_at_inference", _gradient_scaled_at_inference),
        (DROPOUT, "statistics", "gradient_of_the_values_without_dropout", _gradient_of_the_values_without_dropout),
    ],
)
