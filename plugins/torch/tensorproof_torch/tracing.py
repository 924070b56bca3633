"""A user's function traced to core ATen, for ``tensorproof judge``."""

import functools
import operator
import types
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import torch

from tensorproof.backend import Hand, Native, Traced, Transcript, Unsupported, Value, flat_results
from tensorproof_torch.aten import RULES


def trace(function: Callable[..., Any], arguments: Sequence[Native]) -> Traced:
    """Trace a function with these arguments, and write its calls down.

    Tracing follows the tensors through the function as it runs, so control flow by their values is that of these arguments.

    Raises:
        Unsupported: it cannot be traced, or writes over an argument; the message says why.
    """
    plain, recompiled = _without_compiler(function)
    module = _graph(plain or function, arguments)
    _require_arguments_kept(module)
    walk = _Walk(module, arguments)
    results = [walk.number_of(item) for item in flat_results(walk.results)]
    visible = {value.number: node for node, value in walk.values.items() if isinstance(value, Value)}
    return Traced(
        transcript=walk.transcript,
        results=results,
        visible=_calls(walk, visible),
        with_results=lambda numbers: _returning(module, [visible[number] for number in numbers]),
        as_compiled=_as_dynamo_sees_it(plain or function, arguments),
        plain=plain,
        recompiled=recompiled,
    )


def _calls(walk: "_Walk", visible: Iterable[int]) -> list[int]:
    return sorted(number for number in visible if walk.transcript.entries[number].kind == "call")


def _as_dynamo_sees_it(function: Callable[..., Any], arguments: Sequence[Native]) -> Traced | None:
    """The calls of ``torch`` in the function, each with the ATen values that it gives; ``None`` if Dynamo makes no one graph."""
    dynamo: Any = torch._dynamo
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = dynamo.export(function)(*arguments)[0]
        nodes = [node for node in module.graph.nodes if node.op.startswith("call")]
        returning = _returning(module, nodes)
        kept: list[torch.fx.Node] = []

        def call(*tensors: Any) -> Any:
            results = dict(zip(nodes, returning(*tensors), strict=True))
            found = {node: item for node, item in results.items() if isinstance(item, torch.Tensor)}
            kept[:] = list(found)
            return list(found.values())

        walk = _Walk(_graph(call, arguments), arguments)
    except Exception:  # whatever Dynamo raises: then there is no such view
        return None
    finally:
        dynamo.reset()
    numbers = map(walk.number_of, flat_results(walk.results))
    visible = dict(zip(numbers, kept, strict=True))
    return Traced(
        transcript=walk.transcript,
        results=(),
        visible=_calls(walk, visible),
        with_results=lambda numbers: _returning(module, [visible[number] for number in numbers]),
    )


Compiler: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]


def _without_compiler(function: Any) -> tuple[Callable[..., Any] | None, Compiler | None]:
    """The function that ``torch.compile`` was given, and what compiles another one so; ``None`` if it is not compiled."""
    context = getattr(function, "dynamo_ctx", None)
    plain = getattr(function, "_orig_mod", None) or getattr(function, "_torchdynamo_orig_callable", None)
    for cell in getattr(function, "__closure__", None) or ():
        if plain is not None and isinstance(cell.cell_contents, torch._dynamo.eval_frame._TorchDynamoContext):
            context = cell.cell_contents
    if plain is None or context is None:
        return plain, None

    def compile_anew(other: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            return other(*arguments)

        own = types.FunctionType(call.__code__.replace(), call.__globals__, "call", None, call.__closure__)
        compiled: Callable[..., Any] = context(own)
        return compiled

    return plain, compile_anew


def _graph(function: Callable[..., Any], arguments: Sequence[Native]) -> torch.fx.GraphModule:
    from torch._decomp import core_aten_decompositions
    from torch.func import functionalize
    from torch.fx.experimental.proxy_tensor import make_fx

    def call(*tensors: Any) -> Any:
        return function(*tensors)

    def traced(inner: Callable[..., Any]) -> torch.fx.GraphModule:
        pure = functionalize(inner, remove="mutations")
        module: torch.fx.GraphModule = make_fx(pure, decomposition_table=core_aten_decompositions())(*arguments)
        module.graph.eliminate_dead_code()
        module.recompile()
        return module

    try:
        module = traced(call)
        # Recurrent cells come apart after the first pass only, into operators that write in place.
        return traced(module) if any(map(_writes, module.graph.nodes)) else module
    except Exception as error:
        raise Unsupported(f"the function cannot be traced: {type(error).__name__}: {error}") from error


def _writes(node: torch.fx.Node) -> bool:
    """Whether a call changes an array of the graph, and not an argument, as is done at the end."""
    schema = getattr(node.target, "_schema", None)
    return schema is not None and schema.is_mutable and node.args[0].op != "placeholder"


def _require_arguments_kept(module: torch.fx.GraphModule) -> None:
    arguments = [node for node in module.graph.nodes if node.op == "placeholder"]
    for node in module.graph.nodes:
        if node.target is torch.ops.aten.copy_.default and node.args[0] in arguments:
            place = arguments.index(node.args[0])
            raise Unsupported(f"the function writes over its argument {place}; let it write over a copy, as clone() makes one")


def _returning(module: torch.fx.GraphModule, nodes: Sequence[torch.fx.Node]) -> Callable[..., tuple[Any, ...]]:
    """The traced function with the values of some nodes as its results."""
    graph = torch.fx.Graph()
    copies: dict[torch.fx.Node, torch.fx.Node] = {}
    for node in module.graph.nodes:
        if node.op != "output":
            copies[node] = graph.node_copy(node, lambda item: copies[item])
    graph.output(tuple(copies[node] for node in nodes))
    graph.eliminate_dead_code()
    returning: Callable[..., tuple[Any, ...]] = torch.fx.GraphModule(module, graph)
    return returning


class _Walk:
    """A walk through a graph that writes down each value.

    Values that depend on no floating input are computed at once and taken as they are: indices, masks, shapes.
    """

    def __init__(self, module: torch.fx.GraphModule, arguments: Sequence[Native]) -> None:
        self.transcript = Transcript()
        self.values: dict[torch.fx.Node, Any] = {}
        """By node: a ``Value``, or a tuple of them and ``None``."""
        self.concrete: dict[torch.fx.Node, Any] = {}
        self.results: Any = ()
        self._module = module
        self._arguments = iter(arguments)
        for node in module.graph.nodes:
            self._visit(node)

    def number_of(self, result: Any) -> int:
        """The number of a result; of what is no tensor of the graph an unknown one."""
        value = self._value(result) if isinstance(result, torch.fx.Node) else None
        return value.number if isinstance(value, Value) else self.transcript.unknown(f"result {result}")

    def _visit(self, node: torch.fx.Node) -> None:
        if node.op == "placeholder":
            tensor = next(self._arguments)
            self.values[node] = Value(self.transcript.argument(tensor), tuple(tensor.shape), tensor.dtype)
            if not tensor.dtype.is_floating_point:
                self.concrete[node] = tensor
        elif node.op == "get_attr":
            self._take(node, operator.attrgetter(str(node.target))(self._module))
        elif node.op == "output":
            self.results = node.args[0]
        elif all(item in self.concrete for item in node.all_input_nodes) and not _is_random(node.target):
            self._compute(node)
        else:
            self.values[node] = self._called(node)

    def _take(self, node: torch.fx.Node, tensor: Any) -> None:
        if not tensor.dtype.is_floating_point:
            self.concrete[node] = tensor
        else:
            self.values[node] = _like(self.transcript.captured(tensor.detach(), str(node.target)), tensor)

    def _compute(self, node: torch.fx.Node) -> None:
        target: Any = node.target
        arguments, keywords = torch.fx.map_arg((node.args, node.kwargs), lambda item: self.concrete[item])
        result = target(*arguments, **keywords)
        whole = not node.all_input_nodes or target is torch.ops.aten._to_copy.default
        if isinstance(result, torch.Tensor) and result.dtype.is_floating_point and not whole:
            self.values[node] = self._called(node)
        else:
            self.concrete[node] = result

    def _value(self, node: torch.fx.Node) -> Any:
        """The value of a node; what was computed is captured when something takes it."""
        if node not in self.values:
            tensor = self.concrete[node]
            if not isinstance(tensor, torch.Tensor):
                return None
            self.values[node] = _like(self.transcript.captured(tensor, str(node.target)), tensor)
        return self.values[node]

    def _called(self, node: torch.fx.Node) -> Any:
        if node.target is operator.getitem:
            source, place = node.args
            assert isinstance(source, torch.fx.Node)
            parts = self._value(source)
            found = parts[place] if isinstance(parts, tuple) else None
            return self._unknown(node, f"{source.target}[{place}]") if found is None else _like(found.number, node.meta["val"])
        arguments, keywords = torch.fx.map_arg((node.args, node.kwargs), self._value)
        rule = RULES.get(node.target)
        like = _like(-1, node.meta["val"]) if isinstance(node.meta.get("val"), torch.Tensor) else Value(-1, (), torch.float32)
        before = len(self.transcript.entries)
        hand = Hand(self.transcript, str(node.target), like)
        try:
            found = rule(hand, *_promoted(hand, node, arguments), **keywords) if rule else None
        except (TypeError, AttributeError, ValueError):  # arguments that the rule does not know
            found = None
        if found is None:
            del self.transcript.entries[before:]
            return self._unknown(node, str(node.target))
        return found

    def _unknown(self, node: torch.fx.Node, name: str) -> Value:
        value = node.meta.get("val")
        number = self.transcript.unknown(name)
        return _like(number, value) if isinstance(value, torch.Tensor) else Value(number, (), torch.float32)


def _is_random(target: Any) -> bool:
    """Whether an operator draws from a generator, so that it gives something else in the next call."""
    return torch.Tag.nondeterministic_seeded in getattr(target, "tags", ())


def _promoted(hand: Hand, node: torch.fx.Node, arguments: Sequence[Any]) -> Sequence[Any]:
    """The arguments with floating arrays that differ in dtype cast to the one that PyTorch computes in."""
    found = [item.meta.get("val") for item in node.all_input_nodes]
    floating = [item for item in found if isinstance(item, torch.Tensor) and item.dtype.is_floating_point]
    if len({item.dtype for item in floating}) < 2:
        return arguments
    # An array without axes gives way to those that have some.
    deciding = [item.dtype for item in floating if item.ndim] or [item.dtype for item in floating]
    wide = functools.reduce(torch.promote_types, deciding)
    return [hand.cast(item, wide) if isinstance(item, Value) and item.dtype.is_floating_point else item for item in arguments]


def _like(number: int, tensor: torch.Tensor) -> Value:
    return Value(number, tuple(tensor.shape), tensor.dtype)
