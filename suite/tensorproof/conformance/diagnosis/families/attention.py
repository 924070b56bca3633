"""Mistakes in attention and embedding: masks, scale, the axis of softmax, repeated indices."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from tensorproof.conformance.diagnosis.mistake import Mistake, Situation


def mistakes(situation: Situation) -> Iterator[Mistake]:
    """The mistakes of the two operations."""
    if situation.name == "scaled_dot_product_attention":
        yield from _masks(situation)
        yield from _scales(situation)
        yield from _weights(situation)
    if situation.name == "embedding":
        yield from _embedding(situation)


def _masks(situation: Situation) -> Iterator[Mistake]:
    inputs, keywords = situation.sample.inputs, situation.keywords
    mask, queries, keys = inputs.get("mask"), inputs["query"].shape[-2], inputs["key"].shape[-2]
    if keywords["causal"]:
        whole = np.ones((queries, keys), bool)
        seen = {
            "causal mask aligned at the bottom right": np.tril(whole, keys - queries),
            "causal mask hides the diagonal": np.tril(whole, -1),
            "causal mask the other way round": ~np.tril(whole, -1),
            "causal mask shows one key more": np.tril(whole, 1),
        }
        for text, allowed in seen.items():
            given = situation.with_keywords(text, causal=False).sample
            assert given is not None
            changed = allowed if mask is None else allowed & mask
            yield Mistake(text=text, sample=replace(given, inputs={**given.inputs, "mask": changed}))


def _scales(situation: Situation) -> Iterator[Mistake]:
    query, value, scale = situation.sample.inputs["query"], situation.sample.inputs["value"], situation.keywords["scale"]
    features = max(query.shape[-1], 1)
    if scale is None:
        yield situation.with_keywords("scores not scaled", scale=1.0)
        yield situation.with_keywords("scale of the features of the values", scale=float(max(value.shape[-1], 1) ** -0.5))
        yield situation.with_keywords("divided by the features, not by their root", scale=1.0 / features)
    else:
        yield situation.with_keywords("scale multiplies the default", scale=float(scale * features**-0.5))


def _weights(situation: Situation) -> Iterator[Mistake]:
    vjp = situation.operation.vjp
    assert vjp is not None
    scale = situation.keywords["scale"]
    if situation.sample.inputs.get("mask") is None and not situation.keywords["causal"]:

        def scores(query: Any, key: Any) -> Any:
            factor = query.shape[-1] ** -0.5 if scale is None else scale
            return np.matmul(query, np.swapaxes(key, -1, -2)) * factor

        def over_queries(query: Any, key: Any, value: Any, mask: Any = None, **keywords: Any) -> Any:
            found = scores(query, key)
            weights = np.exp(found - np.max(found, axis=-2, keepdims=True))
            return np.matmul(weights / np.sum(weights, axis=-2, keepdims=True), value)

        def unshifted(query: Any, key: Any, value: Any, mask: Any = None, **keywords: Any) -> Any:
            weights = np.exp(scores(query, key))
            return np.matmul(weights / np.sum(weights, axis=-1, keepdims=True), value)

        def undivided(query: Any, key: Any, value: Any, mask: Any = None, **keywords: Any) -> Any:
            found = scores(query, key)
            return np.matmul(np.exp(found - np.max(found, axis=-1, keepdims=True)), value)

        yield Mistake(text="softmax over the queries", function=over_queries)
        yield Mistake(text="exponentials without shift overflow", function=unshifted, in_dtype=True, special=True)
        yield Mistake(text="weights not divided by their sum", function=undivided)

    def without(**changed: Any) -> Callable[..., Any]:
        return lambda dy, **arguments: vjp(dy, **{**arguments, **changed})

    yield Mistake(text="masks left out of the gradient", vjp=without(mask=None, causal=False))
    factor = situation.sample.inputs["query"].shape[-1] ** -0.5 if scale is None else scale

    def unscaled(dy: Any, **arguments: Any) -> Any:
        found = vjp(dy, **arguments)
        return {name: array / factor if name in ("query", "key") else array for name, array in found.items()}

    yield Mistake(text="gradient without the scale", vjp=unscaled)


def _embedding(situation: Situation) -> Iterator[Mistake]:
    vjp = situation.operation.vjp
    assert vjp is not None
    indices, weight = situation.sample.inputs["indices"], situation.sample.inputs["weight"]
    rows = weight.shape[0]
    inside = np.clip(indices, 0, max(rows - 1, 0)).ravel()

    def last(dy: Any, **arguments: Any) -> Any:
        # Of several cotangents of one row, all but the last are lost.
        kept = np.zeros((inside.size, 1))
        kept[[int(np.flatnonzero(inside == row)[-1]) for row in np.unique(inside)]] = 1.0
        return vjp(dy * kept.reshape((*indices.shape, 1)), **arguments)

    def averaged(dy: Any, **arguments: Any) -> Any:
        counts = np.maximum(np.bincount(inside, minlength=rows), 1)[:, None]
        return {"weight": vjp(dy, **arguments)["weight"] / counts}

    def padding(dy: Any, **arguments: Any) -> Any:
        return {"weight": vjp(dy, **arguments)["weight"] * (np.arange(rows) > 0)[:, None]}

    yield Mistake(text="gradients of repeated indices overwrite each other", vjp=last)
    yield Mistake(text="gradients of repeated indices averaged", vjp=averaged)
    yield Mistake(text="row 0 gets no gradient, as padding", vjp=padding)
    if rows:
        yield situation.with_inputs("negative indices count from the end", indices=np.where(indices < 0, indices + rows, indices))
