"""Miscompilations of programs that write over values, to plant in the compiler of the small framework."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from faulty import Fault
from planted_kernels import KERNELS, kernel
from planted_rewrites import Surroundings, first_of
from small_backend import Node, Nodes, Value
from small_operations import WRITE

from tensorproof_reference import trees

COPY, ALIAS = "same", "alias"


def _replaced(node: Node, instead: Mapping[int, Value]) -> Node:
    return replace(node, inputs=trees.replace_leaves(node.inputs, lambda path, value: instead.get(id(value), value)))


def _like(value: Value) -> Value:
    return Value(value.array, value.dtype, value.device, value.backend)


def _on_a_copy(of_arguments: bool) -> Any:
    """What is written over is a copy, which what follows reads; it is never copied back."""

    def optimize(nodes: Nodes) -> Nodes:
        around = Surroundings([node for node in nodes if node.operation != WRITE])
        instead: dict[int, Value] = {}
        found: Nodes = []
        for node in nodes:
            target = node.inputs["x"] if node.operation == WRITE else None
            if target is not None and (around.maker(target) is None) == of_arguments and id(target) not in instead:
                instead[id(target)] = _like(target)
                found.append(Node(COPY, {"x": target}, {}, (instead[id(target)],)))
            changed = _replaced(node, instead)
            found.append(replace(changed, outputs=(changed.inputs["x"],)) if node.operation == WRITE else changed)
        return found

    return optimize


def _writes_last(nodes: Nodes) -> Nodes:
    """Every write after everything that reads."""
    return [node for node in nodes if node.operation != WRITE] + [node for node in nodes if node.operation == WRITE]


def _copies_are_views(nodes: Nodes) -> Nodes:
    """Where a value is made of another one by nothing but a sign that is turned twice, it is taken for that one."""
    around = Surroundings(nodes)
    found: Nodes = []
    for node in nodes:
        before = around.made_by("negative", first_of(node)) if node.operation == "negative" else None
        found.append(node if before is None else Node(ALIAS, {"x": first_of(before)}, {}, node.outputs))
    return found


def _planted(name: str, optimize: Any) -> Fault:
    kernels = {**KERNELS, ALIAS: kernel(lambda x: x, lambda dy, x: {"x": dy})}
    return Fault(name=name, operation=WRITE, group="compiled", optimize=optimize, kernels=kernels)


PLANTED_WRITES: Mapping[str, Fault] = {
    name: _planted(name, optimize)
    for name, optimize in {
        "argument_not_copied_back": _on_a_copy(of_arguments=True),
        "view_not_copied_back": _on_a_copy(of_arguments=False),
        "read_before_the_write": _writes_last,
        "alias_for_a_copy": _copies_are_views,
    }.items()
}
"""By what is wrong."""
