"""Recurrent operations over padded sequences: each sequence on its own, as if it had no padding."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from tensorproof_reference.arguments import require, require_rank, require_shape
from tensorproof_reference.operations import _recurrent
from tensorproof_reference.operations._recurrent import Parameters
from tensorproof_reference.trees import Array, Gradients, leaves, replace_leaves

States = Mapping[str, Array | None]
"""Initial states (layers, D, N, H) by name."""


class Lane(NamedTuple):
    """One sequence: its own steps, in the order in which the first direction runs, and its initial states."""

    x: Array
    states: dict[str, Array | None]
    place: slice
    """Among the sequences."""


def lanes(x: Array, parameters: Parameters, lengths: Array | None, states: States, reverse: bool) -> Iterator[Lane]:
    """The sequences one by one.

    Raises:
        ValueError: ``lengths`` are no integers from 1 to T, one for each sequence; or ``reverse`` comes with two directions.
    """
    require_rank(x, "x", 3)
    batch, steps = x.shape[:2]
    whole = np.full(batch, steps) if lengths is None else lengths
    require(np.issubdtype(whole.dtype, np.integer), "lengths", "integers", f"dtype {whole.dtype}")
    require_shape(whole, "lengths", (batch,))
    require(bool(np.all((whole >= 1) & (whole <= steps))), "lengths", f"numbers from 1 to {steps}", whole.tolist())
    require(not reverse or len(parameters[0]) == 1, "reverse", "one direction", f"{len(parameters[0])} directions")
    for lane, length in enumerate(whole):
        place = slice(lane, lane + 1)
        own = {name: None if state is None else state[:, :, place] for name, state in states.items()}
        yield Lane(turned(x[place, :length], reverse), own, place)


def turned(sequence: Array, reverse: bool) -> Array:
    """A sequence (1, T, ...) from its last step to its first, and back, if it is to be reversed."""
    return sequence[:, ::-1] if reverse else sequence


def padded(sequence: Array, steps: int) -> Array:
    """A sequence (1, L, ...) with zeros behind, so that it has so many steps."""
    return np.pad(sequence, ((0, 0), (0, steps - sequence.shape[1]), (0, 0)))


def forward(
    function: Callable[..., Any],
    x: Array,
    parameters: Parameters,
    lengths: Array | None,
    states: States,
    reverse: bool,
    return_sequences: bool,
    **keywords: Any,
) -> tuple[Array, ...]:
    """y and the final states of ``function`` over each sequence."""
    results = []
    for lane in lanes(x, parameters, lengths, states, reverse):
        y, *finals = function(lane.x, parameters, **lane.states, **keywords)
        results.append((padded(turned(y, reverse), x.shape[1]), *finals))
    sequences, *kinds = zip(*results, strict=True)
    found = tuple(np.concatenate(kind, axis=2) for kind in kinds)
    return (np.concatenate(sequences, axis=0) if return_sequences else _recurrent.last_output(found[0]), *found)


def backward(
    vjp: Callable[..., Gradients],
    cotangents: tuple[Array, ...],
    x: Array,
    parameters: Parameters,
    lengths: Array | None,
    states: States,
    reverse: bool,
    return_sequences: bool,
    **keywords: Any,
) -> Gradients:
    """The way back through ``forward``, where ``vjp`` is the vector-Jacobian product of its function.

    Steps of padding have no gradient, and gradients of weights are sums over sequences.
    """
    dy, *d_finals = cotangents
    if not return_sequences:
        d_finals[0] = _recurrent.add_last_output(d_finals[0], dy)
    found: list[Gradients] = []
    for lane in lanes(x, parameters, lengths, states, reverse):
        length, width = lane.x.shape[1], len(parameters[-1]) * parameters[-1][0]["recurrent_weights"].shape[-1]
        own = turned(dy[lane.place, :length], reverse) if return_sequences else np.zeros_like(x, shape=(1, length, width))
        upstream = (own, *(state[:, :, lane.place] for state in d_finals))
        gradients = vjp(upstream, lane.x, parameters, **lane.states, **keywords)
        found.append({**gradients, "x": padded(turned(gradients["x"], reverse), x.shape[1])})
    by_path = [dict(leaves(gradients["parameters"])) for gradients in found]
    summed = replace_leaves(
        found[0]["parameters"], lambda path, leaf: np.sum(np.stack([gradients[path] for gradients in by_path]), axis=0)
    )
    joined = {
        name: None if state is None else np.concatenate([gradients[name] for gradients in found], axis=2)
        for name, state in states.items()
    }
    return {"x": np.concatenate([gradients["x"] for gradients in found], axis=0), "parameters": summed, **joined}
