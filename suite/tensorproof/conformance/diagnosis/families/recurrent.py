"""Mistakes in recurrent operations: the order of gates, biases, layers, directions, states."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorproof.conformance.diagnosis.mistake import Mistake, Situation

GATES = {"lstm": "ifgo", "lstm_gates": "ifgo", "gru": "zrn", "gru_gates": "zrn"}
"""The order of gates, as everywhere in the reference."""
LAYERED = ("simple_rnn", "lstm", "gru")
BIASES = ("bias", "recurrent_bias")

Change = Callable[[int, int, dict[str, Any]], dict[str, Any]]
"""(layer, direction, leaf) -> the leaf that is used."""


def mistakes(situation: Situation) -> Iterator[Mistake]:
    """The mistakes of an operation with a hidden state."""
    name = situation.name
    if name in GATES:
        yield from _gates(situation, GATES[name])
    if name in GATES or name in LAYERED:
        for key in BIASES:
            yield _changed(situation, f"{key} is ignored", _without((key,)))
    if name in LAYERED:
        yield from _layers(situation)
        yield from _states(situation)
        yield from _directions(situation)


def _zero(leaf: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: np.zeros_like(value) if key in keys else value for key, value in leaf.items()}


def _without(keys: tuple[str, ...]) -> Change:
    return lambda layer, direction, leaf: _zero(leaf, keys)


def _reordered(order: tuple[int, ...]) -> Change:
    return lambda layer, direction, leaf: {key: value[..., list(order), :] for key, value in leaf.items()}


def _multiplied(signs: NDArray[Any]) -> Change:
    return lambda layer, direction, leaf: {key: value * signs for key, value in leaf.items()}


def _changed(situation: Situation, text: str, change: Change) -> Mistake:
    given = situation.sample.inputs["parameters"]
    if isinstance(given, dict):
        return situation.with_inputs(text, parameters=change(0, 0, dict(given)))
    leaves = [[change(layer, side, dict(leaf)) for side, leaf in enumerate(row)] for layer, row in enumerate(given)]
    return situation.with_inputs(text, parameters=leaves)


def _gates(situation: Situation, gates: str) -> Iterator[Mistake]:
    for order in itertools.permutations(range(len(gates))):
        taken = "".join(gates[place] for place in order)
        if taken != gates:
            yield _changed(situation, f"gates in the order {taken} in place of {gates}", _reordered(order))
    for place, gate in enumerate(gates):
        signs = np.ones((len(gates), 1))
        signs[place] = -1.0
        yield _changed(situation, f"gate {gate} the other way round", _multiplied(signs))
    if "f" in gates:
        one = np.zeros((len(gates), 1))
        one[gates.index("f")] = 1.0
        yield _changed(
            situation,
            "1 added to the bias of the forget gate",
            lambda layer, direction, leaf: {key: value + one if key == "bias" else value for key, value in leaf.items()},
        )


def _layers(situation: Situation) -> Iterator[Mistake]:
    given = situation.sample.inputs["parameters"]
    layers, directions = len(given), len(given[0])
    changes: dict[str, Change] = {}
    if layers > 1:
        changes["only the first layer has a bias"] = lambda layer, side, leaf: _zero(leaf, BIASES) if layer else leaf
        changes["recurrent weights of the first layer in all"] = lambda layer, side, leaf: {
            **leaf,
            "recurrent_weights": given[0][side]["recurrent_weights"],
        }
    if directions > 1:
        changes["weights of the first direction in both"] = lambda layer, side, leaf: given[layer][0]
        changes["directions exchanged"] = lambda layer, side, leaf: given[layer][1 - side]
        if layers > 1:
            changes["the next layer sees backward before forward"] = lambda layer, side, leaf: {
                **leaf,
                "input_weights": np.roll(leaf["input_weights"], leaf["input_weights"].shape[0] // 2 if layer else 0, axis=0),
            }
    for text, change in changes.items():
        yield _changed(situation, text, change)


def _states(situation: Situation) -> Iterator[Mistake]:
    for name in ("hidden", "cell"):
        state = situation.sample.inputs.get(name)
        if state is None:
            continue
        if state.shape[2] > 1:
            kept = np.concatenate([state[:, :, :1], np.zeros_like(state[:, :, 1:])], axis=2)
            yield situation.with_inputs(f"{name} of the first example only", **{name: kept})


def _directions(situation: Situation) -> Iterator[Mistake]:
    right = situation.operation.function
    directions = len(situation.sample.inputs["parameters"][0])

    def last_step(return_sequences: bool = True, **arguments: Any) -> Any:
        _, *finals = right(return_sequences=return_sequences, **arguments)
        return right(return_sequences=True, **arguments)[0][:, -1], *finals

    def swapped(**arguments: Any) -> Any:
        y, *finals = right(**arguments)
        return y, *(np.swapaxes(state, 0, 1).reshape(state.shape) for state in finals)

    def reversed_halves(**arguments: Any) -> Any:
        y, *finals = right(**arguments)
        half = y.shape[-1] // 2
        return np.concatenate([y[..., :half], y[:, ::-1, half:]], axis=-1), *finals

    if not situation.keywords["return_sequences"]:
        yield Mistake(text="output of the last step in place of each direction's last", function=last_step)
    if directions > 1:
        yield Mistake(text="final states in the order of directions before layers", function=swapped)
        if situation.keywords["return_sequences"]:
            yield Mistake(text="backward outputs left in reverse order", function=reversed_halves)
        yield Mistake(text="the second direction runs forward", function=lambda **arguments: _forward(right, arguments))


def _forward(right: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """All layers and directions, each a call of its own, and the second direction from the first time step on too."""
    parameters, keywords = arguments["parameters"], {k: v for k, v in arguments.items() if k == "reset" or k == "activation"}
    names = [name for name in ("hidden", "cell") if name in arguments]
    sequence = arguments["x"]
    finals: list[list[Any]] = []
    for layer, row in enumerate(parameters):
        outputs = []
        for side, leaf in enumerate(row):
            states = {
                name: None if arguments[name] is None else arguments[name][layer : layer + 1, side : side + 1] for name in names
            }
            y, *ends = right(x=sequence, parameters=[[leaf]], **states, **keywords)
            outputs.append(y)
            finals.append(ends)
        sequence = np.concatenate(outputs, axis=-1)
    shape = (len(parameters), len(parameters[0]))
    stacked = []
    for kind in range(len(finals[0])):
        states_of = [ends[kind][0, 0] for ends in finals]
        stacked.append(np.stack(states_of).reshape((*shape, *states_of[0].shape)))
    if not arguments.get("return_sequences", True):
        hidden = stacked[0]
        sequence = np.concatenate([hidden[-1, side] for side in range(shape[1])], axis=-1)
    return sequence, *stacked
