"""Faults in the optimizers of profile ``extended``: state, counts, limits, norms, scales and where epsilon and decay go."""

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
FAULTS.with_keywords("muon", "plain", "one_iteration_too_few", iterations=1)
FAULTS.planted(
    "muon",
    "convention",
    "scale_of_the_transposed_matrix",
    lambda right, scale="rows", **arguments: right(scale={"rows": "columns", "columns": "rows"}.get(scale, scale), **arguments),
)
FAULTS.with_keywords("muon", "optional", "nesterov_always", nesterov=True)

for schedule in ("polynomial_schedule", "cosine_restarts_schedule"):
    FAULTS.planted(schedule, "plain", "one_step_late", off_by(-1.0))
    FAULTS.planted(schedule, "plain", "one_step_early", off_by(1.0))
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
