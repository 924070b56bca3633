"""Faults in the optimizers of profile ``extended``: state, counts, limits, norms, scales and where epsilon and decay go."""

from unittest import mock

import numpy as np
from faulty import Faults, reference

from faults.optimizers import (
    first_gradient_in_every_step,
    gradient_of_zero_for_none,
    last_step_left_out,
    off_by,
    other,
    state_forgotten,
    without_groups,
)
from tensorproof_reference.optimizers import adafactor as adafactor_page

FAULTS = Faults()
SLOTS = {
    "adamax": ("first_moment", "infinity_norm"),
    "radam": ("first_moment", "second_moment"),
    "lion": ("first_moment",),
    "lamb": ("first_moment", "second_moment"),
    "rprop": ("previous", "step_size"),
    "adafactor": ("row_moment", "column_moment", "second_moment"),
    "muon": ("first_moment",),
}
COUNTED = ("adamax", "radam", "lamb", "adafactor")


for stepping, slots in SLOTS.items():
    FAULTS.planted(stepping, "plain", "last_step_left_out", last_step_left_out)
    FAULTS.planted(stepping, "plain", "first_gradient_in_every_step", first_gradient_in_every_step)
    FAULTS.planted(stepping, "optional", "learning_rate_of_the_first_group_for_all", without_groups)
    FAULTS.planted(stepping, "optional", "absent_gradient_taken_for_zero", gradient_of_zero_for_none)
    for slot in slots:
        FAULTS.planted(stepping, "state", f"{slot}_forgotten", state_forgotten(slot))

for counting in COUNTED:
    FAULTS.with_keywords(counting, "state", "steps_taken_before_forgotten", taken=0)
    FAULTS.planted(counting, "convention", "all_steps_counted_for_each_parameter", other(counting, "counted"))

for placed in ("adamax", "radam", "adafactor"):
    FAULTS.planted(placed, "epsilon", "epsilon_in_the_other_place", other(placed, "epsilon_placement"))
for decaying in ("adamax", "radam", "lamb"):
    FAULTS.planted(decaying, "convention", "weight_decay_in_the_other_place", other(decaying, "decay"))
for decaying in ("adamax", "radam", "lion", "lamb", "muon"):
    FAULTS.with_keywords(decaying, "optional", "weight_decay_ignored", weight_decay=0.0)


@FAULTS.value("adamax", "state")
def norm_does_not_decay(parameters, gradients, first_moment=None, infinity_norm=None, *, beta2=0.999, **keywords):
    return reference("adamax", parameters, gradients, first_moment, infinity_norm, beta2=1.0 - 2.0**-53, **keywords)


@FAULTS.value("radam", "state")
def never_rectified(parameters, gradients, first_moment=None, second_moment=None, *, taken=0, **keywords):
    """Steps of Adam from the first one on."""
    options = {key: value for key, value in keywords.items() if key not in ("threshold", "decay")}
    decoupled = keywords.get("decay", "coupled") == "decoupled"
    options = {"learning_rate": 0.001, "weight_decay": 0.0, **options}
    return reference(
        "adamw" if decoupled else "adam", parameters, gradients, first_moment, second_moment, taken=taken, **options
    )[:3]


FAULTS.planted("radam", "convention", "threshold_of_the_other_kind", other("radam", "threshold"))


@FAULTS.value("lion", "state")
def moment_moved_before_its_sign_is_taken(parameters, gradients, first_moment=None, *, beta1=0.9, beta2=0.99, **keywords):
    moved, _ = reference("lion", parameters, gradients, first_moment, beta1=beta2, beta2=beta2, **keywords)
    return moved, reference("lion", parameters, gradients, first_moment, beta1=beta1, beta2=beta2, **keywords)[1]


@FAULTS.value("lion", "plain")
def coefficients_exchanged(parameters, gradients, first_moment=None, *, beta1=0.9, beta2=0.99, **keywords):
    return reference("lion", parameters, gradients, first_moment, beta1=beta2, beta2=beta1, **keywords)


@FAULTS.value("lamb", "plain")
def not_scaled_to_the_parameter(parameters, gradients, first_moment=None, second_moment=None, **keywords):
    options = {key: value for key, value in keywords.items() if key != "decay"}
    options = {"epsilon": 1e-6, "weight_decay": 0.0, **options}
    return reference("adamw", parameters, gradients, first_moment, second_moment, **options)[:3]


@FAULTS.value("lamb", "state")
def at_most_ten_times_the_step_of_adam(parameters, gradients, first_moment=None, second_moment=None, **keywords):
    moved, *states = reference("lamb", parameters, gradients, first_moment, second_moment, **keywords)
    alone, *_ = not_scaled_to_the_parameter(parameters, gradients, first_moment, second_moment, **keywords)
    limited = []
    for before, after, other_after in zip(parameters, moved, alone, strict=True):
        way, most = (float(np.sqrt(np.sum(np.square(place - before)))) for place in (after, other_after))
        limited.append((before + (after - before) * min(1.0, 10.0 * most / way)).astype(before.dtype) if way else after)
    return limited, *states


@FAULTS.value("rprop", "plain")
def steps_after_a_change_of_sign(parameters, gradients, previous=None, step_size=None, **keywords):
    """The number does not rest: it takes a smaller step at once."""
    moved, before, sizes = reference("rprop", parameters, gradients, previous, step_size, **keywords)
    if not gradients or any(g is None for g in gradients[-1]):
        return moved, before, sizes
    last = gradients[-1]
    shifted = [
        p - np.where(b == 0, s * np.sign(g), 0.0).astype(p.dtype) for p, b, s, g in zip(moved, before, sizes, last, strict=True)
    ]
    return shifted, before, sizes


FAULTS.with_keywords("rprop", "plain", "step_sizes_do_not_grow", growing=1.0 + 2.0**-52)
FAULTS.planted("rprop", "convention", "remembers_the_other_thing", other("rprop", "kept"))
FAULTS.planted("adafactor", "convention", "other_axes_factored", other("adafactor", "factored"))
FAULTS.with_keywords("adafactor", "plain", "update_not_clipped", threshold=1e30)
FAULTS.with_keywords("adafactor", "state", "decay_constant", exponent=2.0**-40)


@FAULTS.value("adafactor", "state")
def rate_of_the_steps_since(*arguments, taken=0, **keywords):
    """The limit of the rate does not count the steps that were taken before."""

    def smaller(rate, limit):
        return min(rate, (limit**-2 - taken) ** -0.5)

    with mock.patch.object(adafactor_page, "min", smaller, create=True):
        return reference("adafactor", *arguments, taken=taken, **keywords)


FAULTS.with_keywords("muon", "plain", "one_iteration_too_few", iterations=1)
FAULTS.planted(
    "muon",
    "plain",
    "four_iterations_for_five",
    lambda right, iterations=5, **arguments: right(iterations=iterations - (iterations == 5), **arguments),
)
FAULTS.planted(
    "muon",
    "convention",
    "scale_of_the_transposed_matrix",
    lambda right, scale="rows", **arguments: right(scale={"rows": "columns", "columns": "rows"}.get(scale, scale), **arguments),
)
FAULTS.with_keywords("muon", "optional", "nesterov_always", nesterov=True)

for schedule in ("polynomial_schedule", "cosine_restarts_schedule", "joined_schedules"):
    FAULTS.planted(schedule, "plain", "one_step_late", off_by(-1.0))
    FAULTS.planted(schedule, "plain", "one_step_early", off_by(1.0))
for schedule in ("polynomial_schedule", "cosine_restarts_schedule"):
    FAULTS.with_keywords(schedule, "optional", "final_fraction_ignored", final=0.0)
FAULTS.with_keywords("polynomial_schedule", "optional", "power_ignored", power=1.0)
FAULTS.with_keywords("cosine_restarts_schedule", "optional", "cycles_of_one_length", growth=1)
FAULTS.with_keywords("cosine_restarts_schedule", "optional", "peaks_of_one_height", peak=1.0)


@FAULTS.value("cosine_restarts_schedule", "bounds")
def restart_one_step_late(learning_rate, step, **keywords):
    """At each restart the rate is still that of the end."""
    right = reference("cosine_restarts_schedule", learning_rate, step, **keywords)
    before = reference("cosine_restarts_schedule", learning_rate, np.maximum(step - 1.0, 0.0).astype(step.dtype), **keywords)
    return np.where((step > 0) & (right > before), before, right).astype(step.dtype)


@FAULTS.value("polynomial_schedule", "bounds")
def falls_below_the_end(learning_rate, step, *, steps=16, power=1.0, final=0.0):
    right = reference("polynomial_schedule", learning_rate, step, steps=steps, power=power, final=final)
    return np.where(step > steps, right - learning_rate / 8, right).astype(step.dtype)


FAULTS.planted("one_cycle_schedule", "plain", "one_step_late", off_by(-1.0))
FAULTS.planted("one_cycle_schedule", "convention", "ends_at_the_other", other("one_cycle_schedule", "ends"))
FAULTS.with_keywords("one_cycle_schedule", "optional", "two_phases_always", phases=2)
FAULTS.with_keywords("one_cycle_schedule", "optional", "cosine_always", form="cosine")
FAULTS.with_keywords("one_cycle_schedule", "optional", "final_divisor_ignored", final_divisor=10_000.0)
FAULTS.planted(
    "one_cycle_schedule",
    "plain",
    "final_rate_of_the_peak",
    lambda right, divisor=25.0, final_divisor=10_000.0, **given: right(
        divisor=divisor, final_divisor=final_divisor / divisor, **given
    ),
)


@FAULTS.value("one_cycle_schedule", "convention")
def second_turn_at_twice_the_rounded_first(learning_rate, step, *, steps=24, rising=0.25, phases=2, ends="last_step", **keywords):
    """The second of three phases is as long as the first, where both end at whole steps."""
    first = int(rising * steps)
    given = {**keywords, "steps": steps, "rising": first / steps if (phases, ends) == (3, "steps") else rising}
    return reference("one_cycle_schedule", learning_rate, step, phases=phases, ends=ends, **given)


@FAULTS.value("one_cycle_schedule", "optional")
def turns_at_whole_steps(learning_rate, step, *, steps=24, rising=0.25, phases=2, ends="last_step", **keywords):
    """The turns of three phases rounded down, also where the cycle ends at the last step."""
    given = {**keywords, "steps": steps, "rising": int(rising * steps) / steps if (phases, ends) == (3, "last_step") else rising}
    return reference("one_cycle_schedule", learning_rate, step, phases=phases, ends=ends, **given)


@FAULTS.value("joined_schedules", "plain")
def later_schedules_go_on_from_the_first_step(learning_rate, step, *, boundaries=(8,), **keywords):
    """Each schedule is that of the whole training, and not of its own steps."""
    keywords = {"schedules": ("warmup", "linear"), "lengths": (8, 16), **keywords}
    y = np.zeros_like(step)
    for name, length, start in zip(keywords["schedules"], keywords["lengths"], (0, *boundaries), strict=True):
        alone = reference("joined_schedules", learning_rate, step, schedules=(name,), lengths=(length,), boundaries=())
        y = np.where(step >= start, alone, y)
    return y


@FAULTS.value("joined_schedules", "plain")
def boundary_one_step_late(learning_rate, step, *, boundaries=(8,), **keywords):
    """The step at a boundary is still of the schedule before, and the next one begins there."""
    right = reference("joined_schedules", learning_rate, step, boundaries=boundaries, **keywords)
    late = tuple(place + 1 for place in boundaries)
    return np.where(
        np.isin(step, boundaries), reference("joined_schedules", learning_rate, step, boundaries=late, **keywords), right
    )


@FAULTS.value("joined_schedules", "optional")
def last_schedule_left_out(learning_rate, step, *, boundaries=(8,), **keywords):
    chosen = {"schedules": ("warmup", "linear"), "lengths": (8, 16), **keywords}
    shorter = {key: value[: max(1, len(value) - 1)] for key, value in chosen.items()}
    return reference("joined_schedules", learning_rate, step, boundaries=boundaries[: len(shorter["schedules"]) - 1], **shorter)
