"""Faults in L-BFGS: its pairs, their order and number, its scales, its first step, and steps of zero."""

import numpy as np
from faulty import Faults

from faults.optimizers import first_gradient_in_every_step, last_step_left_out, other

FAULTS = Faults()
LBFGS = "lbfgs"
PAIRS = ("parameter_changes", "gradient_changes")
STATE = ("previous_parameters", "previous_gradients", *PAIRS)


def plant(group, name, change):
    """A fault that leaves a memory of as many pairs as there should be: another number would be an error of the call."""

    def wrong(right, **given):
        *found, steps, changes = change(right, **given)
        *_, right_steps, right_changes = right(**given)
        return *found, _as_many(steps, right_steps), _as_many(changes, right_changes)

    FAULTS.planted(LBFGS, group, name, wrong)


def _as_many(pairs, wanted):
    """The newest of the pairs, with ones of zero before where they are fewer than wanted."""
    empty = [[np.zeros_like(array) for array in of_pair] for of_pair in wanted]
    return [*empty[len(pairs) :], *pairs[len(pairs) - len(wanted) if len(pairs) > len(wanted) else 0 :]]


def _in_steps(right, change, parameters, gradients, **given):
    """One step after the other, with the memory changed before each."""
    state = {name: given.pop(name, None) for name in STATE}
    for of_step in gradients:
        state |= change(state)
        parameters, *after = right(parameters=parameters, gradients=[of_step], **state, **given)
        state = dict(zip(STATE, after, strict=True))
    return parameters, *(state[name] for name in STATE)


def _each_memory(change):
    """A change of both lists of pairs, before each step."""

    def function(right, **given):
        return _in_steps(right, lambda state: {name: change(state[name]) for name in PAIRS if state[name]}, **given)

    return function


def _each_on_its_own(right, parameters, **given):
    """Each parameter as if it were the only one."""
    alone = []
    for index in range(len(parameters)):
        own = {
            name: [value[index]] if name.startswith("previous") else [[of_pair[index]] for of_pair in value]
            for name, value in given.items()
            if isinstance(value, list)
        }
        others = {name: value for name, value in given.items() if not isinstance(value, list)}
        alone.append(right(parameters=[parameters[index]], **own, **others))
    moved, before, old, steps, changes = zip(*alone, strict=True)

    def joined(pairs):
        return [[array for (array,) in of_pair] for of_pair in zip(*pairs, strict=False)]

    return ([of[0] for of in moved], [of[0] for of in before], [of[0] for of in old], joined(steps), joined(changes))


def _always_first(right, **given):
    """Each step begins without what was before."""
    return _in_steps(right, lambda state: dict.fromkeys(state), **given)


def _state_forgotten(right, **given):
    return right(**{name: value for name, value in given.items() if name not in STATE})


def _reversed(name):
    """One list of pairs from the newest to the oldest, which no longer are pairs."""

    def change(right, **given):
        return right(**{**given, name: (given.get(name) or [])[::-1]})

    return change


def _rate_twice(right, learning_rate=1.0, **given):
    return right(learning_rate=learning_rate**2, **given)


def _uphill(right, parameters, **given):
    moved, *state = right(parameters=parameters, **given)
    return [2.0 * before - after for before, after in zip(state[0], moved, strict=True)], *state


plant("plain", "last_step_left_out", last_step_left_out)
plant("plain", "first_gradient_in_every_step", first_gradient_in_every_step)
plant("state", "state_forgotten", _state_forgotten)
for listed in PAIRS:
    plant("state", f"{listed}_reversed", _reversed(listed))
plant("optional", "pairs_in_the_wrong_order", _each_memory(lambda pairs: pairs[::-1]))
plant("plain", "newest_pair_only", _each_memory(lambda pairs: []))
plant("optional", "memory_one_pair_longer", lambda right, memory=10, **given: right(memory=memory + 1, **given))
plant(*("optional", "memory_one_pair_shorter"), lambda right, memory=10, **given: right(memory=max(1, memory - 1), **given))
plant("plain", "every_step_as_the_first", _always_first)
plant("optional", "rate_multiplied_twice", _rate_twice)
plant("plain", "uphill", _uphill)
plant("plain", "each_parameter_on_its_own", _each_on_its_own)
plant("bounds", "pairs_of_any_curvature", lambda right, kept="positive", **given: right(kept="all", **given))
for keyword in ("kept", "scale", "zero_gradient"):
    plant("convention", f"{keyword}_of_the_other_kind", other(LBFGS, keyword))
plant(
    *("convention", "first_step_limited_by_another_norm"),
    lambda right, first_step="norm", **given: right(first_step="norm" if first_step == "sum" else "sum", **given),
)
