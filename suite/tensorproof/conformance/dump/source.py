"""A plugin's function as plain framework code: its own source with all that it uses, without what belongs to this project.

What a script shows is so what ran. A second table of expressions, written for scripts only, would be one more thing to be wrong.
"""

import ast
import importlib
import inspect
import symtable
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any

from tensorproof.backend import OperationTable, Unsupported
from tensorproof.conformance.dump.folding import NotPlain, folded

OURS = ("tensorproof", "tensorproof_reference")


def _top(name: str) -> str:
    return name.partition(".")[0]


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, those in its branches too."""
    for statement in body:
        yield statement
        for part in ("body", "orelse", "finalbody"):
            if isinstance(statement, ast.If | ast.Try | ast.With):
                yield from _statements(getattr(statement, part, []))


class _Stripped(ast.NodeTransformer):
    """Takes out docstrings, annotations, and the checks of arguments that the run has passed."""

    def __init__(self, passed: Callable[[ast.Raise], bool], is_table: Callable[[ast.expr], bool]) -> None:
        self.passed = passed
        self.is_table = is_table

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.returns = None
        node.body = _without_docstring(node.body)
        node.decorator_list = [item for item in node.decorator_list if not self.is_table(item)]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        # The fields of a data class are annotations: any will do.
        fields = [item for item in node.body if isinstance(item, ast.AnnAssign)]
        for item in fields:
            item.annotation = ast.Name("object", ast.Load())
        node.body = [item if item in fields else self.visit(item) for item in _without_docstring(node.body)]
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        self.generic_visit(node)
        return None if node.value is None else ast.Assign([node.target], node.value, lineno=node.lineno)

    def visit_Try(self, node: ast.Try) -> ast.AST:
        return node

    def visit_If(self, node: ast.If) -> Any:
        self.generic_visit(node)
        first = node.body[0] if node.body else None
        return node.orelse if isinstance(first, ast.Raise) and self.passed(first) else node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, ast.FunctionDef | ast.For | ast.While | ast.With | ast.If | ast.Try | ast.ExceptHandler):
            node.body = node.body or [ast.Pass()]
        return node


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    """A body without the texts that stand alone in it."""
    return [item for item in body if not (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant))] or [ast.Pass()]


def _globals(text: str) -> set[str]:
    """The global names that a piece of code uses."""

    def of(table: symtable.SymbolTable) -> Iterator[str]:
        at_top = table.get_type() == "module"
        for symbol in table.get_symbols():
            if symbol.is_global() or (at_top and symbol.is_referenced() and not symbol.is_assigned()):
                yield symbol.get_name()
        for child in table.get_children():
            yield from of(child)

    return set(of(symtable.symtable(text, "<script>", "exec")))


class _Renamed(ast.NodeTransformer):
    """Global names by those that they have in the script; ``module.name`` of an own module by the name alone."""

    def __init__(self, modules: Mapping[str, str], names: Mapping[str, str], require: Callable[[str, str], str]) -> None:
        self.modules = modules
        self.names = names
        self.require = require

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in self.modules:
            raise NotPlain(f"the code takes the module {self.modules[node.id]} as a value")
        return ast.Name(self.names.get(node.id, node.id), node.ctx)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id in self.modules:
            return ast.Name(self.require(self.modules[node.value.id], node.attr), node.ctx)
        self.generic_visit(node)
        return node


class Source:
    """Imports and definitions that together make some functions of a plugin."""

    def __init__(self, own: Collection[str], passed: bool, reserved: Collection[str] = ()) -> None:
        """``own`` are the packages whose code is written out, ``passed`` says whether the run passed all checks of its arguments,
        and ``reserved`` are names that mean something else in the script."""
        self.own = {*OURS, *own}
        self.passed = passed
        self._imports: dict[str, str] = {}
        self._definitions: dict[str, str] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._taken: dict[str, tuple[str, str]] = dict.fromkeys(reserved, ("", ""))
        self._trees: dict[str, list[ast.stmt]] = {}
        self._empty: set[str] = set()

    def needed(self, text: str) -> tuple[list[str], list[str]]:
        """The imports and the definitions that a text needs, in order; those of code that was left out are left out too."""
        names, kept = _globals(text), []
        for name, definition in reversed(self._definitions.items()):
            if name in names:
                names |= _globals(definition)
                kept.append(definition)
        return [line for name, line in self._imports.items() if name in names], kept[::-1]

    def function(self, function: Any, known: Mapping[str, Any], given: Collection[str]) -> ast.FunctionDef:
        """The definition of a function under what is known of its arguments.

        Raises:
            NotPlain: the function cannot be written down by itself.
        """
        if not isinstance(function, FunctionType) or "<locals>" in function.__qualname__ or function.__closure__:
            raise NotPlain("the plugin makes its function while it runs")
        module = function.__module__
        if not self._is_own(module):
            raise NotPlain(f"the plugin's function is {module}.{function.__qualname__}")
        node = self._binding(module, function.__name__)
        if not isinstance(node, ast.FunctionDef) or node.lineno > function.__code__.co_firstlineno + len(node.decorator_list):
            raise NotPlain(f"the source of {function.__name__} is not found")
        resolved: ast.FunctionDef = self._resolved(folded(self._strip(node, module), known, given), module)
        return resolved

    def _is_own(self, module: str) -> bool:
        return _top(module) in self.own

    def _body(self, module: str) -> list[ast.stmt]:
        if module not in self._trees:
            try:
                text = inspect.getsource(sys.modules.get(module) or importlib.import_module(module))
            except (OSError, TypeError, ImportError) as error:
                raise NotPlain(f"the source of {module} is not found") from error
            self._trees[module] = ast.parse(text).body
        return self._trees[module]

    def _binding(self, module: str, name: str) -> ast.stmt:
        """The last statement of a module that gives a name its value."""
        found = None
        for statement in _statements(self._body(module)):
            if isinstance(statement, ast.FunctionDef | ast.ClassDef):
                names = {statement.name}
            elif isinstance(statement, ast.Assign | ast.AnnAssign):
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                names = {item.id for target in targets for item in ast.walk(target) if isinstance(item, ast.Name)}
            elif isinstance(statement, ast.Import | ast.ImportFrom):
                names = {alias.asname or _top(alias.name) for alias in statement.names}
            else:
                continue
            found = statement if name in names else found
        if found is None:
            raise NotPlain(f"{name} has no place in the source of {module}")
        return found

    def require(self, module: str, name: str) -> str:
        """Write out what a module calls by a name, and give the name that it has in the script."""
        value = getattr(sys.modules.get(module) or importlib.import_module(module), name, None)
        if isinstance(value, ModuleType) and not self._is_own(value.__name__):
            return self._imported(f"import {value.__name__}" + ("" if value.__name__ == name else f" as {name}"), name)
        statement = self._binding(module, name)
        if isinstance(statement, ast.Import | ast.ImportFrom):
            alias = next(item for item in statement.names if name == (item.asname or _top(item.name)))
            if isinstance(statement, ast.ImportFrom) and statement.module:
                if self._is_own(statement.module):
                    return self.require(statement.module, alias.name)
                return self._imported(f"from {statement.module} import {ast.unparse(alias)}", name)
            return self._imported(f"import {ast.unparse(alias)}", name)
        if (module, name) not in self._names:
            self._names[module, name] = self.unique(module, name)
            stripped = self._strip(statement, module)
            resolved = self._resolved(stripped, module)
            if isinstance(resolved, ast.FunctionDef | ast.ClassDef):
                resolved.name = self._names[module, name]
            self._define(resolved, self._names[module, name])
        return self._names[module, name]

    def _define(self, node: ast.stmt, name: str) -> None:
        if isinstance(node, ast.FunctionDef) and all(isinstance(item, ast.Pass | ast.Assign) for item in node.body):
            self._empty.add(name)
        else:
            self._definitions[name] = ast.unparse(ast.fix_missing_locations(node))

    def unique(self, module: str, name: str) -> str:
        """A name for something of a module that nothing else has."""
        chosen = name
        while self._taken.setdefault(chosen, (module, name)) != (module, name):
            chosen = f"{module.rpartition('.')[2]}_{chosen}"
        return chosen

    def _imported(self, line: str, name: str) -> str:
        if self._taken.setdefault(name, ("import", line)) != ("import", line):
            raise NotPlain(f"two things are called {name}")
        self._imports[name] = line
        return name

    def _strip(self, node: ast.stmt, module: str) -> Any:
        here = sys.modules[module]

        def is_table(decorator: ast.expr) -> bool:
            first = next((item for item in ast.walk(decorator) if isinstance(item, ast.Name)), None)
            return first is not None and isinstance(getattr(here, first.id, None), OperationTable)

        def passed(statement: ast.Raise) -> bool:
            called = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
            kind = getattr(here, called.id, None) if isinstance(called, ast.Name) else None
            return kind is Unsupported or (self.passed and called is not None)

        copy = ast.parse(ast.unparse(node)).body[0]
        return _Stripped(passed, is_table).visit(copy)

    def _resolved(self, node: Any, module: str) -> Any:
        """A statement with the names of the script, and without calls that do nothing; what it uses is defined before it."""
        here = sys.modules[module]
        modules, names = {}, {}
        used = _globals(ast.unparse(ast.fix_missing_locations(node)))
        own_name = node.name if isinstance(node, ast.FunctionDef | ast.ClassDef) else ""
        for name in sorted(used):
            value = getattr(here, name, None)
            if isinstance(value, ModuleType) and self._is_own(value.__name__):
                modules[name] = value.__name__
            elif value is Unsupported:
                names[name] = "NotImplementedError"
            elif hasattr(here, name) and name != own_name:
                names[name] = self.require(module, name)
        return _Effective(self._empty).visit(_Renamed(modules, names, self.require).visit(node))


class _Effective(ast.NodeTransformer):
    """Leaves out calls of functions of which nothing is left."""

    def __init__(self, empty: Collection[str]) -> None:
        self.empty = empty

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        called = node.value.func if isinstance(node.value, ast.Call) else None
        return None if isinstance(called, ast.Name) and called.id in self.empty else node

    def visit_If(self, node: ast.If) -> ast.AST | None:
        self.generic_visit(node)
        return None if isinstance(node.body[0], ast.Pass) and not node.orelse else node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, ast.FunctionDef | ast.For | ast.While | ast.With | ast.If | ast.Try | ast.ExceptHandler):
            node.body = node.body or [ast.Pass()]
        return node
