"""Recurrent layers with a mask of steps: see ``masked_simple_rnn``, ``masked_lstm`` and ``masked_gru``."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from tensorproof_reference.operation import Sample, Work
from tensorproof_reference.operations import _recurrent
from tensorproof_reference.operations import gru as gru_page
from tensorproof_reference.operations import lstm as lstm_page
from tensorproof_reference.operations import simple_rnn as simple_rnn_page
from tensorproof_reference.operations._cell_activations import WORK
from tensorproof_reference.operations._recurrent import Parameters
from tensorproof_reference.operations._recurrent_work import recurrent_work
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.sequences._lanes import (
    Counted,
    Places,
    States,
    backward,
    counted_by_mask,
    forward,
    operation_over_steps,
    padding,
    repetition,
    repetition_backward,
)
from tensorproof_reference.sequences._masked_samples import GAPS, drawn, masked_samples, masked_workload
from tensorproof_reference.sequences._padded_samples import BACKWARD
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients


def masked_simple_rnn(
    x: Array,
    parameters: Parameters,
    mask: Array | None = None,
    hidden: Array | None = None,
    *,
    reverse: bool = False,
    return_sequences: bool = True,
) -> tuple[Array, Array]:
    r"""``simple_rnn`` with tanh over the steps where a mask is true. A masked step keeps the state and repeats the output before:

    .. math::
        h_t = m_t \mathrm{rnn}(x_t, h_{t-1}) + (1 - m_t) h_{t-1}, \quad
        y_t = m_t h_t + (1 - m_t) y_{t-1}, \quad y_{-1} = 0

    The mask holds in every layer. Before the first step that counts y is zero, whatever the initial state is. With two
    directions y is zero at every masked step, since what is before differs. The second direction runs from the last step to the
    first, and so does the only one with ``reverse``: "before" is there the step after. What a masked step holds has no effect,
    and no gradient. Without ``mask`` all steps count. Without ``return_sequences`` y is that of the step to which each direction
    comes last.

    Shapes: ``x`` (N, T, F); ``mask`` (N, T) of booleans; ``parameters``, ``hidden`` and results are those of ``simple_rnn``.
    Steps keep their places in y, also with ``reverse``. A sequence without any step has y = 0 and its initial state.
    Special values: as ``simple_rnn``; NaN in a masked step goes nowhere.
    Raises: ``ValueError`` as ``simple_rnn``, if ``mask`` does not fit, or if ``reverse`` comes with two directions.
    Source: Elman (1990); the argument ``mask`` of ``keras.layers.SimpleRNN``, and ``Bidirectional``.
    """
    kept = _kept(x, parameters, (), mask, {"hidden": hidden}, reverse, return_sequences)
    y, h = forward(simple_rnn_page.run, x, parameters, *kept, activation="tanh")
    return y, h


def _kept(
    x: Array,
    parameters: Parameters,
    gates: tuple[int, ...],
    mask: Array | None,
    states: States,
    reverse: bool,
    return_sequences: bool,
) -> tuple[Counted, States, bool, bool, Places]:
    """What ``forward`` and ``backward`` take after the parameters: last, what stands at masked steps."""
    _, directions, _ = _recurrent.require_parameters(x, parameters, gates)
    repeated = repetition_backward if reverse else repetition
    return counted_by_mask(x, mask), states, reverse, return_sequences, padding if directions == 2 else repeated


def _simple_rnn_vjp(
    cotangents: tuple[Array, Array],
    x: Array,
    parameters: Parameters,
    mask: Array | None = None,
    hidden: Array | None = None,
    *,
    reverse: bool = False,
    return_sequences: bool = True,
) -> Gradients:
    """That of ``simple_rnn`` for the steps that count, each with the cotangents of all outputs that repeat its own."""
    kept = _kept(x, parameters, (), mask, {"hidden": hidden}, reverse, return_sequences)
    return backward(simple_rnn_page.vjp, cotangents, x, parameters, *kept)


def masked_lstm(
    x: Array,
    parameters: Parameters,
    mask: Array | None = None,
    hidden: Array | None = None,
    cell: Array | None = None,
    *,
    reverse: bool = False,
    return_sequences: bool = True,
) -> tuple[Array, Array, Array]:
    r"""``lstm`` over the steps where a mask is true. A masked step keeps both states and repeats the output before:

    .. math::
        h_t, c_t = m_t \mathrm{lstm}(x_t, h_{t-1}, c_{t-1}) + (1 - m_t) (h_{t-1}, c_{t-1}), \quad
        y_t = m_t h_t + (1 - m_t) y_{t-1}, \quad y_{-1} = 0

    The mask holds in every layer. Before the first step that counts y is zero, whatever the initial states are. With two
    directions y is zero at every masked step, since what is before differs. The second direction runs from the last step to the
    first, and so does the only one with ``reverse``: "before" is there the step after. What a masked step holds has no effect,
    and no gradient. Without ``mask`` all steps count. Without ``return_sequences`` y is that of the step to which each direction
    comes last.

    Shapes: ``x`` (N, T, F); ``mask`` (N, T) of booleans; ``parameters``, states and results are those of ``lstm``. Steps keep
    their places in y, also with ``reverse``. A sequence without any step has y = 0 and its initial states.
    Special values: as ``lstm``; NaN in a masked step goes nowhere.
    Raises: ``ValueError`` as ``lstm``, if ``mask`` does not fit, or if ``reverse`` comes with two directions.
    Source: Hochreiter & Schmidhuber (1997); the argument ``mask`` of ``keras.layers.LSTM``, and ``Bidirectional``.
    """
    kept = _kept(x, parameters, (4,), mask, {"hidden": hidden, "cell": cell}, reverse, return_sequences)
    y, h, c = forward(lstm_page.run, x, parameters, *kept)
    return y, h, c


def _lstm_vjp(
    cotangents: tuple[Array, Array, Array],
    x: Array,
    parameters: Parameters,
    mask: Array | None = None,
    hidden: Array | None = None,
    cell: Array | None = None,
    *,
    reverse: bool = False,
    return_sequences: bool = True,
) -> Gradients:
    """That of ``lstm`` for the steps that count, each with the cotangents of all outputs that repeat its own."""
    kept = _kept(x, parameters, (4,), mask, {"hidden": hidden, "cell": cell}, reverse, return_sequences)
    return backward(lstm_page.vjp, cotangents, x, parameters, *kept)


def masked_gru(
    x: Array,
    parameters: Parameters,
    mask: Array | None = None,
    hidden: Array | None = None,
    *,
    reset: str = "before",
    reverse: bool = False,
    return_sequences: bool = True,
) -> tuple[Array, Array]:
    r"""``gru`` over the steps where a mask is true. A masked step keeps the state and repeats the output before:

    .. math::
        h_t = m_t \mathrm{gru}(x_t, h_{t-1}) + (1 - m_t) h_{t-1}, \quad
        y_t = m_t h_t + (1 - m_t) y_{t-1}, \quad y_{-1} = 0

    The mask holds in every layer. Before the first step that counts y is zero, whatever the initial state is. With two
    directions y is zero at every masked step, since what is before differs. The second direction runs from the last step to the
    first, and so does the only one with ``reverse``: "before" is there the step after. What a masked step holds has no effect,
    and no gradient. Without ``mask`` all steps count. Without ``return_sequences`` y is that of the step to which each direction
    comes last. The convention ``reset`` is that of ``gru``.

    Shapes: ``x`` (N, T, F); ``mask`` (N, T) of booleans; ``parameters``, ``hidden`` and results are those of ``gru``. Steps keep
    their places in y, also with ``reverse``. A sequence without any step has y = 0 and its initial state.
    Special values: as ``gru``; NaN in a masked step goes nowhere.
    Raises: ``ValueError`` as ``gru``, if ``mask`` does not fit, or if ``reverse`` comes with two directions.
    Source: Cho et al. (2014); the argument ``mask`` of ``keras.layers.GRU``, and ``Bidirectional``.
    """
    kept = _kept(x, parameters, (3,), mask, {"hidden": hidden}, reverse, return_sequences)
    y, h = forward(gru_page.run, x, parameters, *kept, reset=reset)
    return y, h


def _gru_vjp(
    cotangents: tuple[Array, Array],
    x: Array,
    parameters: Parameters,
    mask: Array | None = None,
    hidden: Array | None = None,
    *,
    reset: str = "before",
    reverse: bool = False,
    return_sequences: bool = True,
) -> Gradients:
    """That of ``gru`` for the steps that count, each with the cotangents of all outputs that repeat its own."""
    kept = _kept(x, parameters, (3,), mask, {"hidden": hidden}, reverse, return_sequences)
    return backward(gru_page.vjp, cotangents, x, parameters, *kept, reset=reset)


def _simple_rnn_samples(stream: Stream) -> Iterator[Sample]:
    return masked_samples(stream, (), ("hidden",))


def _lstm_samples(stream: Stream) -> Iterator[Sample]:
    """The common ones, and the cell's state alone."""
    yield from masked_samples(stream, (4,), ("hidden", "cell"))
    cell = drawn(stream("state_cell_only"), (4,), GAPS, layers=1, directions=1, states=("cell",))
    yield Sample(name="state_cell_only", inputs=cell, dtypes=SINGLE)


def _gru_samples(stream: Stream) -> Iterator[Sample]:
    """The common ones, and both ways to reset."""
    yield from masked_samples(stream, (3,), ("hidden",))
    after: dict[str, Any] = {"reset": "after"}
    both = drawn(stream("convention_after"), (3,), GAPS, biases=2)
    yield Sample(name="convention_after", inputs=both, keywords=after)
    one = drawn(stream("convention_after_backward"), (3,), GAPS, biases=2, layers=1, directions=1)
    yield Sample(name="convention_after_backward", inputs=one, keywords=after | BACKWARD, dtypes=SINGLE)
    before = drawn(stream("convention_before"), (3,), GAPS)
    yield Sample(name="convention_before", inputs=before, keywords={"reset": "before"})


def _simple_rnn_work(
    x: Array,
    parameters: Parameters,
    mask: Array | None = None,
    hidden: Array | None = None,
    *,
    reverse: bool = False,
    return_sequences: bool = True,
) -> Work:
    """That of ``simple_rnn`` over all steps: how many of them count is no matter of shapes."""
    return recurrent_work(x, parameters, WORK["tanh"])


def _lstm_work(
    x: Array,
    parameters: Parameters,
    mask: Array | None = None,
    hidden: Array | None = None,
    cell: Array | None = None,
    *,
    reverse: bool = False,
    return_sequences: bool = True,
) -> Work:
    """That of ``lstm`` over all steps: how many of them count is no matter of shapes."""
    return recurrent_work(x, parameters, lstm_page.work_of_unit("tanh", "sigmoid"))


def _gru_work(
    x: Array,
    parameters: Parameters,
    mask: Array | None = None,
    hidden: Array | None = None,
    *,
    reset: str = "before",
    reverse: bool = False,
    return_sequences: bool = True,
) -> Work:
    """That of ``gru`` over all steps: how many of them count is no matter of shapes."""
    return recurrent_work(x, parameters, gru_page.work_of_unit(reset, "tanh", "sigmoid"))


MASK = {"mask": "n t"}

OPERATIONS = (
    operation_over_steps(
        *(simple_rnn_page.OPERATION, MASK, partial(masked_workload, gates=())),
        function=masked_simple_rnn,
        vjp=_simple_rnn_vjp,
        samples=_simple_rnn_samples,
        work=_simple_rnn_work,
    ),
    operation_over_steps(
        *(lstm_page.OPERATION, MASK, partial(masked_workload, gates=(4,))),
        function=masked_lstm,
        vjp=_lstm_vjp,
        samples=_lstm_samples,
        work=_lstm_work,
    ),
    operation_over_steps(
        *(gru_page.OPERATION, MASK, partial(masked_workload, gates=(3,))),
        function=masked_gru,
        vjp=_gru_vjp,
        samples=_gru_samples,
        work=_gru_work,
    ),
)
