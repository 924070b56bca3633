"""The samples of recurrent layers over padded sequences: lengths, directions, states, and what padding may hold."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from tensorproof_reference.operation import DTYPES, Sample
from tensorproof_reference.operations import _recurrent
from tensorproof_reference.operations._recurrent import ALL_BUT_BFLOAT16, Leaf, Parameters
from tensorproof_reference.operations._recurrent_work import SIZES, recurrent_workload
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array

BACKWARD: dict[str, Any] = {"reverse": True}
LAST: dict[str, Any] = {"return_sequences": False}


def padding_of(x: Array, lengths: Array) -> Array:
    """Where a batch of sequences (N, T, F) has padding."""
    return np.broadcast_to((np.arange(x.shape[1]) >= lengths[:, None])[..., None], x.shape)


def drawn(stream: Stream, gates: tuple[int, ...], lengths: Any, **choices: Any) -> dict[str, Any]:
    """Inputs of that many steps; padding holds ordinary numbers, so that who reads it shows."""
    return {**_recurrent.draw_inputs(stream, gates, **choices), "lengths": None if lengths is None else np.asarray(lengths)}


def padded_samples(stream: Stream, gates: tuple[int, ...], states: tuple[str, ...]) -> Iterator[Sample]:
    """The samples that every recurrent operation over padded sequences has, named by class."""

    def sample(name: str, lengths: Any = (2, 4, 3), keywords: Any = None, memory: str = "contiguous", **choices: Any) -> Sample:
        inputs = drawn(stream(name), gates, lengths, **({"states": states} | choices))
        return Sample(name=name, inputs=inputs, keywords=keywords or {}, memory=memory)

    def single(name: str, lengths: Any = (2, 4, 3), **choices: Any) -> Sample:
        return replace(sample(name, lengths, **choices), dtypes=SINGLE)

    one: dict[str, Any] = {"layers": 1, "directions": 1}
    yield sample("plain_lengths", **one, states=())
    yield single("size_large", (12, 5, 9, 1), **one, sizes=(4, 12, 16, 32))
    yield single("recurrent_two_layers", directions=1)
    yield single("recurrent_both_directions", layers=1, states=())
    yield sample("recurrent_both")
    yield single("recurrent_no_bias", biases=0)
    yield single("recurrent_last_output", keywords=LAST)
    yield single("recurrent_last_output_one_direction", **one, keywords=LAST)
    yield single("recurrent_last_output_two_layers", directions=1, keywords=LAST)
    yield sample("recurrent_backward", **one, states=(), keywords=BACKWARD)
    yield single("recurrent_backward_two_layers", directions=1, keywords=BACKWARD)
    yield single("recurrent_backward_last_output", directions=1, keywords=BACKWARD | LAST)
    yield single("state_given", **one)
    yield single("state_given_backward", **one, keywords=BACKWARD)
    yield single("state_absent", states=())
    yield single("unit_time", (1, 1, 1), sizes=(3, 1, 2, 4))
    yield single("unit_batch", (3,), sizes=(1, 4, 2, 4))
    yield single("unit_batch_backward", (3,), **one, sizes=(1, 4, 2, 4), keywords=BACKWARD)
    yield replace(sample("unit_hidden", sizes=(3, 4, 1, 1)), dtypes=ALL_BUT_BFLOAT16)
    yield single("bounds_one_step", (1, 4, 1))
    yield single("bounds_all_steps", (4, 4, 4))
    yield single("bounds_fewer_than_there_are", (2, 1, 2))
    yield single("strided_transposed", memory="transposed")
    yield single("strided_sliced", memory="sliced")
    yield _with_padding(single("mask_large_padding"), 1e4)
    yield _with_padding(single("nan_padding"), np.nan, gradient=False)
    # The gradient is optional: 0 times NaN is NaN for whoever computes padding and then leaves it out.
    yield _with_padding(single("nan_padding_gradient", layers=1), np.nan, required=False)
    step = single("nan_one_step", layers=1)
    step.inputs["x"][1, 2, 0] = np.nan
    yield step
    state = single("nan_state")
    state.inputs["hidden"][1, 0, 1, 2] = np.nan
    yield state
    enlarged = single("magnitude_300")
    enlarged.inputs["x"][:] *= 300.0
    yield replace(enlarged, gradient=False)
    yield scaled(single("magnitude_small"), 2.0**-8)
    yield single("optional_no_lengths", None)
    yield single("optional_no_lengths_backward", None, **one, keywords=BACKWARD)
    yield single("optional_no_lengths_last_output", None, **one, keywords=BACKWARD | LAST)


CLEAR = {"relu": (1.5, -1.5), "hard_sigmoid": (0.5, 5.0, -0.5, -5.0)}
"""Biases so large beside all else that no sum comes near a kink, in turn over the units, each gate one further."""


def activated(
    stream: Stream, gates: tuple[int, ...], states: tuple[str, ...], choices: Iterable[dict[str, Any]]
) -> Iterator[Sample]:
    """A sample of each choice of activations, all of them optional: not every framework has others."""
    for keywords in choices:
        name = "_".join(["optional", *(key if value is True else f"{key}_{value}" for key, value in keywords.items())])
        directions = 1 if "reverse" in keywords else 2
        inputs = drawn(stream(name), gates, (2, 4, 3), states=states, directions=directions)
        cleared = {**inputs, "parameters": _clear_of_kinks(inputs["parameters"], **keywords)}
        if "cell" in states:
            # The cell's state goes through the activation too: with relu it stays on one side.
            cleared["cell"] = np.abs(inputs["cell"])
        dtypes = SINGLE if len(keywords) == 1 else DTYPES
        yield Sample(name=name, inputs=cleared, keywords=keywords, required=False, dtypes=dtypes)


def _clear_of_kinks(
    parameters: Parameters, activation: str = "tanh", gate_activation: str = "sigmoid", reverse: bool = False
) -> Parameters:
    """Smaller weights with biases beside which they bring nothing near a kink of an activation that has some."""

    def changed(leaf: Leaf) -> Leaf:
        """One leaf; of the gates, the third is that of the candidate."""
        bias = leaf["bias"].reshape((-1, leaf["bias"].shape[-1]))
        names = [activation if len(bias) == 1 or row == 2 else gate_activation for row in range(len(bias))]
        units = bias.shape[1]
        rows = [np.resize(np.roll(CLEAR[name], row), units) if name in CLEAR else bias[row] for row, name in enumerate(names)]
        scale = 0.5 if set(names) & set(CLEAR) else 1.0
        weights = {key: scale * leaf[key] for key in ("input_weights", "recurrent_weights")}
        return {**weights, "bias": np.stack(rows).reshape(leaf["bias"].shape)}

    return [[changed(leaf) for leaf in layer] for layer in parameters]


def scaled(sample: Sample, scale: float) -> Sample:
    """The sample with all but weights and what says which steps count multiplied by ``scale``."""
    kept = {name: value for name, value in sample.inputs.items() if name in ("lengths", "mask")}
    floating = {name: value for name, value in sample.inputs.items() if name not in kept}
    return replace(sample, inputs={**_recurrent.scale_inputs(floating, scale), **kept})


def _with_padding(sample: Sample, value: float, **others: Any) -> Sample:
    """The sample with something else in its padding."""
    x, lengths = sample.inputs["x"], sample.inputs["lengths"]
    return replace(sample, inputs={**sample.inputs, "x": np.where(padding_of(x, lengths), value, x)}, **others)


def padded_workload(stream: Stream, size: str, gates: tuple[int, ...]) -> Sample:
    """Sequences of which the last is a step shorter, through one layer in one direction."""
    whole = recurrent_workload(stream, size, gates)
    batch, steps = SIZES[size][:2]
    return replace(whole, inputs={**whole.inputs, "lengths": np.full(batch, steps) - (np.arange(batch) == batch - 1)})
