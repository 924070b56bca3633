"""Which operation of the specification a graph's operation is that takes or changes parts by number, for ``tensorproof judge``.

The numbers are known: they depend on no floating argument. ``Rule`` is as in ``graph_rules``.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tensorproof.backend import Hand, Value
from tensorproof_tensorflow.framework import tf
from tensorproof_tensorflow.graph_rules import Fixed, Found, Rule


def _captured(hand: Hand, indices: Any) -> Value:
    given = tf.constant(indices, tf.int64)
    return Value(hand.transcript.captured(given), tuple(given.shape), given.dtype.name)


def _inside(indices: Any, size: Any) -> bool:
    return bool(((indices >= 0) & (indices < size)).all())


def gathered(hand: Hand, x: Value, indices: Value, axis: float, *, batch_dims: int, **_: Any) -> Found:
    """Places along an axis; with batches, along the last one, other places for each row."""
    place = int(axis) % len(x.shape)
    if not batch_dims:
        return hand.call("take", {"axis": place}, x=x, indices=indices)
    if not isinstance(indices, Fixed) or len(x.shape) != batch_dims + 1 or place != batch_dims:
        return None
    return _along_the_last(hand, x, indices.array.reshape(*x.shape[:-1], -1))


def _along_the_last(hand: Hand, x: Value, indices: Any) -> Found:
    if not _inside(indices, x.shape[-1]):
        return None
    found = hand.call("take_along_axis", {"axis": -1}, x=x, indices=_captured(hand, indices))
    return hand.call("reshape", {"shape": hand.like.shape}, x=found)


def gathered_by_places(hand: Hand, x: Value, indices: Value, **_: Any) -> Found:
    """Places along the first axes, by a number for each."""
    if not isinstance(indices, Fixed):
        return None
    depth = indices.array.shape[-1]
    sizes = x.shape[:depth]
    if not depth or not _inside(indices.array, np.asarray(sizes)):
        return None
    merged = hand.call("reshape", {"shape": (int(np.prod(sizes)), *x.shape[depth:])}, x=x)
    flat = np.ravel_multi_index(np.moveaxis(indices.array, -1, 0), sizes)
    return hand.call("take", {"axis": 0}, x=merged, indices=_captured(hand, flat))


def cross_entropy_of_labels(hand: Hand, x: Value, labels: Value, **_: Any) -> Found:
    """Minus the logarithm of each label's probability. The second output, which the gradient uses, is not known."""
    if not isinstance(labels, Fixed):
        return None
    logarithms = Value(hand.call("log_softmax", {"axis": -1}, x=x).number, x.shape, x.dtype)
    chosen = _along_the_last(hand, logarithms, labels.array[..., None])
    return [hand.call("negative", x=chosen)] if isinstance(chosen, Value) else None


def scattered(operation: str) -> Rule:
    """Rows added or replaced, by one number for each."""

    def rule(hand: Hand, x: Value, indices: Value, updates: Value, **_: Any) -> Found:
        if not isinstance(indices, Fixed) or indices.array.shape[-1] != 1:
            return None
        flat = indices.array.reshape(-1)
        distinct = operation == "scatter_add" or len({*flat.tolist()}) == flat.size
        if not distinct or not _inside(flat, x.shape[0]):
            return None
        rows = hand.call("reshape", {"shape": (flat.size, *x.shape[1:])}, x=updates)
        return hand.call(operation, x=x, indices=_captured(hand, flat), updates=rows)

    return rule


def summed_by_segment(hand: Hand, x: Value, segments: Value, *_: Any, **__: Any) -> Found:
    """Rows added up by the number of their segment, from zeros."""
    if not isinstance(segments, Fixed) or segments.array.ndim != 1 or not _inside(segments.array, hand.like.shape[0]):
        return None
    one = hand.call("reshape", {"shape": (1,) * len(hand.like.shape)}, x=0.0)
    zeros = hand.call("broadcast_to", {"shape": hand.like.shape}, x=one)
    return hand.call("scatter_add", x=zeros, indices=_captured(hand, segments.array), updates=x)


def largest(hand: Hand, x: Value, k: float, **_: Any) -> Found:
    """The first numbers of each row in falling order. Where each was is not known."""
    order = hand.call("sort", {"axis": -1, "descending": True}, x=x)
    whole = (None,) * (len(x.shape) - 1)
    return [hand.call("strided_slice", {"start": (*whole, None), "stop": (*whole, int(k)), "step": (1,) * len(x.shape)}, x=order)]


INDEXING: Mapping[str, Rule] = {
    "GatherV2": gathered,
    "GatherNd": gathered_by_places,
    "SparseSoftmaxCrossEntropyWithLogits": cross_entropy_of_labels,
    "TensorScatterAdd": scattered("scatter_add"),
    "TensorScatterUpdate": scattered("scatter_set"),
    "TopKV2": largest,
    "UnsortedSegmentSum": summed_by_segment,
}
"""By the type of the graph's operation."""
