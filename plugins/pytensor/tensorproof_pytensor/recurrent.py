"""Recurrent layers by ``pytensor.scan``, and the gates of one step."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytensor
import pytensor.tensor as pt

from tensorproof.backend import Native
from tensorproof_pytensor.functions import ACTIVATIONS, affine
from tensorproof_pytensor.table import Given, composed, sizes

GATES = {"input_weights": "f (g h)", "recurrent_weights": "k (g h)", "bias": "(g h)", "recurrent_bias": "(g h)"}
LAYOUTS = {"lstm": GATES, "gru": GATES, "lstm_gates": GATES, "gru_gates": GATES}

Weights = Mapping[str, Native]
Step = Callable[..., Sequence[Native]]
"""From what the input gives to the gates of a step, the states before it, and the weights, to the states after it."""


def _from_input(x: Native, weights: Weights) -> Native:
    return affine(x, weights["input_weights"], weights.get("bias"))


def _from_hidden(hidden: Native, weights: Weights) -> Native:
    return affine(hidden, weights["recurrent_weights"], weights.get("recurrent_bias"))


def _lstm_values(given: Native, hidden: Native, weights: Weights) -> tuple[Native, ...]:
    i, f, g, o = pt.split(given + _from_hidden(hidden, weights), [sizes(hidden)[-1]] * 4, axis=-1)
    return pt.sigmoid(i), pt.sigmoid(f), pt.tanh(g), pt.sigmoid(o)


def _lstm_step(given: Native, states: Sequence[Native], weights: Weights) -> Sequence[Native]:
    hidden, cell = states
    i, f, g, o = _lstm_values(given, hidden, weights)
    cell = f * cell + i * g
    return o * pt.tanh(cell), cell


def _gru_values(given: Native, hidden: Native, weights: Weights, reset: str) -> tuple[Native, ...]:
    units = sizes(hidden)[-1]
    z_and_r = {name: array[..., : 2 * units] for name, array in weights.items()}
    candidate = {name: array[..., 2 * units :] for name, array in weights.items()}
    gates = pt.sigmoid(given[..., : 2 * units] + _from_hidden(hidden, z_and_r))
    z, r = gates[..., :units], gates[..., units:]
    inner = _from_hidden(r * hidden, candidate) if reset == "before" else r * _from_hidden(hidden, candidate)
    return z, r, pt.tanh(given[..., 2 * units :] + inner)


def _gru_step(reset: str) -> Step:
    def step(given: Native, states: Sequence[Native], weights: Weights) -> Sequence[Native]:
        (hidden,) = states
        z, _, n = _gru_values(given, hidden, weights, reset)
        return ((1.0 - z) * n + z * hidden,)

    return step


def _simple_step(activation: str) -> Step:
    def step(given: Native, states: Sequence[Native], weights: Weights) -> Sequence[Native]:
        return (ACTIVATIONS[activation](given + _from_hidden(states[0], weights)),)

    return step


def _direction(step: Step, x: Native, weights: Weights, states: Sequence[Native]) -> Sequence[Native]:
    """All states along time, which is the second axis as in ``x``; ``scan`` goes along the first."""
    recurrent = {name: array for name, array in weights.items() if name.startswith("recurrent")}

    def one(given: Native, *rest: Native) -> list[Native]:
        return list(step(given, rest[: len(states)], dict(zip(recurrent, rest[len(states) :], strict=True))))

    given = pt.moveaxis(_from_input(x, weights), 1, 0)
    # Unless told, a scan's steps are compiled by C in every mode.
    options = {"return_list": True, "return_updates": False, "strict": True, "mode": pytensor.config.mode}
    found = pytensor.scan(one, [given], list(states), list(recurrent.values()), **options)
    return [pt.moveaxis(states_in_time, 0, 1) for states_in_time in found]


def _run(of: Given, step: Step, names: Sequence[str]) -> tuple[Native, ...]:
    """The output, or its last, and the final states."""
    batch = sizes(of.x)[0]
    finals: list[list[list[Native]]] = [[] for _ in names]
    sequence = of.x
    for layer, directions in enumerate(of.parameters):
        seen = []
        for direction, weights in enumerate(directions):
            given = [getattr(of, name) for name in names]
            nothing = pt.zeros((batch, sizes(weights["recurrent_weights"])[0]), of.x.dtype)
            start = [nothing if state is None else state[layer, direction] for state in given]
            along = slice(None, None, -1) if direction else slice(None)
            states = _direction(step, sequence[:, along], weights, start)
            seen.append(states[0][:, along])
            for kept, state in zip(finals, states, strict=True):
                kept.extend([[]] if not direction else [])
                kept[-1].append(state[:, -1])
        sequence = pt.concatenate(seen, axis=-1)
    after = tuple(pt.stack([pt.stack(layer) for layer in kept]) for kept in finals)
    return (sequence if of.return_sequences else pt.concatenate(finals[0][-1], axis=-1)), *after


def _simple_rnn(of: Given) -> tuple[Native, Native]:
    y, h = _run(of, _simple_step(of.activation), ["hidden"])
    return (y if of.output_weights is None else affine(y, of.output_weights, of.output_bias)), h


def _gates(values: Callable[..., tuple[Native, ...]], of: Given, *options: Any) -> tuple[Native, ...]:
    return values(_from_input(of.x, of.parameters), of.hidden, of.parameters, *options)


composed("simple_rnn", _simple_rnn)
composed("lstm", lambda of: _run(of, _lstm_step, ["hidden", "cell"]))
composed("gru", lambda of: _run(of, _gru_step(of.reset), ["hidden"]))
composed("lstm_gates", lambda of: _gates(_lstm_values, of))
composed("gru_gates", lambda of: _gates(_gru_values, of, of.reset))
