"""A failing program as a script of plain framework code, without this project, that anyone can run."""

import ast
import inspect
import re
import textwrap
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from tensorproof.backend import ScriptTemplate, numpy_dtype
from tensorproof.conformance.dump.folding import NotPlain
from tensorproof.conformance.dump.judging import Judged, judging_lines
from tensorproof.conformance.dump.script import RESERVED, defined
from tensorproof.conformance.dump.source import Source
from tensorproof.contract.models import implementation_of
from tensorproof.contract.strides import CONTIGUOUS, text_of
from tensorproof.errors import printable
from tensorproof.programs.calls import placed
from tensorproof.programs.evaluation import constants_of, keywords_of, name_of, primals_of, written_numbers
from tensorproof.programs.function import operand_expression
from tensorproof.programs.judging import MEMORY, Subject, Verdict
from tensorproof.programs.program import Program


class _Filled(ast.NodeTransformer):
    """An expression with the arguments in place of the parameters' names."""

    def __init__(self, arguments: Mapping[str, str]) -> None:
        self.arguments = arguments

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id not in self.arguments:
            return node
        return ast.parse(self.arguments[node.id], mode="eval").body


def _inlined(definition: str, call: str) -> str | None:
    """The call of a function that only returns an expression, as that expression; ``None`` for any other function.

    >>> _inlined("def f(x, *, axis):\\n    return g(x, axis)", "f(x=v1, axis=2)")
    'g(v1, 2)'
    """
    function, called = ast.parse(definition).body[0], ast.parse(call, mode="eval").body
    if not isinstance(function, ast.FunctionDef) or not isinstance(called, ast.Call) or len(function.body) != 1:
        return None
    only = function.body[0]
    if not isinstance(only, ast.Return) or only.value is None:
        return None
    arguments = {item.arg: ast.unparse(item.value) for item in called.keywords if item.arg}
    bound = {item.id for item in ast.walk(only.value) if isinstance(item, ast.Name) and not isinstance(item.ctx, ast.Load)}
    lambdas = any(isinstance(item, ast.Lambda) for item in ast.walk(only.value))
    return None if bound or lambdas else ast.unparse(_Filled(arguments).visit(only.value))


def _body(subject: Subject, program: Program, source: Source) -> tuple[list[str], list[str]]:
    """The definitions that the program needs, and a line for each of its nodes.

    Raises:
        NotPlain: a function of the plugin cannot be written down by itself.
    """
    definitions: list[str] = []
    lines = []
    for number, node in enumerate(program.nodes, start=len(program.inputs)):
        implementation = implementation_of(subject.backend, node.operation)
        assert implementation is not None, node.operation
        operands = {name: operand_expression(operand) for name, operand in node.operands}
        parameters = {name: f"_{name}" for name in operands}
        keywords = keywords_of(node, subject.conventions)
        known = {**_defaults(subject, node.operation), **keywords}
        found, expression = defined(
            source, implementation.function, {**_absent(known), **parameters}, _given(known), f"f{number}"
        )
        inlined = _inlined(found[0], expression) if found else expression
        if inlined is None:
            definitions += found
            inlined = expression
        filled = ast.parse(inlined, mode="eval").body
        by_parameter = {parameters[name]: operands[name] for name in operands}
        lines.append(f"    {name_of(number)} = {ast.unparse(_Filled(by_parameter).visit(filled))}")
        lines += [] if node.over is None else [f"    {_written(subject, name_of(node.over), name_of(number))}"]
    return definitions, lines


def _written(subject: Subject, target: str, value: str) -> str:
    """The write of one value over another in the framework's own words, which the plugin's method is one statement of.

    Raises:
        NotPlain: it is more.
    """
    (method,) = ast.parse(textwrap.dedent(inspect.getsource(type(subject.backend).write))).body
    assert isinstance(method, ast.FunctionDef)
    statements = method.body[1:]
    if len(statements) != 1 or any(isinstance(item, ast.Name) and item.id == "self" for item in ast.walk(statements[0])):
        raise NotPlain("the plugin's method write is no single statement")
    return ast.unparse(_Filled({"target": target, "value": value}).visit(statements[0]))


def _defaults(subject: Subject, operation: str) -> dict[str, Any]:
    """The arrays of an operation that may be left out, with what they are then."""
    parameters = inspect.signature(subject.specification[operation].function).parameters.values()
    return {
        item.name: item.default for item in parameters if item.default is not item.empty and item.kind is not item.KEYWORD_ONLY
    }


def _absent(known: Mapping[str, Any]) -> dict[str, str]:
    return {name: "None" for name, value in known.items() if value is None}


def _given(known: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in known.items() if value is not None}


def _array_text(array: NDArray[Any]) -> str:
    """A NumPy array as an expression; of equal numbers a short one."""
    kind = f", {array.dtype.name!r}"
    alike = array.size > 1 and (array == array.flat[0]).all()
    text = f"np.full({array.shape}, {array.flat[0].item()!r}{kind})" if alike else f"np.array({array.tolist()!r}{kind})"
    return re.sub(r"\b(inf|nan)\b", r"np.\1", text)


def _tuple(items: list[str]) -> str:
    return "(" + "".join(f"{item}, " for item in items).rstrip() + ")"


def script_of(subject: Subject, program: Program, mode: str, verdict: Verdict) -> str:
    """The script: the program, its inputs, and the judgement of what comes out.

    Raises:
        NotPlain: the backend gives no template, or a function of its plugin cannot be written down by itself.
    """
    gradient = any("gradient" in item["label"] or item["label"].startswith("d_") for item in _failed(verdict))
    template = subject.backend.script(program.nodes[0].operation, mode, subject.device)
    if template is None:
        raise NotPlain(f"{subject.backend.name} gives no template")
    if verdict.reason == MEMORY:
        raise NotPlain("no script shows what shares memory")
    if gradient and (not template.gradient or template.vjp is not None):
        raise NotPlain(f"{subject.backend.name} differentiates no composition")
    package = type(subject.backend).__module__.partition(".")[0]
    source = Source((package,), True, RESERVED)
    definitions, lines = _body(subject, program, source)
    primals = [name_of(number) for number in primals_of(program)]
    constants = [name_of(number) for number in constants_of(program)]
    function = ["def function(primals, constants):"]
    function += [f"    {_tuple(names)} = {group}" for names, group in ((primals, "primals"), (constants, "constants")) if names]
    function += [f"    {line}" for line in written_numbers(program)]
    function += [*lines, f"    return {_tuple([name_of(number) for number in program.outputs])}, ()"]
    imports, used = source.needed("\n".join([*definitions, *function]))
    known = {"import numpy as np", *template.setup.splitlines()}
    return "\n".join(
        [
            *(f"# {printable(line)}" for line in _about(subject, mode, verdict)),
            "import sys",
            "",
            "import numpy as np",
            *(line for line in imports if line not in known),
            template.setup.strip(),
            "",
            "",
            *(f"{block}\n\n" for block in (*used, *definitions)),
            *function,
            "",
            "",
            *_ending(subject, program, mode, verdict, template, gradient),
            "",
        ]
    )


def _failed(verdict: Verdict) -> list[Mapping[str, Any]]:
    return [item for item in verdict.judgements if item["outcome"] == "failed"]


def _about(subject: Subject, mode: str, verdict: Verdict) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in subject.backend.versions().items())
    return [verdict.message, f"{versions}, {mode} on {subject.device}. Exit code: 1 as long as it is wrong, 0 when it is right."]


def _ending(
    subject: Subject, program: Program, mode: str, verdict: Verdict, template: ScriptTemplate, gradient: bool
) -> list[str]:
    """Arrays, the call, and what is judged."""
    expected = subject.expected(program, mode)

    def made(number: int) -> str:
        item = program.inputs[number]
        lying = "" if item.memory == CONTIGUOUS else f", {item.memory}"
        text = text_of(placed(item.array, item.dtype, item.memory), _array_text)
        return f"    array({text}, {item.dtype!r}),  # {name_of(number)}{lying}"

    groups = {"primals": [made(number) for number in primals_of(program)]}
    groups["constants"] = [made(number) for number in constants_of(program)]
    if gradient:
        groups["cotangents"] = [
            f"    array({_array_text(dy.astype(numpy_dtype(expected.dtypes[name])))}, {expected.dtypes[name]!r}),"
            for name, dy in zip(expected.outputs, expected.cotangents, strict=True)
        ]
    lines = []
    for name, items in groups.items():
        lines += [f"{name} = (", *items, ")"] if items else [f"{name} = ()"]
    wrong = {item["label"].split()[0]: item for item in _failed(verdict)}
    places = {name: f"outputs[{place}]" for place, name in enumerate(expected.outputs)}
    places |= {f"d_{name}": f"gradients[{place}]" for place, name in enumerate(expected.gradients)} if gradient else {}
    everything = {**expected.outputs, **{f"d_{name}": item for name, item in expected.gradients.items()}, **expected.arguments}
    given = {"primals": primals_of(program), "constants": constants_of(program)}
    places |= {
        name: f"{group}[{place}]"
        for group, numbers in given.items()
        for place, name in enumerate(map(name_of, numbers))
        if name in wrong
    }
    judged = [name for name in places if not wrong or name in wrong]
    case = [f"    {f'expected {name}'!r}: {_array_text(everything[name][0])}," for name in judged]
    case += [f"    {f'bar {name}'!r}: {_array_text(everything[name][1])}," for name in judged]
    dtypes = {f"{word}{name}": dtype for word in ("", "d_") for name, dtype in expected.dtypes.items()}
    named = verdict.reason.endswith("dtype")
    listed = [Judged(name, places[name], *everything[name], None, dtypes[name], dtypes[name] if named else "") for name in judged]
    text = [*lines, "", *(template.gradient if gradient else template.forward).strip().splitlines(), ""]
    text += ["# float64, and the distance that rounding explains", "case = {", *case, "}"]
    return [*text, *_short(judging_lines(listed, False))]


def _short(lines: list[str]) -> list[str]:
    """Without the comparison with an earlier output, which a script that is passed on has not."""
    return [line.replace("; as recorded: {recorded}", "") for line in lines if not line.strip().startswith("recorded =")]
