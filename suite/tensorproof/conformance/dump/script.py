"""The text of a script that makes one failing call in the framework's own calls, and judges it again."""

import ast
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tensorproof.backend import Backend, ScriptTemplate
from tensorproof.conformance.dump.folding import NotPlain, literal
from tensorproof.conformance.dump.source import Source
from tensorproof.conformance.expectation import FUSED_SCALE
from tensorproof.conformance.functions import in_place
from tensorproof_reference.operation import Operation

RESERVED = (
    *("function", "pull", "primals", "constants", "cotangents", "outputs", "others", "gradients", "result", "array", "numbers"),
    *("case", "got", "wrong", "os", "sys", "Path"),
)
"""Names that the script itself uses."""


@dataclass(frozen=True)
class Call:
    """One call of a backend's function, as a check made it."""

    operation: Operation
    function: Callable[..., Any]
    inputs: Mapping[str, Any]
    """Arguments with arrays as the reference has them; only their structure counts."""
    keywords: Mapping[str, Any]
    primal_paths: tuple[str, ...]
    constant_paths: tuple[str, ...]
    output_paths: tuple[str, ...]
    """Outputs and, of trees, their leaves."""
    gradient: bool
    fused: Callable[..., Any] | None = None
    """The backend's tanh, where the check is about ``tanh(op(a·x))``."""
    passed: bool = True
    """Whether the call raised no exception."""


def identifier(path: str) -> str:
    """A Python name for an array.

    >>> identifier("parameters.0.bias")
    'parameters_0_bias'
    """
    return path.replace(".", "_")


def _unpacked(paths: Sequence[str], source: str) -> list[str]:
    names = "".join(f"{identifier(path)}, " for path in paths)
    return [f"    {names.strip() if len(paths) == 1 else names.removesuffix(', ')} = {source}"] if paths else []


def _result(path: str, outputs: Sequence[str], source: str = "result") -> str:
    """The expression for an output, or a leaf of one, in what an operation returns."""
    name, *inside = path.split(".")
    whole = source if len(outputs) == 1 else f"{source}[{outputs.index(name)}]"
    return whole + "".join(f"[{word}]" if word.isdigit() else f"[{word!r}]" for word in inside)


def _tuple(items: Sequence[str]) -> str:
    return "(" + "".join(f"{item}, " for item in items).removesuffix(" " if len(items) == 1 else ", ") + ")"


def _adapter(call: Call, expression: str, tanh: str) -> list[str]:
    """The lines of ``function(primals, constants)`` around an expression for what the operation returns."""
    first = [f"    {identifier(call.primal_paths[0])} = {identifier(call.primal_paths[0])} * {FUSED_SCALE}"] if call.fused else []
    names = call.operation.outputs
    cotangents = [_result(name, names) for name in call.operation.cotangents]
    others = [_result(path, names) for path in call.output_paths if path.split(".")[0] not in call.operation.cotangents]
    if call.fused:
        cotangents, others = [f"{tanh}({item})" for item in cotangents], []
    lines = [
        "def function(primals, constants):",
        *_unpacked(call.primal_paths, "primals"),
        *_unpacked(call.constant_paths, "constants"),
        *first,
    ]
    if cotangents == ["result"] and not others:
        return [*lines, f"    return ({expression},), ()"]
    return [*lines, f"    result = {expression}", f"    return {_tuple(cotangents)}, {_tuple(others)}"]


def _arguments(call: Call) -> dict[str, str]:
    """Expressions for the function's inputs by name; absent ones are ``None``."""
    names = {path: identifier(path) for path in (*call.primal_paths, *call.constant_paths)}
    return {name: in_place(tree, names, name) for name, tree in call.inputs.items()}


def defined(
    source: Source, function: Callable[..., Any], arguments: Mapping[str, str], keywords: Mapping[str, Any], name: str
) -> tuple[list[str], str]:
    """The definition of a plugin's function for a call, if it takes more than an expression, and the expression of the call.

    ``arguments`` are expressions for its arrays by name, ``None`` for one that is absent, and ``keywords`` values.

    Raises:
        NotPlain: the function cannot be written down by itself.
    """
    given = [item for item, text in arguments.items() if text != "None"]
    parameters = inspect.signature(function).parameters.values()
    known = {item.name: item.default for item in parameters if item.default is not item.empty and item.name not in given}
    known |= {**keywords, **{item: None for item in arguments if item not in given}}
    definition = source.function(function, known, given)
    if definition.args.vararg or definition.args.kwarg:
        raise NotPlain("the plugin's function takes any arguments")
    rest = [item.arg for item in (*definition.args.args, *definition.args.kwonlyargs)]
    filled = {item: arguments[item] if item in given else literal(known[item]) for item in rest}
    only = definition.body[0]
    if (
        len(definition.body) == 1
        and isinstance(only, ast.Return)
        and only.value
        and all(key == text for key, text in filled.items())
    ):
        return [], ast.unparse(only.value)
    definition.name = source.unique("script", name)
    return [ast.unparse(definition)], f"{definition.name}({', '.join(f'{key}={text}' for key, text in filled.items())})"


def _pull(source: Source, vjp: Callable[..., Any], call: Call) -> list[str]:
    """The lines of ``pull(primals, constants, cotangents)``, made of a function that gives gradients by input name."""
    first = next(iter(inspect.signature(vjp).parameters))
    cotangents = "cotangents[0]" if len(call.operation.cotangents) == 1 else "cotangents"
    definitions, expression = defined(source, vjp, {first: "cotangent", **_arguments(call)}, call.keywords, "vjp")
    gradients = [_result(f"gradients.{path}", ("gradients",)) for path in call.primal_paths]
    return [
        *(f"{definition}\n\n" for definition in definitions),
        "def pull(primals, constants, cotangents):",
        *_unpacked(call.primal_paths, "primals"),
        *_unpacked(call.constant_paths, "constants"),
        f"    cotangent = {cotangents}",
        f"    result = {expression}",
        f"    return {_tuple(gradients)}",
    ]


def plain_program(call: Call, template: ScriptTemplate, package: str) -> list[str]:
    """The program up to its arrays without this project: the sources of the plugin's functions, and the framework's template.

    Raises:
        NotPlain: a function cannot be written down by itself.
    """
    source = Source((package,), call.passed, RESERVED)
    definitions, expression = defined(source, call.function, _arguments(call), call.keywords, call.operation.name)
    if call.fused is not None:
        tanh = source.function(call.fused, {}, ("x",))
        tanh.name = source.unique("script", "tanh")
        definitions.append(ast.unparse(tanh))
    body = _adapter(call, expression, "tanh" if call.fused is None else tanh.name)
    if call.gradient and template.vjp is not None:
        body += ["", "", *_pull(source, template.vjp, call)]
    imports, used = source.needed("\n".join([*definitions, *body]))
    known = {"import numpy as np", *template.setup.splitlines()}
    blocks = [*used, *definitions, "\n".join(body)]
    return [
        *(line for line in imports if line not in known),
        template.setup.strip(),
        *(f"\n\n{block}" for block in blocks),
        "",
        "",
    ]


def plugin_program(
    call: Call, backend: Backend, mode: str, device: str, modules: Sequence[str]
) -> tuple[list[str], ScriptTemplate]:
    """The program up to its arrays, and how it runs, for what only the plugin itself can call."""
    name, arguments = call.operation.name, _arguments(call)
    keywords = {key: literal(value) for key, value in call.keywords.items()}
    given = ", ".join(f"{key}={text}" for key, text in {**arguments, **keywords}.items())
    inputs = "{" + ", ".join(f"{key!r}: {text}" for key, text in arguments.items()) + "}"
    setup = [
        *(f"import {module}" for module in modules),
        "from tensorproof.contract.backends import load",
        "from tensorproof.contract.models import implementation_of",
        "",
        f"backend = load({backend.name!r})",
        f"backend.open_device({device!r})",
        f"operation = implementation_of(backend, {name!r}).function",
        "numbers = backend.to_numpy",
        "",
        "",
        "def array(values, dtype):",
        f"    return backend.from_numpy(values, dtype, {device!r})",
    ]
    if call.fused is not None:
        setup.append("\n\ntanh = backend.operations.implementations['tanh'].function")
    asked = [
        "def arguments(primals, constants):",
        *_unpacked(call.primal_paths, "primals"),
        *_unpacked(call.constant_paths, "constants"),
        f"    return {inputs}, {literal(dict(call.keywords))}",
        "",
        "",
        f"function.operation = {'' if call.fused else name!r}",
        f"function.primal_paths, function.constant_paths = {call.primal_paths!r}, {call.constant_paths!r}",
        "function.arguments = arguments",
    ]
    body = _adapter(call, f"operation({given})", "tanh")
    template = ScriptTemplate(
        setup="",
        forward=f"outputs, others = backend.forward(function, {mode!r})(primals, constants)",
        gradient=f"outputs, others, gradients = backend.value_and_vjp(function, {mode!r})(primals, constants, cotangents)",
    )
    return [*setup, "", "", *body, "", "", *asked, ""], template
