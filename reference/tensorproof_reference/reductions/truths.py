"""Whether any, or all, of booleans over axes are true."""

from collections.abc import Callable, Iterator

import numpy as np

from tensorproof_reference.operation import EXTENDED, Operation, Sample, Work
from tensorproof_reference.operations._workloads import count
from tensorproof_reference.reductions._reduction import (
    EVERY_SET,
    Axis,
    Draw,
    Special,
    plane_of_rows,
    samples_of_shapes,
    terms_of,
)
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array


def all(x: Array, *, axis: Axis = None, keepdims: bool = False) -> Array:
    r"""Whether all booleans over a set of axes are true: :math:`y = \bigwedge_i x_i`.

    ``axis``: one axis or several, counted from either end; ``None`` for all, an empty tuple for none. ``keepdims`` keeps them
    with length 1.

    Shapes: any; ``x`` and the result are boolean, and the result has the axes of ``x`` that are not reduced.
    Special values: of nothing, all are true.
    Raises: ``ValueError`` if ``axis`` has what is no axis of ``x``, or one twice.
    Source: the Python array API standard, 2024.12; an empty tuple: NumPy.
    """
    return np.all(x, axis=axis, keepdims=keepdims)


def any(x: Array, *, axis: Axis = None, keepdims: bool = False) -> Array:
    r"""Whether any boolean over a set of axes is true: :math:`y = \bigvee_i x_i`.

    ``axis``: one axis or several, counted from either end; ``None`` for all, an empty tuple for none. ``keepdims`` keeps them
    with length 1.

    Shapes: any; ``x`` and the result are boolean, and the result has the axes of ``x`` that are not reduced.
    Special values: of nothing, none is true.
    Raises: ``ValueError`` if ``axis`` has what is no axis of ``x``, or one twice.
    Source: the Python array API standard, 2024.12; an empty tuple: NumPy.
    """
    return np.any(x, axis=axis, keepdims=keepdims)


def _odd_one_out(usual: bool) -> Draw:
    """Draws booleans that are the usual one but for about one in five, and in every second row all of them."""

    def draw(stream: Stream, shape: tuple[int, ...]) -> Array:
        x = (stream.integers(shape, 0, 5) > 0) == usual
        if x.ndim > 1:
            x[1::2] = usual
        return x

    return draw


def _logical(function: Callable[..., Array], usual: bool) -> Operation:
    draw = _odd_one_out(usual)

    def samples(stream: Stream) -> Iterator[Sample]:
        yield from samples_of_shapes(stream, draw, Special(), EVERY_SET)
        for name, place in (("long_only_the_first", 0), ("long_only_the_last", -1), ("long_none", None)):
            x = np.full((3, 16_385), usual)
            if place is not None:
                x[1, place] = not usual
            yield Sample(name=name, inputs={"x": x}, keywords={"axis": -1})

    def work(x: Array, *, axis: Axis = None, keepdims: bool = False) -> Work:
        return Work(flops=count(x) - count(x) // max(terms_of(x, axis), 1))

    return Operation(
        function=function,
        vjp=None,
        samples=samples,
        family="logical",
        profile=EXTENDED,
        differentiable=(),
        cotangents=(),
        output_dtype="any",
        workload=lambda stream, size: plane_of_rows(draw, stream, size),
        work=work,
    )


OPERATIONS = (_logical(all, usual=True), _logical(any, usual=False))
