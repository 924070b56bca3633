"""Recurrent layers over padded sequences: see ``padded_simple_rnn``, ``padded_lstm`` and ``padded_gru``."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from tensorproof_reference.operation import Sample, Work
from tensorproof_reference.operations import gru as gru_page
from tensorproof_reference.operations import lstm as lstm_page
from tensorproof_reference.operations import simple_rnn as simple_rnn_page
from tensorproof_reference.operations._cell_activations import WORK
from tensorproof_reference.operations._recurrent import Parameters
from tensorproof_reference.operations._recurrent_work import recurrent_work
from tensorproof_reference.primitives._unary import SINGLE
from tensorproof_reference.sequences._lanes import backward, counted_by_lengths, forward, operation_over_steps, padding
from tensorproof_reference.sequences._padded_samples import BACKWARD, activated, drawn, padded_samples, padded_workload
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients

BOTH = ("hidden", "cell")
"""The states of an LSTM."""

GATED: tuple[dict[str, Any], ...] = (
    *({"activation": name} for name in ("sigmoid", "relu", "hard_sigmoid", "elu", "softsign")),
    *({"gate_activation": name} for name in ("tanh", "hard_sigmoid", "elu", "softsign")),
    {"activation": "relu", "gate_activation": "hard_sigmoid"},
    {"activation": "sigmoid", "gate_activation": "tanh", "reverse": True},
)
"""Keywords of the samples of other activations where there are gates."""


def padded_simple_rnn(
    x: Array,
    parameters: Parameters,
    lengths: Array | None = None,
    hidden: Array | None = None,
    *,
    activation: str = "tanh",
    reverse: bool = False,
    return_sequences: bool = True,
) -> tuple[Array, Array]:
    r"""``simple_rnn`` over sequences of several lengths, each as if it stood alone:

    .. math:: y_{n, :L_n}, h_n = \mathrm{rnn}(x_{n, :L_n}), \quad y_{n, L_n:} = 0

    The final state is that of a sequence's own last step. The second direction begins at that step, and so does the only one
    with ``reverse``, which runs to the first step. What stands behind the length has no effect, and no gradient. Without
    ``lengths`` all steps count. ``activation`` is ``tanh``, ``sigmoid``, ``relu``, ``hard_sigmoid``, ``elu`` or ``softsign``:
    the operation of that name.

    Shapes: ``x`` (N, T, F); ``lengths`` (N) of integers from 1 to T; ``parameters``, ``hidden`` and results are those of
    ``simple_rnn``. Steps keep their places in y, also with ``reverse``.
    Special values: as ``simple_rnn``; NaN behind the length goes nowhere.
    Raises: ``ValueError`` as ``simple_rnn``, for an activation of another name, if ``lengths`` do not fit, or if ``reverse``
    comes with two directions.
    Source: Elman (1990); Schuster & Paliwal (1997) for the second direction.
    """
    states = {"hidden": hidden}
    counted = counted_by_lengths(x, lengths)
    y, h = forward(
        *(simple_rnn_page.run, x, parameters, counted, states, reverse, return_sequences, padding), activation=activation
    )
    return y, h


def _simple_rnn_vjp(
    cotangents: tuple[Array, Array],
    x: Array,
    parameters: Parameters,
    lengths: Array | None = None,
    hidden: Array | None = None,
    *,
    activation: str = "tanh",
    reverse: bool = False,
    return_sequences: bool = True,
) -> Gradients:
    """That of ``simple_rnn`` for each sequence; zero behind its length."""
    states = {"hidden": hidden}
    counted = counted_by_lengths(x, lengths)
    return backward(
        *(simple_rnn_page.vjp, cotangents, x, parameters, counted, states, reverse, return_sequences, padding),
        activation=activation,
    )


def padded_lstm(
    x: Array,
    parameters: Parameters,
    lengths: Array | None = None,
    hidden: Array | None = None,
    cell: Array | None = None,
    *,
    activation: str = "tanh",
    gate_activation: str = "sigmoid",
    reverse: bool = False,
    return_sequences: bool = True,
) -> tuple[Array, Array, Array]:
    r"""``lstm`` over sequences of several lengths, each as if it stood alone:

    .. math:: y_{n, :L_n}, h_n, c_n = \mathrm{lstm}(x_{n, :L_n}), \quad y_{n, L_n:} = 0

    The final states are those of a sequence's own last step. The second direction begins at that step, and so does the only one
    with ``reverse``, which runs to the first step. What stands behind the length has no effect, and no gradient. Without
    ``lengths`` all steps count. ``gate_activation`` stands in the place of the sigmoid, and ``activation`` in that of both
    tangents, of g and of the cell's state: ``tanh``, ``sigmoid``, ``relu``, ``hard_sigmoid``, ``elu`` or ``softsign``, the
    operation of that name.

    Shapes: ``x`` (N, T, F); ``lengths`` (N) of integers from 1 to T; ``parameters``, states and results are those of ``lstm``.
    Steps keep their places in y, also with ``reverse``.
    Special values: as ``lstm``; NaN behind the length goes nowhere.
    Raises: ``ValueError`` as ``lstm``, for an activation of another name, if ``lengths`` do not fit, or if ``reverse``
    comes with two directions.
    Source: Hochreiter & Schmidhuber (1997); Graves & Schmidhuber (2005) for the second direction; the ONNX
    operator ``LSTM`` for the activations.
    """
    states = {"hidden": hidden, "cell": cell}
    choices: dict[str, Any] = {"activation": activation, "gate_activation": gate_activation}
    counted = counted_by_lengths(x, lengths)
    y, h, c = forward(lstm_page.run, x, parameters, counted, states, reverse, return_sequences, padding, **choices)
    return y, h, c


def _lstm_vjp(
    cotangents: tuple[Array, Array, Array],
    x: Array,
    parameters: Parameters,
    lengths: Array | None = None,
    hidden: Array | None = None,
    cell: Array | None = None,
    *,
    activation: str = "tanh",
    gate_activation: str = "sigmoid",
    reverse: bool = False,
    return_sequences: bool = True,
) -> Gradients:
    """That of ``lstm`` for each sequence; zero behind its length."""
    states = {"hidden": hidden, "cell": cell}
    choices: dict[str, Any] = {"activation": activation, "gate_activation": gate_activation}
    counted = counted_by_lengths(x, lengths)
    return backward(*(lstm_page.vjp, cotangents, x, parameters, counted, states, reverse, return_sequences, padding), **choices)


def padded_gru(
    x: Array,
    parameters: Parameters,
    lengths: Array | None = None,
    hidden: Array | None = None,
    *,
    reset: str = "before",
    activation: str = "tanh",
    gate_activation: str = "sigmoid",
    reverse: bool = False,
    return_sequences: bool = True,
) -> tuple[Array, Array]:
    r"""``gru`` over sequences of several lengths, each as if it stood alone:

    .. math:: y_{n, :L_n}, h_n = \mathrm{gru}(x_{n, :L_n}), \quad y_{n, L_n:} = 0

    The final state is that of a sequence's own last step. The second direction begins at that step, and so does the only one
    with ``reverse``, which runs to the first step. What stands behind the length has no effect, and no gradient. Without
    ``lengths`` all steps count. The convention ``reset`` is that of ``gru``; ONNX calls it ``linear_before_reset``, 0 for
    ``before`` and 1 for ``after``. ``gate_activation`` stands in the place of the sigmoid, and ``activation`` in that of the
    tangent: ``tanh``, ``sigmoid``, ``relu``, ``hard_sigmoid``, ``elu`` or ``softsign``, the operation of that name.

    Shapes: ``x`` (N, T, F); ``lengths`` (N) of integers from 1 to T; ``parameters``, ``hidden`` and results are those of ``gru``.
    Steps keep their places in y, also with ``reverse``.
    Special values: as ``gru``; NaN behind the length goes nowhere.
    Raises: ``ValueError`` as ``gru``, for an activation of another name, if ``lengths`` do not fit, or if ``reverse``
    comes with two directions.
    Source: Cho et al. (2014); Schuster & Paliwal (1997) for the second direction.
    """
    states = {"hidden": hidden}
    choices: dict[str, Any] = {"reset": reset, "activation": activation, "gate_activation": gate_activation}
    counted = counted_by_lengths(x, lengths)
    y, h = forward(gru_page.run, x, parameters, counted, states, reverse, return_sequences, padding, **choices)
    return y, h


def _gru_vjp(
    cotangents: tuple[Array, Array],
    x: Array,
    parameters: Parameters,
    lengths: Array | None = None,
    hidden: Array | None = None,
    *,
    reset: str = "before",
    activation: str = "tanh",
    gate_activation: str = "sigmoid",
    reverse: bool = False,
    return_sequences: bool = True,
) -> Gradients:
    """That of ``gru`` for each sequence; zero behind its length."""
    states = {"hidden": hidden}
    choices: dict[str, Any] = {"reset": reset, "activation": activation, "gate_activation": gate_activation}
    counted = counted_by_lengths(x, lengths)
    return backward(*(gru_page.vjp, cotangents, x, parameters, counted, states, reverse, return_sequences, padding), **choices)


def _with_two_biases(stream: Stream, gates: tuple[int, ...], states: tuple[str, ...]) -> Iterator[Sample]:
    """The common samples, and one with two bias vectors, which not every framework has."""
    yield from padded_samples(stream, gates, states)
    inputs = drawn(stream("convention_two_biases"), gates, (2, 4, 3), biases=2, states=states)
    yield Sample(name="convention_two_biases", inputs=inputs, required=False, dtypes=SINGLE)


def _simple_rnn_samples(stream: Stream) -> Iterator[Sample]:
    """The common ones, two biases, and relu."""
    yield from _with_two_biases(stream, (), ("hidden",))
    # Signs alternate from step to step: of an even length, a sequence keeps as far from kinks as it is drawn.
    relu = {sample.name: sample for sample in simple_rnn_page.OPERATION.samples(stream)}["recurrent_relu"]
    yield replace(relu, inputs={**relu.inputs, "lengths": np.asarray([2, 4, 2])}, dtypes=SINGLE)
    yield from activated(
        stream, (), ("hidden",), ({"activation": name} for name in ("sigmoid", "hard_sigmoid", "elu", "softsign"))
    )


def _lstm_samples(stream: Stream) -> Iterator[Sample]:
    """The common ones, two biases, and the cell's state alone."""
    yield from _with_two_biases(stream, (4,), BOTH)
    cell = drawn(stream("state_cell_only"), (4,), (2, 4, 3), layers=1, directions=1, states=("cell",))
    yield Sample(name="state_cell_only", inputs=cell, dtypes=SINGLE)
    yield from activated(stream, (4,), BOTH, GATED)


def _gru_samples(stream: Stream) -> Iterator[Sample]:
    """The common ones, and both ways to reset."""
    yield from padded_samples(stream, (3,), ("hidden",))
    after: dict[str, Any] = {"reset": "after"}
    both = drawn(stream("convention_after"), (3,), (2, 4, 3), biases=2)
    yield Sample(name="convention_after", inputs=both, keywords=after)
    one = drawn(stream("convention_after_backward"), (3,), (2, 4, 3), biases=2, layers=1, directions=1)
    yield Sample(name="convention_after_backward", inputs=one, keywords=after | BACKWARD, dtypes=SINGLE)
    before = drawn(stream("convention_before"), (3,), (2, 4, 3))
    yield Sample(name="convention_before", inputs=before, keywords={"reset": "before"})
    yield from activated(stream, (3,), ("hidden",), GATED)
    both = drawn(stream("optional_activation_after"), (3,), (2, 4, 3), biases=2)
    other: dict[str, Any] = {"activation": "softsign", "gate_activation": "softsign"}
    yield Sample(name="optional_activation_after", inputs=both, keywords=after | other, required=False)


def _simple_rnn_work(
    x: Array,
    parameters: Parameters,
    lengths: Array | None = None,
    hidden: Array | None = None,
    *,
    activation: str = "tanh",
    reverse: bool = False,
    return_sequences: bool = True,
) -> Work:
    """That of ``simple_rnn`` over all steps: how many of them count is no matter of shapes."""
    return recurrent_work(x, parameters, WORK[activation])


def _lstm_work(
    x: Array,
    parameters: Parameters,
    lengths: Array | None = None,
    hidden: Array | None = None,
    cell: Array | None = None,
    *,
    activation: str = "tanh",
    gate_activation: str = "sigmoid",
    reverse: bool = False,
    return_sequences: bool = True,
) -> Work:
    """That of ``lstm`` over all steps: how many of them count is no matter of shapes."""
    return recurrent_work(x, parameters, lstm_page.work_of_unit(activation, gate_activation))


def _gru_work(
    x: Array,
    parameters: Parameters,
    lengths: Array | None = None,
    hidden: Array | None = None,
    *,
    reset: str = "before",
    activation: str = "tanh",
    gate_activation: str = "sigmoid",
    reverse: bool = False,
    return_sequences: bool = True,
) -> Work:
    """That of ``gru`` over all steps: how many of them count is no matter of shapes."""
    return recurrent_work(x, parameters, gru_page.work_of_unit(reset, activation, gate_activation))


LENGTHS = {"lengths": "n"}

OPERATIONS = (
    operation_over_steps(
        *(simple_rnn_page.OPERATION, LENGTHS, partial(padded_workload, gates=())),
        function=padded_simple_rnn,
        vjp=_simple_rnn_vjp,
        samples=_simple_rnn_samples,
        work=_simple_rnn_work,
    ),
    operation_over_steps(
        *(lstm_page.OPERATION, LENGTHS, partial(padded_workload, gates=(4,))),
        function=padded_lstm,
        vjp=_lstm_vjp,
        samples=_lstm_samples,
        work=_lstm_work,
    ),
    operation_over_steps(
        *(gru_page.OPERATION, LENGTHS, partial(padded_workload, gates=(3,))),
        function=padded_gru,
        vjp=_gru_vjp,
        samples=_gru_samples,
        work=_gru_work,
    ),
)
