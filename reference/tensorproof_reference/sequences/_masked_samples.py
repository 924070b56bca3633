"""The samples of recurrent layers with a mask: gaps in the middle, at both ends, everywhere, and what masked steps may hold."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from tensorproof_reference.operation import Sample
from tensorproof_reference.operations import _recurrent
from tensorproof_reference.operations._recurrent import ALL_BUT_BFLOAT16
from tensorproof_reference.operations._recurrent_work import recurrent_workload
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.sequences._padded_samples import BACKWARD, LAST, scaled
from tensorproof_reference.stream import Stream

GAPS = ("1101", "0110", "1010")
"""Which steps count, of each of three sequences of four: a gap in the middle, one at both ends, and two."""

ONE: dict[str, Any] = {"layers": 1, "directions": 1}


def mask_of(rows: tuple[str, ...]) -> Any:
    """The mask that is written so.

    >>> mask_of(("10",)).tolist()
    [[True, False]]
    """
    return np.asarray([[step == "1" for step in row] for row in rows])


def drawn(stream: Stream, gates: tuple[int, ...], rows: Any, **choices: Any) -> dict[str, Any]:
    """Inputs with that mask; masked steps hold ordinary numbers, so that who reads them shows."""
    return {**_recurrent.draw_inputs(stream, gates, **choices), "mask": None if rows is None else mask_of(rows)}


def masked_samples(stream: Stream, gates: tuple[int, ...], states: tuple[str, ...]) -> Iterator[Sample]:
    """The samples that every recurrent operation with a mask has, named by class."""

    def sample(name: str, rows: Any = GAPS, keywords: Any = None, memory: str = "contiguous", **choices: Any) -> Sample:
        inputs = drawn(stream(name), gates, rows, **({"states": states} | choices))
        return Sample(name=name, inputs=inputs, keywords=keywords or {}, memory=memory)

    def single(name: str, rows: Any = GAPS, **choices: Any) -> Sample:
        return replace(sample(name, rows, **choices), dtypes=SINGLE)

    yield sample("plain_gaps", **ONE, states=())
    large = ("111011101110", "000111111111", "111111000000", "010101010101")
    yield single("size_large", large, **ONE, sizes=(4, 12, 16, 32))
    yield single("recurrent_two_layers", directions=1)
    yield single("recurrent_both_directions", layers=1, states=())
    yield sample("recurrent_both")
    yield single("recurrent_no_bias", biases=0)
    yield single("recurrent_last_output", keywords=LAST)
    yield single("recurrent_last_output_one_direction", **ONE, keywords=LAST)
    yield single("recurrent_last_output_two_layers", directions=1, keywords=LAST)
    yield sample("recurrent_backward", **ONE, keywords=BACKWARD)
    yield single("recurrent_backward_two_layers", directions=1, keywords=BACKWARD)
    yield single("recurrent_backward_last_output", directions=1, keywords=BACKWARD | LAST)
    yield single("state_given", **ONE)
    yield single("state_absent", states=())
    yield single("unit_time", ("1", "0", "1"), sizes=(3, 1, 2, 4))
    yield single("unit_batch", ("0110",), sizes=(1, 4, 2, 4))
    yield replace(sample("unit_hidden", sizes=(3, 4, 1, 1)), dtypes=ALL_BUT_BFLOAT16)
    yield single("unit_everything", ("1",), **ONE, sizes=(1, 1, 1, 1))
    yield single("bounds_one_step", ("0001", "1000", "0100"))
    yield single("bounds_all_steps", ("1111", "1111", "1111"))
    yield single("bounds_a_sequence_without_steps", ("1101", "0000", "0110"))
    yield single("bounds_a_sequence_without_steps_last_output", ("1101", "0000", "0110"), keywords=LAST)
    yield single("bounds_no_steps", ("0000", "0000", "0000"), **ONE)
    yield single("mask_first_step", ("0111", "0111", "0011"))
    yield single("mask_first_step_backward", ("0111", "1110", "0011"), **ONE, keywords=BACKWARD)
    yield single("mask_last_step", ("1110", "1110", "1100"))
    yield single("mask_last_step_last_output", ("1110", "1110", "1011"), keywords=LAST)
    yield single("mask_last_step_last_output_one_direction", ("1110", "1010", "1000"), **ONE, keywords=LAST)
    yield _with_masked(single("mask_large_values"), 1e4)
    yield single("strided_transposed", memory="transposed")
    yield single("strided_sliced", memory="sliced")
    yield single("long_time", ("1110" * 32, "01" * 64), **ONE, sizes=(2, 128, 2, 4))
    yield _with_masked(single("nan_masked"), np.nan, gradient=False)
    # The gradient is optional: 0 times NaN is NaN for whoever computes masked steps and then leaves them out.
    yield _with_masked(single("nan_masked_gradient", layers=1), np.nan, required=False)
    step = single("nan_one_step", layers=1)
    step.inputs["x"][1, 2, 0] = np.nan
    yield step
    state = single("nan_state", **ONE)
    state.inputs["hidden"][0, 0, 1, 2] = np.nan
    yield state
    yield _with_masked(single("infinity_masked"), np.inf, gradient=False)
    enlarged = single("magnitude_300")
    enlarged.inputs["x"][:] *= 300.0
    yield replace(enlarged, gradient=False)
    yield scaled(single("magnitude_small"), 2.0**-8)
    yield single("optional_no_mask", None)
    yield single("optional_no_mask_last_output", None, **ONE, keywords=BACKWARD | LAST)


def _with_masked(sample: Sample, value: float, **others: Any) -> Sample:
    """The sample with something else in its masked steps."""
    x = np.where(np.asarray(sample.inputs["mask"])[..., None], sample.inputs["x"], value)
    return replace(sample, inputs={**sample.inputs, "x": x}, **others)


def masked_workload(stream: Stream, size: str, gates: tuple[int, ...]) -> Sample:
    """Sequences of which every fourth step is masked, through one layer in one direction."""
    whole = recurrent_workload(stream, size, gates)
    batch, steps = np.shape(whole.inputs["x"])[:2]
    mask = (np.arange(batch)[:, None] + np.arange(steps)) % 4 != 3
    return replace(whole, inputs={**whole.inputs, "mask": mask})
