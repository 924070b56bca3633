"""Faults in dropout: masks, scales, seeds, inference."""

import numpy as np
from faulty import Faults, reference, right_vjp

from tensorproof_reference.stream import Stream

FAULTS = Faults()
DROPOUT = "dropout"


def kept(x, rate, seed):
    return Stream(seed)("another").uniform(x.shape) >= rate


def plant_dropout(name, draw, scale=None, gradient_seed=0, operation=DROPOUT, faults=FAULTS):
    """A dropout that keeps ``draw(x, rate, seed)`` times ``scale(rate)``, in training; the gradient with another seed."""

    def apply(x, rate, training, seed):
        if not training or rate in (0.0, 1.0) or not x.size:
            return reference(operation, x, rate=rate, training=training, seed=seed)
        factor = 1.0 / (1.0 - rate) if scale is None else scale(rate)
        return np.where(draw(x, rate, seed), x * factor, 0.0).astype(x.dtype)

    def value(x, *, rate=0.5, training=True, seed=0):
        return apply(x, rate, training, seed)

    def gradient(dy, x, *, rate=0.5, training=True, seed=0):
        return {"x": apply(dy, rate, training, seed + gradient_seed)}

    value.__name__ = name
    faults.value(operation, "statistics", vjp=gradient)(value)


plant_dropout("survivors_not_scaled", kept, scale=lambda rate: 1.0)
plant_dropout("survivors_scaled_by_the_rate", kept, scale=lambda rate: 1.0 / rate)
plant_dropout("rate_is_the_share_kept", lambda x, rate, seed: ~kept(x, rate, seed))
plant_dropout("rate_in_four_bits", lambda x, rate, seed: kept(x, np.ceil(rate * 16.0) / 16.0, seed))
plant_dropout("seed_ignored", lambda x, rate, seed: kept(x, rate, 0))
plant_dropout("same_mask_for_every_row", lambda x, rate, seed: np.broadcast_to(kept(x[:1], rate, seed), x.shape))
plant_dropout("whole_rows_dropped", lambda x, rate, seed: np.broadcast_to(kept(x[..., :1], rate, seed), x.shape))
plant_dropout("neighbours_share_a_draw", lambda x, rate, seed: np.repeat(kept(x[..., ::2], rate, seed), 2, axis=-1))
plant_dropout("rows_repeat_with_a_period_of_two", lambda x, rate, seed: np.tile(kept(x[:2], rate, seed), (len(x) // 2, 1)))
plant_dropout(
    "exactly_the_share_in_every_row",
    lambda x, rate, seed: np.argsort(np.argsort(Stream(seed)("rank").uniform(x.shape), axis=-1), axis=-1) >= rate * x.shape[-1],
)
plant_dropout(
    "mask_repeats_after_1024_elements", lambda x, rate, seed: np.resize(Stream(seed)("another").uniform((1024,)) >= rate, x.shape)
)
plant_dropout(
    "mask_repeats_after_32768_elements",
    lambda x, rate, seed: np.resize(Stream(seed)("another").uniform((2**15,)) >= rate, x.shape),
)
plant_dropout("gradient_draws_another_mask", kept, gradient_seed=1)
plant_dropout("seed_not_used_up", lambda x, rate, seed: np.random.default_rng().uniform(size=x.shape) >= rate)


@FAULTS.gradient(DROPOUT, "statistics")
def gradient_not_scaled(dy, x, *, rate=0.5, training=True, seed=0):
    factor = 1.0 - rate if training and rate < 1.0 else 1.0
    return {"x": factor * right_vjp(DROPOUT, dy, x, rate=rate, training=training, seed=seed)["x"]}


@FAULTS.value(DROPOUT, "plain")
def drops_at_inference(x, *, rate=0.5, training=True, seed=0):
    return reference(DROPOUT, x, rate=rate, training=True, seed=seed)


@FAULTS.value(DROPOUT, "plain")
def scaled_at_inference(x, *, rate=0.5, training=True, seed=0):
    return reference(DROPOUT, x, rate=rate, training=training, seed=seed) if training else x * (1.0 - rate)


@FAULTS.value(DROPOUT, "zero")
def inference_adds_zero(x, *, rate=0.5, training=True, seed=0):
    return x + 0.0 if not training else reference(DROPOUT, x, rate=rate, training=training, seed=seed)


@FAULTS.value(DROPOUT, "bounds")
def rate_one_divides_by_zero(x, *, rate=0.5, training=True, seed=0):
    return x * 0.0 / 0.0 if training and rate == 1.0 else reference(DROPOUT, x, rate=rate, training=training, seed=seed)


@FAULTS.gradient(DROPOUT, "plain")
def gradient_scaled_at_inference(dy, x, *, rate=0.5, training=True, seed=0):
    return {"x": dy / (1.0 - rate)} if not training else right_vjp(DROPOUT, dy, x, rate=rate, training=training, seed=seed)
