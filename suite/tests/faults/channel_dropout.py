"""Faults in dropout of channels: what shares a draw, scales, seeds, inference."""

import functools

import numpy as np
from faulty import Faults, reference

from faults.dropout import kept, plant_dropout

FAULTS = Faults()
CHANNELS = "channel_dropout"
plant = functools.partial(plant_dropout, operation=CHANNELS, faults=FAULTS)


def of_channels(x, rate, seed):
    """A mask of channels, as it should be, from another stream."""
    return np.broadcast_to(kept(x[(..., *(slice(1) for _ in x.shape[2:]))], rate, seed), x.shape)


def shared_along(axis):
    """A mask that is also the same along an axis."""

    def draw(x, rate, seed):
        return np.broadcast_to(np.take(of_channels(x, rate, seed), [0], axis=axis), x.shape)

    return draw


plant("each_element_on_its_own", kept)
plant("same_channels_of_all_examples", shared_along(0))
plant("all_channels_of_an_example", shared_along(1))
plant("survivors_not_scaled", of_channels, scale=lambda rate: 1.0)
plant("rate_is_the_share_kept", lambda x, rate, seed: ~of_channels(x, rate, seed))
plant("seed_ignored", lambda x, rate, seed: of_channels(x, rate, 0))
plant("gradient_draws_another_mask", of_channels, gradient_seed=1)


@FAULTS.value(CHANNELS, "statistics")
def positions_of_the_last_axis_dropped(x, *, rate=0.5, training=True, seed=0):
    """The mask of arrays whose channels are last."""
    moved = reference(CHANNELS, np.swapaxes(x, 1, -1), rate=rate, training=training, seed=seed)
    return np.swapaxes(moved, 1, -1).copy()


@FAULTS.value(CHANNELS, "plain")
def drops_at_inference(x, *, rate=0.5, training=True, seed=0):
    return reference(CHANNELS, x, rate=rate, training=True, seed=seed)
