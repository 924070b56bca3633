"""Faults in recurrent layers with a mask, with other activations, and with peephole connections."""

from typing import Any
from unittest import mock

import numpy as np
from faulty import Faults, right_vjp

from faults.recurrent import changed
from tensorproof_reference.operations import _cell_activations

FAULTS = Faults()
FAMILY = ("masked_simple_rnn", "masked_lstm", "masked_gru")
GATED = ("padded_lstm", "padded_gru")
Inputs = dict[str, Any]


def _mask(given: Inputs) -> Any:
    """The mask, or one of all steps where none is given."""
    mask = given.get("mask")
    return np.ones(given["x"].shape[:2], np.bool_) if mask is None else mask


def _repeats(given: Inputs) -> bool:
    """Whether masked steps repeat an output."""
    return given.get("return_sequences", True) and len(given["parameters"][0]) == 1


def mask_ignored(right: Any, **given: Any) -> Any:
    return right(**{**given, "mask": None})


def mask_of_the_first_sequence_for_all(right: Any, **given: Any) -> Any:
    return right(**{**given, "mask": np.broadcast_to(_mask(given)[:1], _mask(given).shape)})


def mask_taken_for_a_length(right: Any, **given: Any) -> Any:
    """As many first steps as the mask has true ones."""
    mask = _mask(given)
    return right(**{**given, "mask": np.arange(mask.shape[1]) < np.sum(mask, axis=1)[:, None]})


def masked_steps_have_zeros(right: Any, **given: Any) -> Any:
    y, *finals = right(**given)
    return (np.where(_mask(given)[..., None], y, 0.0).astype(y.dtype) if _repeats(given) else y), *finals


def state_goes_on_through_masked_steps(right: Any, **given: Any) -> Any:
    """Final states of all steps, beside outputs that are right."""
    y, *_ = right(**given)
    _, *finals = right(**{**given, "mask": None})
    return y, *finals


def initial_state_before_the_first_step(right: Any, **given: Any) -> Any:
    """What stands before the first step that counts is the initial state, in place of zero."""
    y, *finals = right(**given)
    if given.get("hidden") is None or not _repeats(given) or given.get("reverse", False):
        return y, *finals
    before = np.cumsum(_mask(given), axis=1)[..., None] == 0
    return np.where(before, given["hidden"][-1, 0][:, None], y).astype(y.dtype), *finals


def mask_not_turned_with_the_sequence(right: Any, **given: Any) -> Any:
    return right(**{**given, "mask": _mask(given)[:, ::-1] if given.get("reverse", False) else given.get("mask")})


def masked_steps_read_as_zero(right: Any, **given: Any) -> Any:
    """All steps run, with zeros for masked ones."""
    x = np.where(_mask(given)[..., None], given["x"], 0.0).astype(given["x"].dtype)
    return right(**{**given, "x": x, "mask": None})


def nan_of_masked_steps_spreads(right: Any, **given: Any) -> Any:
    y, *finals = right(**given)
    touched = np.isnan(np.sum(given["x"], axis=(1, 2)))[:, None]
    return (np.where(touched[..., None] if y.ndim == 3 else touched, np.nan, y).astype(y.dtype)), *finals


def last_output_of_a_sequence_without_steps_is_its_state(right: Any, **given: Any) -> Any:
    y, *finals = right(**given)
    if given.get("return_sequences", True):
        return y, *finals
    last = np.concatenate([finals[0][-1, direction] for direction in range(finals[0].shape[1])], axis=-1)
    return last, *finals


def _zero_where_the_last_step_is_masked(y: Any, given: Inputs) -> Any:
    """Last outputs, or their cotangents: only those that come of a step that counts, where one direction goes forward."""
    forward = len(given["parameters"][0]) == 1 and not given.get("reverse", False)
    if given.get("return_sequences", True) or not forward:
        return y
    return np.where(_mask(given)[:, -1:], y, 0.0).astype(y.dtype)


def last_output_at_a_masked_step_is_zero(right: Any, **given: Any) -> Any:
    """The output of the last step and not of the last that counts."""
    y, *finals = right(**given)
    return _zero_where_the_last_step_is_masked(y, given), *finals


for operation in FAMILY:
    for group, change in (
        ("plain", mask_ignored),
        ("plain", mask_of_the_first_sequence_for_all),
        ("plain", mask_taken_for_a_length),
        ("plain", masked_steps_have_zeros),
        ("plain", state_goes_on_through_masked_steps),
        ("plain", masked_steps_read_as_zero),
        ("recurrent", initial_state_before_the_first_step),
        ("recurrent", mask_not_turned_with_the_sequence),
        ("recurrent", last_output_at_a_masked_step_is_zero),
        ("bounds", last_output_of_a_sequence_without_steps_is_its_state),
        ("nan", nan_of_masked_steps_spreads),
    ):
        FAULTS.planted(operation, group, change.__name__, change)


def _gradients(operation: str) -> None:
    """Plant what is wrong with the vector-Jacobian product of an operation with a mask."""

    @FAULTS.gradient(operation, "plain")
    def masked_steps_have_a_gradient(cotangents: Any, **given: Any) -> Any:
        right = right_vjp(operation, cotangents, **given)
        return {**right, "x": np.where(_mask(given)[..., None], right["x"], 1.0).astype(right["x"].dtype)}

    @FAULTS.gradient(operation, "plain")
    def cotangents_of_repeated_outputs_dropped(cotangents: Any, **given: Any) -> Any:
        dy, *finals = cotangents
        own = np.where(_mask(given)[..., None], dy, 0.0).astype(dy.dtype) if _repeats(given) else dy
        return right_vjp(operation, (own, *finals), **given)

    @FAULTS.gradient(operation, "recurrent")
    def last_output_at_a_masked_step_has_no_gradient(cotangents: Any, **given: Any) -> Any:
        dy, *finals = cotangents
        return right_vjp(operation, (_zero_where_the_last_step_is_masked(dy, given), *finals), **given)

    @FAULTS.gradient(operation, "bounds")
    def state_of_a_sequence_without_steps_has_no_gradient(cotangents: Any, **given: Any) -> Any:
        right = right_vjp(operation, cotangents, **given)
        some = np.any(_mask(given), axis=1)[:, None]
        hidden = None if right["hidden"] is None else np.where(some, right["hidden"], 0.0).astype(right["hidden"].dtype)
        return {**right, "hidden": hidden}


for operation in FAMILY:
    _gradients(operation)


def hard_sigmoid_of_slope_a_fifth(right: Any, **given: Any) -> Any:
    def fifth(x: Any) -> Any:
        return np.minimum(np.maximum(0.2 * x + 0.5, 0.0), 1.0)

    with mock.patch.dict(_cell_activations.VALUES, hard_sigmoid=fifth):
        return right(**given)


def _activations(operation: str) -> None:
    """Plant what is wrong with the activations of an operation with gates."""
    FAULTS.with_keywords(operation, "optional", "activation_ignored", activation="tanh")
    FAULTS.with_keywords(operation, "optional", "activation_of_gates_ignored", gate_activation="sigmoid")
    FAULTS.planted(operation, "optional", hard_sigmoid_of_slope_a_fifth.__name__, hard_sigmoid_of_slope_a_fifth)

    def exchanged(right: Any, **given: Any) -> Any:
        both = {"activation": given.get("gate_activation", "sigmoid"), "gate_activation": given.get("activation", "tanh")}
        other = given.get("gate_activation", "sigmoid") != "sigmoid" or given.get("activation", "tanh") != "tanh"
        return right(**{**given, **both}) if other else right(**given)

    FAULTS.planted(operation, "optional", "activations_exchanged", exchanged)

    @FAULTS.gradient(operation, "optional")
    def slope_of_the_sigmoid_for_all_gates(cotangents: Any, **given: Any) -> Any:
        pulls = dict.fromkeys(("tanh", "hard_sigmoid", "elu", "softsign"), _cell_activations.PULLS["sigmoid"])
        used = {key: pull for key, pull in pulls.items() if key == given.get("gate_activation")}
        with mock.patch.dict(_cell_activations.PULLS, used):
            return right_vjp(operation, cotangents, **given)


for operation in GATED:
    _activations(operation)


def _peepholes(change: Any) -> Any:
    """The operation with other peephole weights."""

    def planted(right: Any, **given: Any) -> Any:
        parameters = changed(
            given["parameters"], lambda layer, direction, leaf: leaf | {"peephole_weights": change(leaf["peephole_weights"])}
        )
        return right(**{**given, "parameters": parameters})

    return planted


def clip_of_the_initial_state(right: Any, **given: Any) -> Any:
    cell, clip = given.get("cell"), given.get("cell_clip")
    return right(**{**given, "cell": cell if cell is None or clip is None else np.clip(cell, -clip, clip)})


def clip_of_the_final_state_only(right: Any, **given: Any) -> Any:
    clip = given.get("cell_clip")
    y, h, c = right(**{**given, "cell_clip": None})
    return y, h, c if clip is None else np.clip(c, -clip, clip)


def output_gate_sees_no_cell(right: Any, **given: Any) -> Any:
    return _peepholes(lambda weights: np.concatenate([weights[:2], 0.0 * weights[2:]]))(right, **given)


for group, name, change in (
    ("plain", "peepholes_ignored", _peepholes(np.zeros_like)),
    ("plain", "peepholes_of_input_and_forget_gate_exchanged", _peepholes(lambda weights: weights[[1, 0, 2]])),
    ("plain", "output_gate_sees_no_cell", output_gate_sees_no_cell),
    ("bounds", "clip_of_the_initial_state", clip_of_the_initial_state),
    ("bounds", "clip_of_the_final_state_only", clip_of_the_final_state_only),
):
    FAULTS.planted("peephole_lstm", group, name, change)
FAULTS.with_keywords("peephole_lstm", "bounds", "clip_ignored", cell_clip=None)


@FAULTS.gradient("peephole_lstm", "bounds")
def gradient_as_if_nothing_were_clipped(cotangents: Any, **given: Any) -> Any:
    return right_vjp("peephole_lstm", cotangents, **{**given, "cell_clip": None})


@FAULTS.gradient("peephole_lstm", "plain")
def peephole_weights_have_no_gradient(cotangents: Any, **given: Any) -> Any:
    right = right_vjp("peephole_lstm", cotangents, **given)
    drop = changed(right["parameters"], lambda layer, direction, leaf: leaf | {"peephole_weights": None})
    return {**right, "parameters": drop}
