"""Faults in recurrent layers over padded sequences: lengths, padding, directions, final states."""

from typing import Any

import numpy as np
from faulty import Faults, right_vjp

FAULTS = Faults()
FAMILY = ("padded_simple_rnn", "padded_lstm", "padded_gru")
Inputs = dict[str, Any]


def _steps(given: Inputs) -> Any:
    """The lengths, or the number of all steps where none are given."""
    x, lengths = given["x"], given.get("lengths")
    return np.full(x.shape[0], x.shape[1]) if lengths is None else lengths


def _behind(given: Inputs) -> Any:
    """Where y has padding."""
    return (np.arange(given["x"].shape[1]) >= _steps(given)[:, None])[..., None]


def lengths_ignored(right: Any, **given: Any) -> Any:
    return right(**{**given, "lengths": None})


def lengths_of_the_first_sequence_for_all(right: Any, **given: Any) -> Any:
    return right(**{**given, "lengths": np.full_like(_steps(given), _steps(given)[0])})


def one_step_too_few(right: Any, **given: Any) -> Any:
    return right(**{**given, "lengths": np.maximum(_steps(given) - 1, 1)})


def padding_not_zero(right: Any, **given: Any) -> Any:
    """Padding has the last output, as if the layer went on."""
    y, *finals = right(**given)
    if not given.get("return_sequences", True):
        return y, *finals
    last = np.take_along_axis(y, (_steps(given) - 1)[:, None, None], axis=1)
    return np.where(_behind(given), last, y), *finals


def final_state_of_the_last_step(right: Any, **given: Any) -> Any:
    """The state after padding, beside outputs that are right."""
    y, *_ = right(**given)
    _, *finals = right(**{**given, "lengths": None})
    return y, *finals


def final_state_of_the_last_step_backwards(right: Any, **given: Any) -> Any:
    """Backwards, the state at the end of the sequence, which is the first one."""
    y, h = right(**given)
    if not given.get("reverse", False):
        return y, h
    outputs, _ = right(**{**given, "return_sequences": True})
    last = np.take_along_axis(outputs, (_steps(given) - 1)[:, None, None], axis=1)[:, 0]
    return y, np.concatenate([h[:-1], np.broadcast_to(last, h[-1:].shape)])


def backward_direction_begins_in_the_padding(right: Any, **given: Any) -> Any:
    """Padding comes first where a sequence is turned as a whole."""
    if not given.get("reverse", False):
        return right(**given)
    y, *finals = right(**{**given, "lengths": None})
    return (np.where(_behind(given), 0.0, y).astype(y.dtype) if given.get("return_sequences", True) else y), *finals


def reverse_ignored(right: Any, **given: Any) -> Any:
    return right(**{**given, "reverse": False})


def outputs_left_in_reverse_order(right: Any, **given: Any) -> Any:
    y, *finals = right(**given)
    turned = given.get("reverse", False) and given.get("return_sequences", True)
    return (y[:, ::-1] if turned else y), *finals


def last_output_of_a_padded_step(right: Any, **given: Any) -> Any:
    """The output at the last step, which is padding in shorter sequences."""
    y, *finals = right(**given)
    if given.get("return_sequences", True):
        return y, *finals
    return right(**{**given, "return_sequences": True})[0][:, -1], *finals


def last_output_of_a_padded_step_of_one_direction(right: Any, **given: Any) -> Any:
    """As above, where only one direction runs, and forward."""
    one = len(given["parameters"][0]) == 1 and not given.get("reverse", False)
    return last_output_of_a_padded_step(right, **given) if one else right(**given)


def padding_read_as_zero(right: Any, **given: Any) -> Any:
    """All steps run, with zeros for padding."""
    x = np.where((np.arange(given["x"].shape[1]) >= _steps(given)[:, None])[..., None], 0.0, given["x"]).astype(given["x"].dtype)
    return right(**{**given, "x": x, "lengths": None})


def second_layer_sees_padding(right: Any, **given: Any) -> Any:
    """NaN in padding spreads to the whole sequence."""
    y, *finals = right(**given)
    touched = np.isnan(np.sum(given["x"], axis=(1, 2)))[:, None]
    return (np.where(touched[..., None] if y.ndim == 3 else touched, np.nan, y).astype(y.dtype)), *finals


for operation in FAMILY:
    for group, change in (
        ("plain", lengths_ignored),
        ("plain", lengths_of_the_first_sequence_for_all),
        ("plain", one_step_too_few),
        ("plain", padding_not_zero),
        ("plain", final_state_of_the_last_step),
        ("plain", padding_read_as_zero),
        ("recurrent", backward_direction_begins_in_the_padding),
        ("recurrent", reverse_ignored),
        ("recurrent", outputs_left_in_reverse_order),
        ("recurrent", last_output_of_a_padded_step),
        ("recurrent", last_output_of_a_padded_step_of_one_direction),
        ("nan", second_layer_sees_padding),
    ):
        FAULTS.planted(operation, group, change.__name__, change)
FAULTS.with_keywords("padded_gru", "convention", "always_reset_after", reset="after")
FAULTS.planted("padded_gru", "recurrent", "final_state_of_the_last_step_backwards", final_state_of_the_last_step_backwards)
FAULTS.with_keywords("padded_simple_rnn", "recurrent", "always_tanh", activation="tanh")
FAULTS.planted(
    *("padded_lstm", "state", "cell_state_ignored"), lambda right, cell=None, **given: right(**{**given, "cell": None})
)


def _gradients(operation: str) -> None:
    """Plant what is wrong with an operation's vector-Jacobian product."""

    @FAULTS.gradient(operation, "plain")
    def padding_has_a_gradient(cotangents: Any, **given: Any) -> Any:
        right = right_vjp(operation, cotangents, **given)
        return {**right, "x": np.where(_behind(given), 1.0, right["x"]).astype(right["x"].dtype)}

    @FAULTS.gradient(operation, "plain")
    def gradient_through_the_final_state_dropped(cotangents: Any, **given: Any) -> Any:
        dy, *finals = cotangents
        return right_vjp(operation, (dy, *(np.zeros_like(final) for final in finals)), **given)

    @FAULTS.gradient(operation, "plain")
    def weights_learn_of_the_first_sequence_only(cotangents: Any, **given: Any) -> Any:
        right = right_vjp(operation, cotangents, **given)
        first = [np.zeros_like(item) for item in cotangents]
        for whole, part in zip(first, cotangents, strict=True):
            place = np.s_[:, :, :1] if part.ndim == 4 else np.s_[:1]
            whole[place] = part[place]
        return {**right, "parameters": right_vjp(operation, tuple(first), **given)["parameters"]}


for operation in FAMILY:
    _gradients(operation)
