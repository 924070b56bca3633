"""How arrays lie in memory: views of larger arrays, in other orders, and with elements that share a place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
CONTIGUOUS = "contiguous"


def numpy_strides(array: NDArray[Any]) -> tuple[tuple[int, ...], int]:
    """How an array of NumPy lies in the memory that it is a view of, in elements: its steps, and the place of its first one.

    >>> numpy_strides(np.zeros((2, 9))[:, 1::2])
    ((9, 2), 1)
    """
    steps = tuple(stride // array.itemsize for stride in array.strides)
    start = 0 if array.base is None else array.ctypes.data - np.asarray(array.base).ctypes.data
    return steps, start // array.itemsize


def _between(array: Array, shape: tuple[int, ...], between: float) -> Array:
    """Memory to be written to, that holds nothing but what lies between elements."""
    return np.full(shape, between, array.dtype)


def _transposed(array: Array, between: float) -> Array:
    return np.array(array.T, order="C", copy=True).T


def _channels_last(array: Array, between: float) -> Array:
    return np.moveaxis(np.array(np.moveaxis(array, 1, -1), order="C", copy=True), -1, 1)


def _sliced(array: Array, between: float) -> Array:
    wide = _between(array, (*array.shape[:-1], 2 * array.shape[-1] + 1), between)
    wide[..., 1::2] = array
    return wide[..., 1::2]


def _stepped(array: Array, between: float) -> Array:
    wide = _between(array, (3 * array.shape[0] + 2, *array.shape[1:]), between)
    wide[2::3] = array
    return wide[2::3]


def _cropped(array: Array, between: float) -> Array:
    wide = _between(array, tuple(length + 3 for length in array.shape), between)
    part = wide[(slice(1, -2),) * array.ndim]
    part[...] = array
    return part


def _offset(array: Array, between: float) -> Array:
    flat = _between(array, (array.size + 5,), between)
    flat[5:] = array.ravel()
    return flat[5:].reshape(array.shape)


def _reversed(array: Array, between: float) -> Array:
    return np.array(array[..., ::-1], order="C", copy=True)[..., ::-1]


def _expanded(axis: int) -> Callable[[Array, float], Array]:
    def placed(array: Array, between: float) -> Array:
        one = np.array(np.take(array, [0], axis), order="C", copy=True)
        steps = list(one.strides)
        steps[axis] = 0
        return np.ndarray(array.shape, array.dtype, one, 0, tuple(steps))

    return placed


def _repeated(axis: int) -> Callable[[Array], Array]:
    return lambda array: np.broadcast_to(np.take(array, [0], axis), array.shape).copy()


def _window_line(array: Array) -> Array:
    """The elements that windows along the last axis show, each once."""
    return np.concatenate([array[..., 0, :], array[..., 1:, -1]], axis=-1)


def _windows(array: Array, between: float) -> Array:
    line = np.array(_window_line(array), order="C", copy=True)
    return np.ndarray(array.shape, array.dtype, line, 0, (*line.strides, line.itemsize))


def _of_windows(array: Array) -> Array:
    rows, columns = array.shape[-2:]
    return np.take(_window_line(array), np.arange(rows)[:, None] + np.arange(columns), axis=-1)


@dataclass(frozen=True)
class Memory:
    """One way to lie in memory."""

    placed: Callable[[Array, float], Array]
    """A view of new memory that holds an array, with a number in what lies between its elements."""
    least_rank: int = 1
    """Arrays of fewer axes lie contiguous."""
    shared: Callable[[Array], Array] | None = None
    """Where several elements share a place: an array changed so that they are the same number."""


MEMORIES: Mapping[str, Memory] = {
    "transposed": Memory(_transposed, 2),
    "channels_last": Memory(_channels_last, 3),
    "sliced": Memory(_sliced),
    "stepped": Memory(_stepped),
    "cropped": Memory(_cropped),
    "offset": Memory(_offset, 0),
    "reversed": Memory(_reversed),
    "expanded_first": Memory(_expanded(0), 1, _repeated(0)),
    "expanded_last": Memory(_expanded(-1), 1, _repeated(-1)),
    "windows": Memory(_windows, 2, _of_windows),
}
"""By name: axes stored in reverse; the second axis stored last; every other element of the last axis, from the second on; every
third of the first axis; a part of a larger array; behind five other elements; the last axis stored backwards; one element for
all along the first axis, and along the last; rows that overlap, each one element further than the one before."""


def _way(memory: str, rank: int) -> Memory | None:
    """How arrays of a rank lie; ``None``: contiguous."""
    way = MEMORIES.get(memory)
    return way if way is not None and rank >= way.least_rank else None


def in_memory(array: Array, memory: str, between: float = 0.0) -> Array:
    """A fresh copy that lies in memory as a name of ``MEMORIES`` says, or contiguous; of an array with fewer axes than that takes
    as well. Where elements share a place it holds what ``as_shared`` gives.
    """
    way = _way(memory, array.ndim)
    return np.array(array, copy=True, order="C") if way is None else way.placed(array, between)


def as_shared(array: Array, memory: str) -> Array:
    """The array with the same number in all elements that share a place in memory."""
    way = _way(memory, array.ndim)
    return array if way is None or way.shared is None else way.shared(array)


def is_shared(memory: str) -> bool:
    """Whether elements may share a place, so that nothing can be written over them."""
    return memory in MEMORIES and MEMORIES[memory].shared is not None


def text_of(array: Array, written: Callable[[Array], str]) -> str:
    """A NumPy expression for an array with its strides, where ``written`` gives one for what is contiguous.

    >>> text_of(np.arange(4, dtype=np.int64)[1::2], lambda array: f"np.array({array.tolist()})")
    "np.ndarray((2,), 'int64', np.array([0, 1, 2, 3]), offset=8, strides=(16,))"
    """
    steps, start = numpy_strides(array)
    whole = array if array.base is None else np.asarray(array.base)
    if array.base is None and array.flags.c_contiguous:
        return written(array)
    size = array.itemsize
    strides = tuple(step * size for step in steps)
    memory = written(whole.ravel(order="K"))
    return f"np.ndarray({array.shape}, {array.dtype.name!r}, {memory}, offset={start * size}, strides={strides})"
