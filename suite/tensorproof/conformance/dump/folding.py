"""Python code under what is known of its arguments: keywords as literals, and of branches only those that are taken."""

import ast
import warnings
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

KINDS: Mapping[str, type] = {"str": str, "int": int, "float": float, "bool": bool}


class NotPlain(Exception):
    """A function cannot be written down without this project; the message says why."""


def literal(value: Any) -> str:
    """A Python expression for a keyword's value.

    >>> literal((1, float("inf")))
    "(1, float('inf'))"

    Raises:
        NotPlain: it is neither a number nor a word, nor made of these.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, tuple):
        return "(" + "".join(f"{literal(item)}, " for item in value).removesuffix(" " if len(value) == 1 else ", ") + ")"
    if isinstance(value, list):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, float) and not np.isfinite(value):
        return f"float({str(value)!r})"
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    raise NotPlain(f"a keyword is a {type(value).__name__}")


def bound_names(node: ast.AST) -> set[str]:
    """The names that are set anywhere in a piece of code, in functions within it too."""
    names = {item.id for item in ast.walk(node) if isinstance(item, ast.Name) and not isinstance(item.ctx, ast.Load)}
    return names | {item.arg for item in ast.walk(node) if isinstance(item, ast.arg)}


class _Folded(ast.NodeTransformer):
    """Fills in keywords and absent inputs, and leaves out branches that are not taken."""

    def __init__(self, known: Mapping[str, Any], given: Collection[str]) -> None:
        self.known = known
        self.given = given

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.parse(literal(self.known[node.id]), mode="eval").body if node.id in self.known else node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        node = self._inside(node)
        other = node.comparators[0]
        absent = isinstance(other, ast.Constant) and other.value is None
        if (
            isinstance(node.left, ast.Name)
            and node.left.id in self.given
            and absent
            and isinstance(node.ops[0], ast.Is | ast.IsNot)
        ):
            return ast.Constant(isinstance(node.ops[0], ast.IsNot))
        return _evaluated(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        node = self._inside(node)
        decides = isinstance(node.op, ast.Or)
        values: list[ast.expr] = []
        for value in node.values:
            if isinstance(value, ast.Constant) and bool(value.value) != decides and value is not node.values[-1]:
                continue
            values.append(value)
            if isinstance(value, ast.Constant) and bool(value.value) == decides:
                break
        return values[0] if len(values) == 1 else ast.BoolOp(node.op, values)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        node = self._inside(node)
        return _evaluated(node) if isinstance(node.op, ast.Not) else node

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        node = self._inside(node)
        if not isinstance(node.test, ast.Constant):
            return node
        return node.body if node.test.value else node.orelse

    def visit_If(self, node: ast.If) -> Any:
        node = self._inside(node)
        if not isinstance(node.test, ast.Constant):
            return node
        return node.body if node.test.value else node.orelse

    def visit_Call(self, node: ast.Call) -> ast.AST:
        node = self._inside(node)
        if not (isinstance(node.func, ast.Name) and node.func.id == "isinstance"):
            return node
        value, kind = node.args
        if isinstance(value, ast.Constant) and isinstance(kind, ast.Name) and kind.id in KINDS:
            return ast.Constant(isinstance(value.value, KINDS[kind.id]))
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        return _evaluated(self._inside(node))

    def _inside(self, node: Any) -> Any:
        self.generic_visit(node)
        return node


def _evaluated(node: ast.expr) -> ast.expr:
    """The value of an expression of literals, as a literal; any other expression as it is."""
    if any(isinstance(item, ast.Name | ast.Call | ast.Attribute | ast.Lambda) for item in ast.walk(node)):
        return node
    whole = ast.fix_missing_locations(ast.Expression(node))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # the value of a parameter may meet ``is None``
            return ast.parse(literal(eval(compile(whole, "<folding>", "eval"), {"__builtins__": {}})), mode="eval").body
    except Exception:  # what cannot be computed here is left for the script to compute
        return node


def folded(function: ast.FunctionDef, known: Mapping[str, Any], given: Collection[str]) -> ast.FunctionDef:
    """A function with the ``known`` values of parameters in their places and the ``given`` parameters not ``None``.

    Parameters that are set anew in the function stay as they are.
    """
    inside = ast.Module(function.body, [])
    reset = bound_names(inside)
    filled = {name: value for name, value in known.items() if name not in reset}
    transformer = _Folded(filled, {name for name in given if name not in reset})
    function.body = [item for statement in function.body for item in _as_list(transformer.visit(statement))] or [ast.Pass()]
    function.body = _until_return(function.body)
    arguments = function.args
    arguments.defaults = []
    arguments.args = [item for item in arguments.args if item.arg not in filled]
    kept = [
        (item, default)
        for item, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if item.arg not in filled
    ]
    arguments.kwonlyargs, arguments.kw_defaults = [item for item, _ in kept], [default for _, default in kept]
    return ast.fix_missing_locations(function)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _until_return(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements up to the first that ends the function."""
    for place, statement in enumerate(body):
        if isinstance(statement, ast.Return):
            return body[: place + 1]
    return body
