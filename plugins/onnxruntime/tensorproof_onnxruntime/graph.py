"""ONNX graphs made by running a plugin's functions on symbols: each call adds a node."""

from collections.abc import Sequence
from typing import Any, Union

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 23
"""The version of ONNX's operators: the first that has Attention and RMSNormalization."""
IR_VERSION = 11
"""The version of the file format that goes with it."""

Operand = Union["Symbol", float, int, bool, Sequence[int], None]


class Symbol:
    """An array of a graph under construction: a name, an ONNX element type, and the shape where it is known."""

    def __init__(self, graph: "Graph", name: str, dtype: int, shape: tuple[int, ...] | None = None) -> None:
        self.graph = graph
        self.name = name
        self.dtype = dtype
        self.shape = shape

    def __add__(self, other: Operand) -> "Symbol":
        return node("Add", self, other)

    def __radd__(self, other: Operand) -> "Symbol":
        return node("Add", like(self, other), self)

    def __sub__(self, other: Operand) -> "Symbol":
        return node("Sub", self, other)

    def __rsub__(self, other: Operand) -> "Symbol":
        return node("Sub", like(self, other), self)

    def __mul__(self, other: Operand) -> "Symbol":
        return node("Mul", self, other)

    def __rmul__(self, other: Operand) -> "Symbol":
        return node("Mul", like(self, other), self)

    def __truediv__(self, other: Operand) -> "Symbol":
        return node("Div", self, other)

    def __neg__(self) -> "Symbol":
        return node("Neg", self)


class Graph:
    """The nodes, inputs and constants of one function."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._count = 0

    def new_name(self) -> str:
        """A name that nothing in the graph has."""
        self._count += 1
        return f"v{self._count}"

    def input(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Symbol:
        """An input of the graph."""
        symbol = Symbol(self, self.new_name(), helper.np_dtype_to_tensor_dtype(dtype), shape)
        self.inputs.append(helper.make_tensor_value_info(symbol.name, symbol.dtype, shape))
        return symbol

    def constant(self, value: Any, dtype: int) -> Symbol:
        """A constant of the graph."""
        array = np.asarray(value, helper.tensor_dtype_to_np_dtype(dtype))
        symbol = Symbol(self, self.new_name(), dtype, array.shape)
        self.constants.append(numpy_helper.from_array(array, symbol.name))
        return symbol

    def model(self, outputs: Sequence[Symbol]) -> bytes:
        """The whole graph as a file. An output that is an input passes an Identity, since ONNX wants a node's."""
        results = [node("Identity", output) for output in outputs]
        infos = [helper.make_tensor_value_info(result.name, result.dtype, None) for result in results]
        graph = helper.make_graph(self.nodes, "function", self.inputs, infos, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        return bytes(model.SerializeToString())


def like(symbol: Symbol, value: Operand) -> Symbol:
    """A Python number as a constant of the symbol's element type."""
    return value if isinstance(value, Symbol) else symbol.graph.constant(value, symbol.dtype)


def indices(symbol: Symbol, value: Sequence[int] | int) -> Symbol:
    """Python integers as a constant of int64, as axes and shapes are given."""
    return symbol.graph.constant(value, TensorProto.INT64)


def nodes(kind: str, *inputs: Operand, dtypes: Sequence[int], **attributes: Any) -> tuple[Symbol, ...]:
    """The outputs of a new node; inputs that are numbers take the first input's element type, ``None`` is left out."""
    first = next(item for item in inputs if isinstance(item, Symbol))
    graph = first.graph
    names = ["" if item is None else like(first, item).name for item in inputs]
    while names and not names[-1]:
        names.pop()
    results = tuple(Symbol(graph, graph.new_name(), dtype) for dtype in dtypes)
    graph.nodes.append(helper.make_node(kind, names, [result.name for result in results], **attributes))
    return results


def node(kind: str, *inputs: Operand, dtype: int | None = None, **attributes: Any) -> Symbol:
    """The only output of a new node, of the first input's element type unless told otherwise."""
    first = next(item for item in inputs if isinstance(item, Symbol))
    return nodes(kind, *inputs, dtypes=[first.dtype if dtype is None else dtype], **attributes)[0]
