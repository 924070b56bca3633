"""Miscompilations to plant in the compiler of the small framework: what a program is rewritten to, and where."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from faulty import Fault
from planted_kernels import KERNELS
from small_backend import Node, Nodes, Value

Rewrite = Callable[[Node, "Surroundings"], "list[Node] | None"]
"""The nodes to put in place of one, or ``None`` to leave it. The last of them gives the node's outputs."""


@dataclass(frozen=True)
class Planted:
    """One miscompilation, and the operations that a finding must name: all in the shrunk program, the last to blame."""

    operations: tuple[str, ...]
    fault: Fault


class Surroundings:
    """What a rewrite may ask of the program around a node."""

    def __init__(self, nodes: Nodes) -> None:
        self._made = {id(output): node for node in nodes for output in node.outputs}
        self._nodes = nodes

    def maker(self, value: Any) -> Node | None:
        """The node that gave a value; none for an input of the program."""
        return self._made.get(id(value))

    def made_by(self, operation: str, value: Any) -> Node | None:
        """The node that gave a value if it is a call of an operation."""
        node = self.maker(value)
        return node if node is not None and node.operation == operation else None

    def consumers(self, value: Any) -> list[Node]:
        """The nodes that take a value."""
        return [node for node in self._nodes if any(item is value for item in values_of(node))]


def values_of(node: Node) -> Iterator[Any]:
    """The values that a node takes."""
    for item in node.inputs.values():
        yield from item if isinstance(item, list | tuple) else (item,)


def first_of(node: Node) -> Any:
    """A node's first array."""
    return next(values_of(node))


def rewritten(rewrite: Rewrite) -> Callable[[Nodes], Nodes]:
    """A compiler's pass that rewrites each node by itself."""

    def optimize(nodes: Nodes) -> Nodes:
        around = Surroundings(nodes)
        found: Nodes = []
        for node in nodes:
            instead = rewrite(node, around)
            found += [node] if instead is None else instead
        return found

    return optimize


# The rewrites.


def after(first: str, second: str, make: Callable[[Node, Node], Node | None]) -> Rewrite:
    """Rewrites each call of ``second`` whose first array is what a call of ``first`` gave."""

    def rewrite(node: Node, around: Surroundings) -> list[Node] | None:
        before = around.made_by(first, first_of(node)) if node.operation == second else None
        made = make(before, node) if before is not None else None
        return None if made is None else [made]

    return rewrite


def called_instead(operation: str, kernel_name: str) -> Rewrite:
    """Every call of an operation, whatever it takes."""
    return lambda node, around: [replace(node, operation=kernel_name)] if node.operation == operation else None


def _past(before: Node, node: Node) -> Node:
    name = next(iter(node.inputs))
    return replace(node, inputs={**node.inputs, name: first_of(before)})


def _wrong_count(before: Node, node: Node) -> Node | None:
    was, now = first_of(before).array, first_of(node).array
    axes = node.keywords.get("axis")
    counted = now.size if axes is None else int(np.prod([now.shape[axis] for axis in np.atleast_1d(axes)]))
    wrong = was.shape[-1] if was.ndim else 1
    return None if counted == wrong else replace(node, operation="mean_by", keywords={**node.keywords, "count": wrong})


def _untransposed(node: Node, around: Surroundings) -> list[Node] | None:
    if node.operation != "matmul":
        return None
    turned = around.made_by("permute", node.inputs["b"])
    if turned is None or turned.inputs["x"].array.shape != turned.outputs[0].array.shape:
        return None
    return [replace(node, inputs={**node.inputs, "b": turned.inputs["x"]})]


def _product_with_zero(node: Node, around: Surroundings) -> list[Node] | None:
    if node.operation != "multiply" or node.inputs["b"].number != 0.0:
        return None
    return [replace(node, operation="constant_zero", inputs={"x": node.inputs["a"]})]


def _cancelled(before: Node, node: Node) -> Node:
    return replace(node, operation="same", inputs={"x": first_of(before)})


def _reassociated(node: Node, around: Surroundings) -> list[Node] | None:
    before = around.made_by("subtract", node.inputs.get("a")) if node.operation == "subtract" else None
    if before is None or before.inputs["b"].array.shape != node.outputs[0].array.shape:
        return None
    total = _value_like(before.inputs["b"])
    added = Node("add", {"a": before.inputs["b"], "b": node.inputs["b"]}, {}, (total,))
    return [added, replace(node, inputs={"a": before.inputs["a"], "b": total})]


def _value_like(value: Value) -> Value:
    return Value(value.array, value.dtype, value.device, value.backend)


def _buffer_taken(*operations: str) -> Rewrite:
    """Writes over the argument where it is a value of the program that something else takes too."""

    def rewrite(node: Node, around: Surroundings) -> list[Node] | None:
        if node.operation not in operations or around.maker(first_of(node)) is None:
            return None
        shared = len(around.consumers(first_of(node))) > 1
        return [replace(node, operation=f"{node.operation}_in_place")] if shared else None

    return rewrite


def _residual_in_place(node: Node, around: Surroundings) -> list[Node] | None:
    """A relu whose argument and result are added writes over the argument."""
    if node.operation != "relu" or around.maker(first_of(node)) is None:
        return None
    x, y = first_of(node), node.outputs[0]
    together = any(item.operation == "add" and x in values_of(item) for item in around.consumers(y))
    return [replace(node, operation="relu_in_place")] if together else None


def _off_by_one(before: Node, node: Node) -> Node | None:
    flat = first_of(node).array
    start, stop = node.keywords["start"][0] or 0, node.keywords["stop"][0]
    if flat.ndim != 1 or start < 1:
        return None
    moved = (start - 1,), ((stop if stop is not None else flat.size) - 1,)
    return replace(node, keywords={**node.keywords, "start": moved[0], "stop": moved[1]})


def _wrong_axis(node: Node, around: Surroundings) -> list[Node] | None:
    if node.operation != "add":
        return None
    a, b = node.inputs["a"].array, node.inputs["b"].array
    square = a.ndim >= 2 and b.ndim == 1 and a.shape[-1] == a.shape[-2] == b.size > 1
    return [replace(node, operation="add_by_columns")] if square else None


def _other_order(before: Node, node: Node) -> Node | None:
    arrays = node.inputs["arrays"]
    return replace(node, inputs={"arrays": list(arrays)[::-1]})


def _other_side(before: Node, node: Node) -> Node:
    widths = tuple((after_, before_) for before_, after_ in node.keywords["widths"])
    return replace(node, keywords={**node.keywords, "widths": widths})


def _composed_backwards(before: Node, node: Node) -> Node:
    first, second = before.keywords["axes"], node.keywords["axes"]
    return replace(node, inputs={"x": first_of(before)}, keywords={"axes": tuple(second[item] for item in first)})


def _axis_of_before(before: Node, node: Node) -> Node | None:
    """A reduction of what was permuted: of the array before, over an axis of the same number."""
    shape, turned = first_of(before).array.shape, first_of(node).array.shape
    return _past(before, node) if shape == turned else None


def _step_forgotten(before: Node, node: Node) -> Node | None:
    """Two slices made one, with the second start counted in steps of one."""
    if not any(step == 2 for step in before.keywords["step"]) or not any(node.keywords["start"]):
        return None
    shape = first_of(node).array.shape
    key = tuple(map(slice, node.keywords["start"], node.keywords["stop"], node.keywords["step"]))
    taken = np.empty(shape)[key].shape
    steps = tuple(one * other for one, other in zip(before.keywords["step"], node.keywords["step"], strict=True))
    starts = tuple((one or 0) + (other or 0) for one, other in zip(before.keywords["start"], node.keywords["start"], strict=True))
    stops = tuple(start + (length - 1) * step + 1 for start, length, step in zip(starts, taken, steps, strict=True))
    return Node(node.operation, {"x": first_of(before)}, {"start": starts, "stop": stops, "step": steps}, node.outputs)


def _common(operation: str) -> Callable[[Nodes], Nodes]:
    """Two calls of an operation on one array are taken for the same, whatever their axes are."""

    def optimize(nodes: Nodes) -> Nodes:
        seen: dict[tuple[int, Any], Node] = {}
        found: Nodes = []
        for node in nodes:
            if node.operation == operation:
                key = (id(first_of(node)), node.outputs[0].array.shape)
                if key in seen and seen[key].keywords != node.keywords:
                    node = Node("same", {"x": seen[key].outputs[0]}, {}, node.outputs)
                else:
                    seen.setdefault(key, node)
            found.append(node)
        return found

    return optimize


def _swapped_with(before: Node, node: Node) -> list[Node]:
    between = _value_like(first_of(before))
    inner = Node(node.operation, {"x": first_of(before)}, node.keywords, (between,))
    return [inner, Node(before.operation, {"x": between}, before.keywords, node.outputs)]


def _swapped(first: str, second: str) -> Rewrite:
    """The two calls in the other order."""

    def rewrite(node: Node, around: Surroundings) -> list[Node] | None:
        before = around.made_by(first, first_of(node)) if node.operation == second else None
        return None if before is None else _swapped_with(before, node)

    return rewrite


def _clamp_swapped(node: Node, around: Surroundings) -> list[Node] | None:
    before = around.made_by("maximum", node.inputs.get("a")) if node.operation == "minimum" else None
    shape = node.outputs[0].array.shape
    if before is None or before.inputs["a"].array.shape != shape or before.outputs[0].array.shape != shape:
        return None
    between = _value_like(before.outputs[0])
    inner = Node("minimum", {"a": before.inputs["a"], "b": node.inputs["b"]}, {}, (between,))
    return [inner, Node("maximum", {"a": between, "b": before.inputs["b"]}, {}, node.outputs)]


def _divided_by_root(node: Node, around: Surroundings) -> list[Node] | None:
    root = around.made_by("sqrt", node.inputs["b"]) if node.operation == "divide" else None
    return None if root is None else [replace(node, operation="divide_by_rough_reciprocal")]


def _flips_cancel(before: Node, node: Node) -> Node | None:
    """A flip after one of another axis is taken for its undoing."""
    other = before.keywords["axis"] != node.keywords["axis"]
    return replace(node, operation="same", inputs={"x": first_of(before)}, keywords={}) if other else None


def _crop_undoes_padding(before: Node, node: Node) -> Node | None:
    """What is cropped to the length that it had before it was padded, at whichever end."""
    alike = first_of(before).array.shape == node.outputs[0].array.shape
    return replace(node, operation="same", inputs={"x": first_of(before)}, keywords={}) if alike else None


def _swaps_last(axes: tuple[int, ...]) -> bool:
    return axes == (*range(len(axes) - 2), len(axes) - 1, len(axes) - 2)


def _product_of_transposes(node: Node, around: Surroundings) -> list[Node] | None:
    """The transpose of the product of a and b, which ought to be that of b and a."""
    if node.operation != "matmul":
        return None
    turned = [around.made_by("permute", node.inputs[name]) for name in ("a", "b")]
    if any(item is None or not _swaps_last(item.keywords["axes"]) for item in turned):
        return None
    a, b = (first_of(item) for item in turned if item is not None)
    if a.array.shape != b.array.shape or a.array.shape[-1] != a.array.shape[-2]:
        return None
    between, axes = _value_like(node.outputs[0]), turned[0].keywords["axes"] if turned[0] else ()
    return [Node("matmul", {"a": a, "b": b}, {}, (between,)), Node("permute", {"x": between}, {"axes": axes}, node.outputs)]


def _log_of_product(node: Node, around: Surroundings) -> list[Node] | None:
    """The sum of two logarithms."""
    before = around.made_by("multiply", first_of(node)) if node.operation == "log" else None
    if before is None:
        return None
    logs = {name: _value_like(before.inputs[name]) for name in ("a", "b")}
    found = [Node("log", {"x": before.inputs[name]}, {}, (logs[name],)) for name in ("a", "b")]
    return [*found, Node("add", {**logs}, {}, node.outputs)]


def _small_summand_dropped(before: Node, node: Node) -> Node | None:
    number = before.inputs["b"].number
    return _past(before, node) if number is not None and 0.0 < abs(number) < 1e-4 else None


def _one_number_added(before: Node, node: Node) -> Node | None:
    """Two factors that are numbers are made one, by a sum."""
    numbers = before.inputs["b"].number, node.inputs["b"].number
    if numbers[0] is None or numbers[1] is None:
        return None
    total = replace(node.inputs["b"], array=np.float32(numbers[0] + numbers[1]), number=numbers[0] + numbers[1])
    return replace(node, inputs={"a": before.inputs["a"], "b": total})


def _tail_dropped(before: Node, node: Node) -> Node | None:
    """A sum of more than 1,024 products, without what is left over of vectors of eight."""
    length = first_of(node).array.shape[-1] if first_of(node).array.ndim else 0
    return replace(node, operation="sum_without_tail") if length > 1024 and length % 8 else None


def planted(*operations: str, rewrite: Rewrite | None = None, optimize: Callable[[Nodes], Nodes] | None = None) -> Planted:
    """A miscompilation of these operations."""
    done = optimize or (rewritten(rewrite) if rewrite else None)
    name = "_after_".join(reversed(operations))
    return Planted(operations, Fault(name=name, operation=operations[-1], group="compiled", optimize=done, kernels=KERNELS))


def _named(kernel_name: str) -> Callable[[Node, Node], Node]:
    return lambda before, node: replace(node, operation=kernel_name)


PLANTED: Mapping[str, Planted] = {
    "relu_dropped_before_max": planted("relu", "reduce_max", rewrite=after("relu", "reduce_max", _past)),
    "mean_by_the_count_before_reshape": planted("reshape", "reduce_mean", rewrite=after("reshape", "reduce_mean", _wrong_count)),
    "operand_not_transposed": planted("permute", "matmul", rewrite=_untransposed),
    "softmax_without_shift": planted("softmax", rewrite=called_instead("softmax", "softmax_unshifted")),
    "times_zero_is_zero": planted("multiply", rewrite=_product_with_zero),
    "exp_of_log_is_nothing": planted("log", "exp", rewrite=after("log", "exp", _cancelled)),
    "differences_reassociated": planted("subtract", "subtract", rewrite=_reassociated),
    "buffer_of_two_consumers": planted("cos", rewrite=_buffer_taken("cos", "sigmoid")),
    "crop_off_by_one_after_flatten": planted("reshape", "strided_slice", rewrite=after("reshape", "strided_slice", _off_by_one)),
    "broadcast_over_the_wrong_axis": planted("add", rewrite=_wrong_axis),
    "gradient_of_the_mean_for_the_sum": planted(
        "multiply", "reduce_sum", rewrite=after("multiply", "reduce_sum", _named("sum_with_gradient_of_mean"))
    ),
    "sum_after_product_in_bfloat16": planted("matmul", "add", rewrite=after("matmul", "add", _named("add_in_bfloat16"))),
    "branches_swapped_in_the_gradient": planted("where", rewrite=called_instead("where", "where_with_swapped_gradient")),
    "joined_in_the_other_order": planted("square", "concatenate", rewrite=after("square", "concatenate", _other_order)),
    "padded_on_the_other_side": planted("strided_slice", "pad", rewrite=after("strided_slice", "pad", _other_side)),
    "residual_in_place": planted("relu", "add", rewrite=_residual_in_place),
    "variance_in_one_pass": planted("variance", rewrite=called_instead("variance", "variance_in_one_pass")),
    "log_of_softmax": planted("log_softmax", rewrite=called_instead("log_softmax", "log_of_softmax")),
    "permutations_composed_backwards": planted("permute", "permute", rewrite=after("permute", "permute", _composed_backwards)),
    "reduced_over_the_axis_before": planted("permute", "reduce_sum", rewrite=after("permute", "reduce_sum", _axis_of_before)),
    "start_of_the_second_slice": planted(
        "strided_slice", "strided_slice", rewrite=after("strided_slice", "strided_slice", _step_forgotten)
    ),
    "axes_taken_for_the_same": planted("softmax", optimize=_common("softmax")),
    "relu_and_negative_swapped": planted("negative", "relu", rewrite=_swapped("negative", "relu")),
    "root_of_square_is_nothing": planted("square", "sqrt", rewrite=after("square", "sqrt", _cancelled)),
    "running_sum_without_the_last": planted(
        "flip", "cumulative_sum", rewrite=after("flip", "cumulative_sum", _named("exclusive_sum"))
    ),
    "negation_dropped_before_exp": planted("negative", "exp", rewrite=after("negative", "exp", _past)),
    "difference_for_a_sum_after_product": planted("multiply", "add", rewrite=after("multiply", "add", _named("subtract"))),
    "sum_dropped_before_normalization": planted("add", "layer_norm", rewrite=after("add", "layer_norm", _past)),
    "leaky_after_product": planted("matmul", "relu", rewrite=after("matmul", "relu", _named("leaky_relu"))),
    "mean_for_a_sum_of_exponentials": planted("exp", "reduce_sum", rewrite=after("exp", "reduce_sum", _named("reduce_mean"))),
    "clamp_the_other_way_round": planted("maximum", "minimum", rewrite=_clamp_swapped),
    "flips_of_two_axes_cancel": planted("flip", rewrite=after("flip", "flip", _flips_cancel)),
    "crop_undoes_any_padding": planted("pad", "strided_slice", rewrite=after("pad", "strided_slice", _crop_undoes_padding)),
    "product_of_transposes_exchanged": planted("permute", "matmul", rewrite=_product_of_transposes),
    "log_of_a_product_split": planted("multiply", "log", rewrite=_log_of_product),
    "small_summand_dropped": planted("add", "rsqrt", rewrite=after("add", "rsqrt", _small_summand_dropped)),
    "two_factors_added": planted("multiply", rewrite=after("multiply", "multiply", _one_number_added)),
    "tail_of_a_long_sum_dropped": planted("multiply", "reduce_sum", rewrite=after("multiply", "reduce_sum", _tail_dropped)),
    "division_by_a_rough_reciprocal": planted("sqrt", "divide", rewrite=_divided_by_root),
}
"""By what is wrong."""
