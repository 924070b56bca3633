"""The records that say what a model is: layers as data, each an operation with its weights; loss, optimizer and data.

A model is one file in ``models``: a description that can be read beside the text that it comes from. It is evaluated by the
reference's operations (``networks.evaluation``), and built by each backend from its framework's own layers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Tree


@dataclass(frozen=True)
class Weight:
    """An array of weights: its shape, and the interval that its initial values are drawn from, uniformly."""

    shape: tuple[int, ...]
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Layer:
    """An operation applied to what comes out of the layer before."""

    operation: str
    """The operation's name; its first argument is the layer's input, and its first output the layer's."""
    parameters: Mapping[str, Tree] = field(default_factory=dict)
    """The trainable weights (trees of ``Weight``) by argument name."""
    state: Mapping[str, Weight] = field(default_factory=dict)
    """What training updates without gradients (running statistics), by argument and output name."""
    keywords: Mapping[str, Any] = field(default_factory=dict)
    """The operation's other arguments. ``training`` is filled in, where the operation has it."""


Draw = Callable[[Stream, int], Array]
"""Inputs or targets for so many examples."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """All that there is to know about one model."""

    name: str
    text: str
    """What it is, where it comes from, and what the source got wrong."""
    layers: Mapping[str, Layer]
    """The layers by name, in order."""
    inputs: Draw
    targets: Draw
    loss: str
    """The operation that takes the last layer's output and the target."""
    loss_keywords: Mapping[str, Any] = field(default_factory=dict)
    optimizer: str
    """The operation that takes parameters, gradients and its own state (its outputs but the first)."""
    optimizer_keywords: Mapping[str, Any] = field(default_factory=dict)
    penalties: Mapping[str, float] = field(default_factory=dict)
    """Penalties added to the loss, by operation, with their strengths: each of every layer's ``weight``."""
    fit: Mapping[str, Any] = field(default_factory=dict)
    """How the model is fitted: ``epochs``, ``batch`` and ``patience`` (``fitting``)."""
    batch: int = 4
    """The number of examples in a check; the texts' batches are those of ``fit``."""
    batches: Mapping[str, int] = field(default_factory=lambda: {"S": 1, "M": 32, "L": 128})
    """The number of examples that are timed, by the workload's size; M is the text's batch where it has one."""
    draw: str = ""
    """The name of the stream that weights and data are drawn from, if the first draw had a unit too near a kink: in float32
    every input of a branch is to be 10 bars away from it under seed 0."""
    documents: tuple[str, ...] = ()
    version: int = 1
