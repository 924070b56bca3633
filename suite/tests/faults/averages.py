"""Faults in averages of weights, in steps of several gradients, and in scales of losses."""

import numpy as np
from faulty import Faults

from faults.optimizers import first_gradient_in_every_step, last_step_left_out, other, state_forgotten

FAULTS = Faults()
AVERAGE, ACCUMULATION, SCALING = "exponential_moving_average", "gradient_accumulation", "dynamic_loss_scale"
SHARPNESS = "sharpness_aware_minimization"


def _all_steps(right, gradients, **given):
    """What is not finite is left out of the gradient, number by number."""
    kept = [[np.where(np.isfinite(g), g, 0.0).astype(g.dtype) for g in of_step] for of_step in gradients]
    return right(gradients=kept, **given)[0], right(gradients=gradients, **given)[1]


def _finite(of_step):
    return all(np.all(np.isfinite(gradient)) for gradient in of_step)


def _scale_kept(right, gradients, **given):
    """A step that is skipped is forgotten."""
    return right(gradients=[of_step for of_step in gradients if _finite(of_step)], **given)


def _not_unscaled(right, scale, **given):
    moved, _ = right(scale=np.ones_like(scale), **given)
    return moved, right(scale=scale, **given)[1]


def _count_goes_on(right, gradients, finite=0, **given):
    """After a skipped step the count of finite ones is what it was."""
    moved, scale = given.pop("parameters"), given.pop("scale")
    for of_step in gradients:
        moved, new = right(parameters=moved, gradients=[of_step], scale=scale, finite=finite, **given)
        finite = finite + _finite(of_step) if new <= scale else 0
        scale = new
    return moved, scale


def _along_the_sum(right, every=2, learning_rate=0.01, **given):
    """A step along the sum of the gradients, and not their mean."""
    return right(every=every, learning_rate=learning_rate * every, **given)


def _kept_after_a_step(right, gradients, taken=0, every=2, **given):
    """What was accumulated stays for the next batches."""
    moved, sums = right(gradients=gradients, taken=taken, every=every, **given)
    if (taken + len(gradients)) % every == 0 and every > 1:
        _, sums = right(gradients=gradients[:-1], taken=taken, every=every, **given)
    return moved, sums


FAULTS.planted(
    *(AVERAGE, "state", "accumulated_forgotten"), lambda right, accumulated=None, **given: right(accumulated=None, **given)
)
FAULTS.planted(
    *(AVERAGE, "plain", "last_weights_left_out"),
    lambda right, parameters, **given: right(parameters=parameters[:-1] or parameters, **given),
)
FAULTS.planted(
    *(AVERAGE, "plain", "decay_and_its_complement_exchanged"),
    lambda right, decay=0.999, **given: right(decay=1.0 - decay if decay else 0.0, **given),
)
FAULTS.planted(AVERAGE, "convention", "starts_at_the_other", other(AVERAGE, "start"))
FAULTS.planted(*(AVERAGE, "convention", "not_corrected"), lambda right, **given: (right(**given)[1],) * 2)
FAULTS.with_keywords(AVERAGE, "convention", "steps_taken_before_not_corrected_for", taken=0)
FAULTS.with_keywords(AVERAGE, "optional", "no_warmup", warmup=False)
FAULTS.planted(
    *(AVERAGE, "optional", "warmup_one_step_early"),
    lambda right, taken=0, **given: right(taken=taken + bool(given.get("warmup")), **given),
)


FAULTS.planted(ACCUMULATION, "state", "accumulated_forgotten", state_forgotten("accumulated"))
FAULTS.planted(ACCUMULATION, "plain", "last_batch_left_out", last_step_left_out)
FAULTS.planted(ACCUMULATION, "plain", "first_gradient_in_every_batch", first_gradient_in_every_step)
FAULTS.with_keywords(ACCUMULATION, "plain", "steps_at_every_batch", every=1)
FAULTS.with_keywords(ACCUMULATION, "state", "batches_taken_before_forgotten", taken=0)
FAULTS.planted(*(ACCUMULATION, "plain", "gradients_added_up"), _along_the_sum)
FAULTS.planted(*(ACCUMULATION, "plain", "not_zero_after_a_step"), _kept_after_a_step)
FAULTS.planted(
    *(ACCUMULATION, "convention", "keeps_something_else"),
    lambda right, kept="shares", **given: right(kept={"shares": "sum", "sum": "mean", "mean": "shares"}[kept], **given),
)

FAULTS.planted(SCALING, "infinity", "steps_whose_gradients_are_not_finite_taken", _all_steps)
FAULTS.planted(*(SCALING, "infinity", "scale_kept_at_a_skipped_step"), _scale_kept)
FAULTS.planted(SCALING, "plain", "gradients_not_unscaled", _not_unscaled)
FAULTS.planted(SCALING, "convention", "grows_at_the_other", other(SCALING, "grows"))
FAULTS.with_keywords(SCALING, "state", "finite_steps_before_forgotten", finite=0)
FAULTS.with_keywords(SCALING, "optional", "growth_of_two_always", growth=2.0)
FAULTS.with_keywords(SCALING, "optional", "backoff_of_one_half_always", backoff=0.5)
FAULTS.planted(*(SCALING, "bounds", "count_goes_on_after_a_skipped_step"), _count_goes_on)


def _each_by_its_own_norm(right, parameters, gradients, origin=None, **given):
    """Each parameter climbs by the norm of its own gradient."""
    alone = [
        right(
            parameters=[parameters[index]],
            gradients=[[of_step[index]] for of_step in gradients],
            origin=None if origin is None else [origin[index]],
            **given,
        )
        for index in range(len(parameters))
    ]
    return [moved[0] for moved, _ in alone], [before[0] for _, before in alone]


def _from_where_it_climbed(right, parameters, gradients, origin=None, learning_rate=0.01, **given):
    """The step down is from the higher point."""
    moved, before = list(parameters), origin
    every, taken = given.pop("every", 2), given.pop("taken", 0)
    for count, of_step in enumerate(gradients, taken):
        high = moved
        moved, before = right(
            parameters=moved, gradients=[of_step], origin=before, every=every, taken=count, learning_rate=learning_rate, **given
        )
        if (count + 1) % every == 0:
            pairs = zip(high, of_step, strict=True)
            moved = [parameter - np.asarray(learning_rate, parameter.dtype) * gradient for parameter, gradient in pairs]
    return moved, before


FAULTS.planted(SHARPNESS, "plain", "last_step_left_out", last_step_left_out)
FAULTS.planted(SHARPNESS, "plain", "first_gradient_in_every_step", first_gradient_in_every_step)
FAULTS.planted(SHARPNESS, "plain", "each_parameter_climbs_by_its_own_norm", _each_by_its_own_norm)
FAULTS.planted(SHARPNESS, "plain", "step_down_from_the_higher_point", _from_where_it_climbed)
FAULTS.planted(SHARPNESS, "state", "origin_forgotten", state_forgotten("origin"))
FAULTS.planted(SHARPNESS, "convention", "epsilon_of_the_other_kind", other(SHARPNESS, "epsilon"))
FAULTS.with_keywords(SHARPNESS, "state", "steps_taken_before_forgotten", taken=0)
FAULTS.with_keywords(SHARPNESS, "optional", "every_other_always", every=2)
FAULTS.with_keywords(SHARPNESS, "optional", "radius_ignored", radius=0.05)
