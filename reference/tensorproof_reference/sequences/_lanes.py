"""Recurrent operations over sequences of which not all steps count: each sequence on its own, as if it had no others."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tensorproof_reference.arguments import require, require_rank, require_shape
from tensorproof_reference.operation import EXTENDED, Operation, Sample
from tensorproof_reference.operations import _recurrent
from tensorproof_reference.operations._recurrent import Parameters
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients, leaves, replace_leaves

States = Mapping[str, Array | None]
"""Initial states (layers, D, N, H) by name."""

Counted = NDArray[np.bool_]
"""Which steps count: (N, T) of a batch, (T) of a sequence."""

Places: TypeAlias = Callable[[Counted], NDArray[np.int64]]
"""counted (T) -> for each step, which of the L outputs stands there; L is zero."""


def padding(counted: Counted) -> NDArray[np.int64]:
    """Steps that do not count have zeros."""
    return np.where(counted, np.cumsum(counted) - 1, np.sum(counted))


def repetition(counted: Counted) -> NDArray[np.int64]:
    """Steps that do not count repeat the output before them, zero if there is none."""
    before = np.cumsum(counted) - 1
    return np.where(before < 0, np.sum(counted), before)


def repetition_backward(counted: Counted) -> NDArray[np.int64]:
    """Steps that do not count repeat the output after them, zero if there is none."""
    return np.cumsum(counted) - counted


class Lane(NamedTuple):
    """One sequence: its own steps, in the order in which the first direction runs, and its initial states."""

    x: Array
    states: dict[str, Array | None]
    place: slice
    """Among the sequences."""
    counted: Counted


def lanes(x: Array, parameters: Parameters, counted: Counted, states: States, reverse: bool) -> Iterator[Lane]:
    """The sequences one by one.

    Raises:
        ValueError: ``reverse`` comes with two directions.
    """
    require(not reverse or len(parameters[0]) == 1, "reverse", "one direction", f"{len(parameters[0])} directions")
    for lane, own in enumerate(counted):
        place = slice(lane, lane + 1)
        alone = {name: None if state is None else state[:, :, place] for name, state in states.items()}
        yield Lane(turned(x[place][:, own], reverse), alone, place, own)


def counted_by_lengths(x: Array, lengths: Array | None) -> Counted:
    """The first steps of each sequence, as many as its length, or all.

    Raises:
        ValueError: ``lengths`` are no integers from 1 to T, one for each sequence.
    """
    require_rank(x, "x", 3)
    batch, steps = x.shape[:2]
    whole = np.full(batch, steps) if lengths is None else lengths
    require(np.issubdtype(whole.dtype, np.integer), "lengths", "integers", f"dtype {whole.dtype}")
    require_shape(whole, "lengths", (batch,))
    require(bool(np.all((whole >= 1) & (whole <= steps))), "lengths", f"numbers from 1 to {steps}", whole.tolist())
    return np.arange(steps) < np.asarray(whole)[:, None]


def counted_by_mask(x: Array, mask: Array | None) -> Counted:
    """The steps where the mask is true, or all.

    Raises:
        ValueError: ``mask`` is no array (N, T) of booleans.
    """
    require_rank(x, "x", 3)
    whole = np.ones(x.shape[:2], np.bool_) if mask is None else mask
    require(whole.dtype == np.bool_, "mask", "booleans", f"dtype {whole.dtype}")
    require_shape(whole, "mask", x.shape[:2])
    return np.asarray(whole)


def turned(sequence: Array, reverse: bool) -> Array:
    """A sequence (1, T, ...) from its last step to its first, and back, if it is to be reversed."""
    return sequence[:, ::-1] if reverse else sequence


def spread(outputs: Array, places: NDArray[np.int64]) -> Array:
    """Of outputs (1, L, F), that which stands at each step (1, T, F)."""
    return np.concatenate([outputs, np.zeros_like(outputs, shape=(1, 1, outputs.shape[2]))], axis=1)[:, places]


def gathered(cotangents: Array, places: NDArray[np.int64], count: int) -> Array:
    """The way back through ``spread``: for each of the outputs, the sum over the steps at which it stands."""
    sums = [np.sum(cotangents[:, places == output], axis=1) for output in range(count)]
    return np.stack(sums, axis=1) if sums else cotangents[:, :0]


def forward(
    run: Callable[..., Any],
    x: Array,
    parameters: Parameters,
    counted: Counted,
    states: States,
    reverse: bool,
    return_sequences: bool,
    places: Places,
    **keywords: Any,
) -> tuple[Array, ...]:
    """y and the final states of ``run`` over each sequence, which gives memories after them."""
    layers, directions, units = len(parameters), len(parameters[0]), parameters[0][0]["recurrent_weights"].shape[-1]
    results = []
    for lane in lanes(x, parameters, counted, states, reverse):
        if lane.x.shape[1]:
            y, *finals, _ = run(lane.x, parameters, **lane.states, **keywords)
            last = _recurrent.last_output(finals[0])
        else:
            y, last = (np.zeros_like(x, shape=(*shape, directions * units)) for shape in ((1, 0), (1,)))
            zeros = np.zeros_like(x, shape=(layers, directions, 1, units))
            finals = [zeros if state is None else state for state in lane.states.values()]
        if return_sequences:
            last = spread(turned(y, reverse), places(lane.counted))
        results.append((last, *finals))
    outputs, *kinds = zip(*results, strict=True)
    return np.concatenate(outputs, axis=0), *(np.concatenate(kind, axis=2) for kind in kinds)


def backward(
    vjp: Callable[..., Gradients],
    cotangents: tuple[Array, ...],
    x: Array,
    parameters: Parameters,
    counted: Counted,
    states: States,
    reverse: bool,
    return_sequences: bool,
    places: Places,
    **keywords: Any,
) -> Gradients:
    """The way back through ``forward``, where ``vjp`` is the vector-Jacobian product of its function.

    Steps that do not count have no gradient, and gradients of weights are sums over sequences.
    """
    dy, *d_finals = cotangents
    found: list[Gradients] = []
    for lane in lanes(x, parameters, counted, states, reverse):
        length = lane.x.shape[1]
        own, upstream = dy[lane.place], [state[:, :, lane.place] for state in d_finals]
        if not length:
            kept = dict(zip(states, upstream, strict=True))
            found.append({"x": np.zeros_like(x[lane.place]), "parameters": _zeros(parameters), **kept})
            continue
        if return_sequences:
            own = turned(gathered(own, places(lane.counted), length), reverse)
        gradients = vjp((own, *upstream), lane.x, parameters, **lane.states, return_sequences=return_sequences, **keywords)
        found.append({**gradients, "x": spread(turned(gradients["x"], reverse), padding(lane.counted))})
    by_path = [dict(leaves(gradients["parameters"])) for gradients in found]
    summed = replace_leaves(
        found[0]["parameters"], lambda path, leaf: np.sum(np.stack([gradients[path] for gradients in by_path]), axis=0)
    )
    joined = {
        name: None if state is None else np.concatenate([gradients[name] for gradients in found], axis=2)
        for name, state in states.items()
    }
    return {"x": np.concatenate([gradients["x"] for gradients in found], axis=0), "parameters": summed, **joined}


def _zeros(parameters: Parameters) -> Any:
    """No gradient of any weight."""
    return replace_leaves(parameters, lambda path, leaf: np.zeros_like(leaf))


def operation_over_steps(
    like: Operation, which: Mapping[str, str], workload: Callable[[Stream, str], Sample], **parts: Any
) -> Operation:
    """An operation that is another one over some steps, with its outputs, conventions and axes, and those of ``which`` steps."""
    axes = {name: axes for name, axes in like.axes.items() if not name.startswith("output_")}
    return Operation(
        **parts,
        family="padded",
        profile=EXTENDED,
        differentiable=tuple(name for name in like.differentiable if not name.startswith("output_")),
        outputs=like.outputs,
        cotangents=like.cotangents,
        axes={**axes, **which},
        orders=like.orders,
        conventions=like.conventions,
        workload=workload,
    )
