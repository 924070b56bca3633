"""Wrong rewrites to plant in the compiler of the small framework: each is right for one operation, and wrong for a pair."""

from collections.abc import Callable
from dataclasses import replace

from faulty import Fault
from small_backend import Node, Nodes


def followed(first: str, second: str, rewrite: Callable[[Node, Node], Node]) -> Callable[[Nodes], Nodes]:
    """Rewrites each call of ``second`` whose first argument is what a call of ``first`` gave."""

    def optimize(nodes: Nodes) -> Nodes:
        made = {id(output): node for node in nodes for output in node.outputs}
        found = []
        for node in nodes:
            before = made.get(id(next(iter(node.inputs.values()))))
            fits = node.operation == second and before is not None and before.operation == first
            found.append(rewrite(before, node) if fits and before is not None else node)
        return found

    return optimize


def _past(before: Node, node: Node) -> Node:
    """The second call on the argument of the first."""
    name = next(iter(node.inputs))
    return replace(node, inputs={**node.inputs, name: next(iter(before.inputs.values()))})


def _named(operation: str) -> Callable[[Node, Node], Node]:
    return lambda before, node: replace(node, operation=operation)


def planted(first: str, second: str, rewrite: Callable[[Node, Node], Node]) -> Fault:
    """The fault of a pair."""
    return Fault(name=f"{second}_after_{first}", operation=second, group="compiled", optimize=followed(first, second, rewrite))


REWRITES = {
    ("negative", "exp"): planted("negative", "exp", _past),
    ("multiply", "add"): planted("multiply", "add", _named("subtract")),
    ("add", "layer_norm"): planted("add", "layer_norm", _past),
    ("matmul", "relu"): planted("matmul", "relu", _named("leaky_relu")),
    ("exp", "reduce_sum"): planted("exp", "reduce_sum", _named("reduce_mean")),
}
"""By the pair of operations that comes out wrong."""
