"""The records that say what an operation is: ``Operation`` and ``Sample``.

An operation is one file: a plain function (the specification), its vector-Jacobian product, and the samples on which a
backend is judged. The record at the end of the file names them together; nothing happens at import.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from tensorproof_reference.distributions import Distribution
from tensorproof_reference.model import Model
from tensorproof_reference.stream import Stream
from tensorproof_reference.trees import Array, Gradients, Tree

SIZES = ("S", "M", "L")
"""The sizes of workloads, from the smallest to the largest."""

CORE, EXTENDED = "core", "extended"
"""The profiles of the specification: what the documents describe, and what else people run today."""

DTYPES = ("float64", "float32", "bfloat16", "float16")
"""The floating dtypes that a backend may be held to, from the most precise to the least."""


class Drawn(Mapping[str, Tree]):
    """Inputs that are drawn when they are first read: long ones take time and memory, and a run reads few of them.

    ``outline`` has their structure, with other arrays; it tells which are given before any is drawn.
    """

    def __init__(self, draw: Callable[[], Mapping[str, Tree]], outline: Mapping[str, Tree]) -> None:
        self._draw = draw
        self.outline = outline

    @functools.cached_property
    def _drawn(self) -> dict[str, Tree]:
        return dict(self._draw())

    def __getitem__(self, name: str) -> Tree:
        return self._drawn[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.outline)

    def __len__(self) -> int:
        return len(self.outline)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (self._drawn,)


def outline_of(inputs: Mapping[str, Tree]) -> Mapping[str, Tree]:
    """The inputs, or for those that were not drawn yet something of their structure."""
    return inputs.outline if isinstance(inputs, Drawn) else inputs


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """One set of arguments on which an operation is checked.

    The name begins with the class of case that it belongs to (``sample_classes.CLASSES``), as in ``padding_same_even_kernel``;
    it has no hyphen. Floating inputs are float64 arrays, rounded by the suite to the dtype under test before the reference
    and the backend see them; integer inputs are int64 and booleans are bool.
    """

    name: str
    inputs: Mapping[str, Tree]
    """The array arguments by name. ``None`` is an optional argument that is left out."""
    keywords: Mapping[str, Any] = field(default_factory=dict)
    """Everything that is not an array: attributes and conventions."""
    required: bool = True
    """Whether conformance to the profile needs it (``False`` for special behaviour on invalid input)."""
    dtypes: tuple[str, ...] = DTYPES
    """The dtypes in which the sample means something."""
    own_dtypes: Mapping[str, str] = field(default_factory=dict)
    """The dtypes of arrays that have another than the check's, by path of an input (``x``, ``parameters.0``; a name alone speaks
    of all arrays in it) or name of an output; where both have one name, of both. A gradient has the dtype of its input. Beside
    the floats of ``DTYPES`` there are those that numbers are only stored in (``rounding.STORED``), integers and ``bool``."""
    gradient: bool = True
    """Whether the vector-Jacobian product is checked too."""
    expected: Mapping[str, Tree] = field(default_factory=dict)
    """Exact values, by output name (``"y"``) or gradient (``"d_x"``), for ties, kinks, NaN and infinity. They are what a test
    of the reference holds the reference to; the suite judges backends by the reference."""
    exact_zero: tuple[str, ...] = ()
    """Outputs (``"y"``) and gradients (``"d_x"``) that are identically zero in exact arithmetic."""
    sign_of_zero: bool = False
    """Whether -0 and +0 are told apart."""
    memory: str = "contiguous"
    """How inputs lie in memory: ``contiguous``, ``transposed`` (axes of every other input, from the first, stored in
    reverse) or ``sliced`` (every second element from the second on, of all inputs). Cotangents lie as the first input does."""
    raises: bool = False
    """Whether the right answer is an exception. Checked eagerly only; such a sample has no gradient."""
    version: int = 1
    """Rises when the meaning of the sample changes."""

    def dtype_at(self, path: str, dtype: str) -> str:
        """The dtype of the array at a path in a check of ``dtype``: its own, or that of what it is in.

        >>> Sample(name="plain", inputs={}, own_dtypes={"m": "float32"}).dtype_at("m.0", "bfloat16")
        'float32'
        """
        while path not in self.own_dtypes and "." in path:
            path = path.rpartition(".")[0]
        return self.own_dtypes.get(path, dtype)


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one call must do at least, counted by formula from shapes and keywords.

    An addition, subtraction, multiplication, division, comparison or maximum is one floating-point operation; a call of exp,
    log, tanh, erf, sqrt or power is one transcendental, and no floating-point operation. ``backward_`` is what the
    vector-Jacobian product does beyond the forward pass, with all that this has computed kept.
    """

    flops: int
    transcendentals: int = 0
    backward_flops: int = 0
    backward_transcendentals: int = 0
    untouched: int = 0
    """How many numbers of the floating inputs need not be read (rows of an embedding that nobody looks up)."""

    def __add__(self, other: "Work") -> "Work":
        """The work of both."""
        return Work(**{item.name: getattr(self, item.name) + getattr(other, item.name) for item in fields(self)})


@dataclass(frozen=True, kw_only=True, eq=False)
class Operation:
    """All that there is to know about one operation or loss.

    ``function`` is called as ``function(**inputs, **keywords)`` and returns one array, or a tuple in the order of
    ``outputs``. Outputs without gradients may be trees (an optimizer's list of parameters), whose leaves are judged one by
    one. ``vjp`` is called as ``vjp(cotangents, **inputs, **keywords)``, where ``cotangents`` is one array if ``cotangents``
    below names one output, and a tuple in that order otherwise; it returns gradients by input name for every name in
    ``differentiable`` (``None`` for an input that is ``None``).
    """

    function: Callable[..., Any]
    vjp: Callable[..., Gradients] | None
    samples: Callable[[Stream], Iterator[Sample]]
    family: str
    """The kind of operation, which decides the classes of cases it must have (``sample_classes.REQUIRED``)."""
    differentiable: tuple[str, ...] = ("x",)
    outputs: tuple[str, ...] = ("y",)
    cotangents: tuple[str, ...] = ("y",)
    """The outputs through which gradients flow."""
    output_dtype: str = "same"
    """``same`` as the dtype under test, or ``any`` where documentation leaves it free (only values are compared)."""
    axes: Mapping[str, str] = field(default_factory=dict)
    """The axes of inputs and outputs in the reference's order, in einops notation, by name: ``{"x": "n c h w"}``. For nested
    inputs the name is that of the leaf (``input_weights``). A backend with another layout names it in the same words."""
    orders: Mapping[str, str] = field(default_factory=dict)
    """For an axis that enumerates things, their order by one-letter names: ``{"g": "ifgo"}``."""
    conventions: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """Keywords that choose among readings of the operation, with all their values. A conforming backend must offer at least
    one value of each; the others are optional."""
    required: bool = True
    profile: str = CORE
    documents: tuple[str, ...] = ()
    """Sections of the documents and papers that define the operation."""
    random: bool = False
    """Whether outputs are random, and so judged as a distribution rather than by value in samples of class ``statistics``."""
    distribution: Callable[..., Distribution] | None = None
    """Of each element of the only output of a random operation, called as ``distribution(**inputs, **keywords)``."""
    version: int = 1
    """Rises when the meaning of the operation changes."""
    workload: Callable[[Stream, str], Sample] | None = None
    """What is timed, by size: ``S`` (a few thousand numbers, where the cost of a call shows), ``M`` (a layer of a common network)
    or ``L`` (beyond the caches, arrays up to 16 MB). The sample's name is the size. ``None`` if the operation is not timed."""
    work: Callable[..., Work] | None = None
    """The work of one call, called with the operation's own arguments, of which only shapes and keywords count."""

    model: Model | None = None
    """The model whose output or training step this is, if it is one's."""
    parts: Mapping[str, tuple["Operation", str]] = field(default_factory=dict)
    """For a model, whose ``axes`` its arrays have: by layer name the layer's operation (and ""), and for the model's input,
    output and target the operation and its argument or output."""

    @property
    def name(self) -> str:
        """The function's name, which is also the file's."""
        return self.function.__name__


def place_of(path: str, operation: Operation) -> tuple[str, Operation]:
    """Where the axes of an array at ``path`` are said: a name among the axes of an operation (a model's are its layers')."""
    for word in path.split("."):
        if word in operation.parts:
            part, name = operation.parts[word]
            return name or path, part
    return path, operation


def asarray(value: Any) -> Array:
    """A float64 array of ``value``, for writing samples."""
    return np.asarray(value, dtype=np.float64)
