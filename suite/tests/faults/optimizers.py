"""Faults in optimizers, clipping and schedules: state, corrections, decay, groups, absent gradients, norms, steps."""

import numpy as np
from faulty import Faults, reference
from small_operations import OPERATIONS

FAULTS = Faults()
STEPPING = ("gradient_descent", "sgd", "momentum", "rmsprop", "adam", "adamw", "adagrad", "adadelta", "nadam")


def other(operation, keyword, **fixed):
    """A change that takes the other of two conventions."""
    first, second = OPERATIONS[operation].conventions[keyword]
    default = OPERATIONS[operation].function.__kwdefaults__[keyword]

    def change(right, **arguments):
        chosen = arguments.get(keyword, default)
        return right(**{**arguments, keyword: second if chosen == first else first, **fixed})

    return change


def without_groups(right, *, learning_rate=0.01, **arguments):
    rate = learning_rate[0] if isinstance(learning_rate, tuple | list) else learning_rate
    return right(**arguments, learning_rate=rate)


def gradient_of_zero_for_none(right, *, parameters, gradients, **arguments):
    filled = [[np.zeros_like(p) if g is None else g for p, g in zip(parameters, of_step, strict=True)] for of_step in gradients]
    return right(parameters=parameters, gradients=filled, **arguments)


def moved_without_gradient(right, *, parameters, gradients, **arguments):
    filled = [[np.ones_like(p) if g is None else g for p, g in zip(parameters, of_step, strict=True)] for of_step in gradients]
    return right(parameters=parameters, gradients=filled, **arguments)


def last_step_left_out(right, *, gradients, **arguments):
    return right(gradients=gradients[:-1], **arguments)


def first_gradient_in_every_step(right, *, gradients, **arguments):
    return right(gradients=[gradients[0]] * len(gradients), **arguments)


def mean_over_steps(right, *, gradients, **arguments):
    """Gradients averaged over the steps, and one step: what accumulation would do."""
    if any(g is None for of_step in gradients for g in of_step):
        return right(gradients=gradients, **arguments)
    mean = [sum(of_parameter) / len(gradients) for of_parameter in zip(*gradients, strict=True)]
    return right(gradients=[mean], **arguments)


def gradient_modified(right, *, parameters, gradients, **arguments):
    result = right(parameters=parameters, gradients=gradients, **arguments)
    for of_step in gradients:
        for gradient in of_step:
            if gradient is not None:
                gradient += 1.0
    return result


def parameters_modified(right, *, parameters, **arguments):
    result = right(parameters=parameters, **arguments)
    moved = result if OPERATIONS[right.args[0]].outputs == ("parameters",) else result[0]
    for parameter, after in zip(parameters, moved, strict=True):
        parameter[...] = after
    return result


for stepping in STEPPING:
    FAULTS.planted(stepping, "optional", "learning_rate_of_the_first_group_for_all", without_groups)
    FAULTS.planted(stepping, "optional", "parameter_without_gradient_moved", moved_without_gradient)
    FAULTS.planted(stepping, "plain", "last_step_left_out", last_step_left_out)
    FAULTS.planted(stepping, "plain", "first_gradient_in_every_step", first_gradient_in_every_step)
    FAULTS.planted(stepping, "plain", "gradients_averaged_over_steps", mean_over_steps)
    FAULTS.planted(stepping, "purity", "gradient_modified_in_place", gradient_modified)
    FAULTS.planted(stepping, "purity", "parameters_modified_in_place", parameters_modified)

for stateful in ("momentum", "rmsprop", "adam", "adamw", "adadelta", "nadam"):
    FAULTS.planted(stateful, "optional", "absent_gradient_taken_for_zero", gradient_of_zero_for_none)


def state_forgotten(*slots):
    def change(right, **arguments):
        return right(**{**arguments, **dict.fromkeys(slots)})

    return change


def state_of_the_first_parameter_for_all(*slots):
    """State shared between parameters, as far as the shapes allow."""

    def change(right, **arguments):
        for slot in slots:
            if arguments.get(slot) is not None:
                mean = np.mean(arguments[slot][0])
                arguments[slot] = [np.full_like(array, mean) for array in arguments[slot]]
        return right(**arguments)

    return change


SLOTS = {
    "momentum": ("velocity",),
    "rmsprop": ("mean_square", "mean_gradient", "velocity"),
    "adam": ("first_moment", "second_moment", "maximum_second_moment"),
    "adamw": ("first_moment", "second_moment", "maximum_second_moment"),
    "adagrad": ("sum_of_squares",),
    "adadelta": ("mean_square", "mean_square_update"),
    "nadam": ("first_moment", "second_moment"),
}
for stateful, slots in SLOTS.items():
    FAULTS.planted(stateful, "state", "state_shared_between_parameters", state_of_the_first_parameter_for_all(*slots))
    for slot in slots:
        FAULTS.planted(stateful, "state", f"{slot}_forgotten", state_forgotten(slot))

for counted in ("adam", "adamw", "nadam"):
    FAULTS.with_keywords(counted, "state", "steps_taken_before_forgotten", taken=0)
    FAULTS.planted(
        counted,
        "plain",
        "step_counted_from_zero",
        lambda right, taken=0, **arguments: right(taken=max(taken - 1, 0), **arguments),
    )
    FAULTS.planted(
        counted, "plain", "step_counted_from_two", lambda right, taken=0, **arguments: right(taken=taken + 1, **arguments)
    )
    FAULTS.planted(counted, "convention", "all_steps_counted_for_each_parameter", other(counted, "counted"))

for adaptive in ("adam", "adamw"):
    FAULTS.with_keywords(adaptive, "plain", "no_bias_correction", bias_correction=False)
    FAULTS.planted(
        adaptive, "epsilon", "epsilon_on_the_other_side_of_the_correction", other(adaptive, "epsilon_placement", maximum="raw")
    )
    FAULTS.planted(adaptive, "convention", "maximum_on_the_other_side_of_the_correction", other(adaptive, "maximum"))
    FAULTS.planted(
        adaptive,
        "optional",
        "amsgrad_ignored",
        lambda right, amsgrad=False, maximum_second_moment=None, **arguments: _without_amsgrad(right, amsgrad, arguments),
    )
    FAULTS.planted(
        adaptive,
        "plain",
        "coefficients_of_the_moments_exchanged",
        lambda right, beta1=0.9, beta2=0.999, **arguments: right(beta1=beta2, beta2=beta1, **arguments),
    )
    FAULTS.planted(
        adaptive,
        "plain",
        "coefficient_taken_for_its_complement",
        lambda right, beta1=0.9, **arguments: right(beta1=1.0 - beta1 if beta1 else beta1, **arguments),
    )


def _without_amsgrad(right, amsgrad, arguments):
    moved, first, second, _ = right(amsgrad=False, **arguments)
    return moved, first, second, list(second) if amsgrad else []


FAULTS.planted(
    "adam",
    "optional",
    "weight_decay_decoupled",
    lambda right, **arguments: reference("adamw", **{"weight_decay": 0.0, **arguments}),
)
FAULTS.planted(
    "adamw", "plain", "weight_decay_coupled", lambda right, **arguments: reference("adam", **{"weight_decay": 0.01, **arguments})
)


def decay_not_scaled(right, *, parameters, gradients, learning_rate=0.001, weight_decay=0.01, **arguments):
    """Decoupled decay that is not multiplied by the learning rate."""
    if isinstance(learning_rate, tuple) or not learning_rate:
        return right(
            parameters=parameters, gradients=gradients, learning_rate=learning_rate, weight_decay=weight_decay, **arguments
        )
    options = {"learning_rate": learning_rate, "weight_decay": weight_decay / learning_rate, **arguments}
    return right(parameters=parameters, gradients=gradients, **options)


FAULTS.planted("adamw", "plain", "weight_decay_not_scaled_by_the_learning_rate", decay_not_scaled)
for decaying in ("sgd", "momentum", "rmsprop", "adam", "adamw", "adagrad", "adadelta", "nadam"):
    FAULTS.with_keywords(decaying, "optional", "weight_decay_ignored", weight_decay=0.0)
for decaying in ("momentum", "adadelta"):
    FAULTS.planted(decaying, "convention", "weight_decay_coupled_for_decoupled", other(decaying, "decay"))

FAULTS.with_keywords("momentum", "optional", "dampening_ignored", dampening=0.0)
FAULTS.with_keywords("momentum", "optional", "nesterov_ignored", nesterov=False)
FAULTS.with_keywords("momentum", "plain", "no_momentum", coefficient=0.0)
FAULTS.planted("momentum", "convention", "first_gradient_dampened", other("momentum", "first_step"))
FAULTS.planted("momentum", "convention", "velocity_of_updates_for_gradients", other("momentum", "accumulated"))


@FAULTS.value("momentum", "optional")
def nesterov_looks_two_steps_ahead(parameters, gradients, velocity=None, *, learning_rate=0.01, nesterov=False, **keywords):
    keywords = {**keywords, "learning_rate": learning_rate, "nesterov": nesterov}
    moved, velocities = reference("momentum", parameters, gradients, velocity, **keywords)
    if nesterov and isinstance(learning_rate, float) and keywords.get("accumulated", "gradients") == "gradients":
        moved = [p - learning_rate * 0.9 * 0.9 * v for p, v in zip(moved, velocities, strict=True)]
    return moved, velocities


for rooted in ("rmsprop", "adagrad"):
    FAULTS.planted(rooted, "epsilon", "epsilon_on_the_other_side_of_the_root", other(rooted, "epsilon_placement"))
FAULTS.with_keywords("rmsprop", "epsilon", "epsilon_of_another_size", epsilon=1e-3)
FAULTS.with_keywords("rmsprop", "optional", "rho_ignored", rho=0.9)
FAULTS.planted("rmsprop", "convention", "velocity_of_updates_for_gradients", other("rmsprop", "accumulated"))


@FAULTS.value("rmsprop", "optional")
def centered_ignored(parameters, gradients, mean_square=None, mean_gradient=None, velocity=None, *, centered=False, **keywords):
    states = (mean_square, mean_gradient, velocity)
    _, squares, means, velocities = reference("rmsprop", parameters, gradients, *states, centered=centered, **keywords)
    return reference("rmsprop", parameters, gradients, *states, **keywords)[0], squares, means, velocities


@FAULTS.value("rmsprop", "plain")
def sum_for_the_mean_of_squares(parameters, gradients, mean_square=None, *states, rho=0.9, **keywords):
    larger = [[None if g is None else g / np.sqrt(1.0 - rho).astype(g.dtype) for g in of_step] for of_step in gradients]
    moved, *_ = reference("rmsprop", parameters, larger, mean_square, *states, rho=rho, **keywords)
    return moved, *reference("rmsprop", parameters, gradients, mean_square, *states, rho=rho, **keywords)[1:]


FAULTS.with_keywords("adagrad", "optional", "initial_accumulator_ignored", initial_accumulator=0.0)


@FAULTS.value("adagrad", "plain")
def mean_for_the_sum_of_squares(parameters, gradients, sum_of_squares=None, **keywords):
    moved, totals = reference("adagrad", parameters, gradients, sum_of_squares, **keywords)
    return moved, [total / max(len(gradients), 1) for total in totals]


FAULTS.with_keywords("adadelta", "epsilon", "epsilon_ignored", epsilon=1e-12)
FAULTS.with_keywords("adadelta", "optional", "learning_rate_ignored", learning_rate=1.0)
FAULTS.planted("nadam", "convention", "momentum_constant_for_rising", other("nadam", "schedule"))
FAULTS.with_keywords("nadam", "plain", "momentum_rises_at_once", momentum_decay=1.0)


@FAULTS.value("nadam", "plain")
def no_nesterov_momentum(parameters, gradients, first_moment=None, second_moment=None, **keywords):
    kept = {key: value for key, value in keywords.items() if key not in ("schedule", "momentum_decay")}
    kept = {"learning_rate": 0.002, **kept}
    return reference("adam", parameters, gradients, first_moment, second_moment, **kept)[:3]


@FAULTS.value("gradient_descent", "plain")
def climbs(parameters, gradients, *, learning_rate=0.01):
    moved = reference("gradient_descent", parameters, gradients, learning_rate=learning_rate)
    return [p + p - q for p, q in zip(parameters, moved, strict=True)]


@FAULTS.value("sgd", "convention")
def decay_not_scaled_by_the_learning_rate(parameters, gradients, *, learning_rate=0.01, weight_decay=0.0):
    rate = learning_rate if isinstance(learning_rate, float) else learning_rate[0]
    scaled = weight_decay / rate if rate else weight_decay
    return reference("sgd", parameters, gradients, learning_rate=learning_rate, weight_decay=scaled)


@FAULTS.value("clip_by_value", "plain")
def clipped_from_above_only(gradients, *, limit):
    return [np.minimum(gradient, limit) for gradient in gradients]


@FAULTS.value("clip_by_value", "nan")
def nan_becomes_the_limit(gradients, *, limit):
    return [np.fmin(np.fmax(gradient, -limit), limit) for gradient in gradients]


@FAULTS.value("clip_by_value", "plain")
def scaled_for_clipped(gradients, *, limit):
    return reference("clip_by_norm", gradients, limit=limit)


@FAULTS.value("clip_by_value", "infinity")
def infinity_becomes_zero(gradients, *, limit):
    return [
        np.where(np.isinf(g), 0.0, c).astype(g.dtype)
        for g, c in zip(gradients, reference("clip_by_value", gradients, limit=limit), strict=True)
    ]


def norm_of(kind, exponent):
    def change(right, *, gradients, limit, epsilon=0.0):
        norms = [np.sum(np.abs(g) ** exponent) ** (1.0 / exponent) for g in gradients]
        if kind == "global":
            norms = [np.sum(np.asarray(norms) ** exponent) ** (1.0 / exponent)] * len(gradients)
        return [(g * np.minimum(limit / (n + epsilon), 1.0)).astype(g.dtype) for g, n in zip(gradients, norms, strict=True)]

    return change


for clipping, kind in (("clip_by_norm", "each"), ("clip_by_global_norm", "global")):
    wrong = "each" if kind == "global" else "global"
    FAULTS.planted(clipping, "plain", "norm_over_the_wrong_gradients", norm_of(wrong, 2.0))
    FAULTS.planted(clipping, "plain", "sum_of_sizes_for_the_norm", norm_of(kind, 1.0))
    FAULTS.planted(
        clipping,
        "plain",
        "always_scaled_to_the_limit",
        lambda right, *, gradients, limit, epsilon=0.0, right_kind=kind: [
            (g * (limit / np.sqrt(np.sum(np.square(g))))).astype(g.dtype) for g in gradients
        ],
    )
    FAULTS.planted(
        clipping,
        "plain",
        "root_mean_square_for_the_norm",
        lambda right, *, gradients, limit, epsilon=0.0: right(
            gradients=gradients, limit=limit * float(np.sqrt(max(g.size for g in gradients))), epsilon=epsilon
        ),
    )
    FAULTS.planted(clipping, "convention", "guard_added_or_left_out", other(clipping, "epsilon"))


def off_by(number):
    return lambda right, *, step, **arguments: right(step=np.maximum(step + number, 0.0).astype(step.dtype), **arguments)


for schedule in ("step_schedule", "exponential_schedule", "cosine_schedule", "warmup_schedule"):
    FAULTS.planted(schedule, "plain", "one_step_late", off_by(-1.0))
    FAULTS.planted(schedule, "plain", "one_step_early", off_by(1.0))
    FAULTS.planted(
        schedule,
        "plain",
        "learning_rate_ignored",
        lambda right, *, learning_rate, **arguments: right(learning_rate=np.ones_like(learning_rate), **arguments),
    )

FAULTS.planted(
    "constant_schedule", "plain", "falls_with_the_step", lambda right, *, learning_rate, step: learning_rate / (1.0 + step)
)
FAULTS.planted("step_schedule", "convention", "boundary_on_the_other_side", other("step_schedule", "at_boundary"))
FAULTS.planted(
    "step_schedule",
    "bounds",
    "one_boundary_only",
    lambda right, boundaries=(8, 16), **arguments: right(boundaries=boundaries[:1], **arguments),
)
FAULTS.with_keywords("step_schedule", "optional", "factor_ignored", factor=0.1)
FAULTS.with_keywords("exponential_schedule", "optional", "staircase_ignored", staircase=False)
FAULTS.with_keywords("exponential_schedule", "optional", "rate_for_every_step", every=1)
FAULTS.with_keywords("cosine_schedule", "optional", "final_fraction_ignored", final=0.0)
FAULTS.planted("cosine_schedule", "bounds", "rises_again_or_stays", other("cosine_schedule", "beyond"))
FAULTS.planted(
    "cosine_schedule", "plain", "twice_as_fast", lambda right, steps=16, **arguments: right(steps=max(steps // 2, 1), **arguments)
)
FAULTS.with_keywords("warmup_schedule", "optional", "start_ignored", start=0.0)


@FAULTS.value("warmup_schedule", "bounds")
def rises_on_and_on(learning_rate, step, *, steps=8, start=0.0):
    return learning_rate * (start + (1.0 - start) * (step / steps))


@FAULTS.value("adam", "optional")
def largest_second_moment_not_kept(parameters, gradients, *moments, **keywords):
    given = moments[2] if len(moments) > 2 else keywords.get("maximum_second_moment")
    *others, largest = reference("adam", parameters, gradients, *moments, **keywords)
    if not keywords.get("amsgrad", False):
        return *others, largest
    return *others, [np.zeros_like(p) for p in parameters] if given is None else list(given)


@FAULTS.value("adamw", "plain")
def only_matrices_decay(parameters, gradients, *moments, **keywords):
    decayed, *others = reference("adamw", parameters, gradients, *moments, **keywords)
    kept, *_ = reference("adamw", parameters, gradients, *moments, **{**keywords, "weight_decay": 0.0})
    return [d if p.ndim > 1 else k for p, d, k in zip(parameters, decayed, kept, strict=True)], *others
