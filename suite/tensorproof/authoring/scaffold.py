"""The command ``tensorproof new``: a plugin that installs and passes at once, with a stub for each operation to write."""

import argparse
import inspect
import keyword
import re
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from tensorproof.contract.backends import installed
from tensorproof.errors import UsageError
from tensorproof_reference.manual.page import signature
from tensorproof_reference.operation import Operation
from tensorproof_reference.registry import basic_operations

HEADINGS = {
    "operations": "Operations",
    "losses": "Losses",
    "optimizers": "Optimizers, schedules and clipping",
    "data": "Data preparation and accuracy",
    "initializers": "Initialisers and random operations",
}
"""The folders of the specification, and what is in them."""
MODULES = {**{folder: folder for folder in HEADINGS}, "operations": "functions"}
"""The module of a new plugin for each folder; its table is called ``operations`` already."""
EXAMPLE = "relu"
"""The operation that a new plugin has; its function is in the template."""


@dataclass(frozen=True)
class Stub:
    """What a new plugin says of an operation that it has not yet."""

    name: str
    signature: str
    text: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("name", metavar="NAME", help="the backend's name: lower-case letters, digits and underscores")
    parser.add_argument("--dir", type=Path, default=None, metavar="DIR", help="the folder to make (default: tensorproof-NAME)")


def stub_of(operation: Operation) -> Stub:
    """The signature of an operation, and what its docstring says before shapes and special values."""
    text = re.split(r"\n+(?=(?:Shapes|Special values|Raises|Source): )", inspect.getdoc(operation.function) or "")[0]
    indented = "\n".join(f"    {line}".rstrip() for line in text.strip().splitlines())
    return Stub(operation.name, signature(operation), indented.strip())


def stubs_of(folder: str) -> list[Stub]:
    """A stub for each operation of a folder of the specification but the one that a new plugin has."""
    return [
        stub_of(operation)
        for operation in basic_operations().values()
        if operation.function.__module__.split(".")[1] == folder and operation.name != EXAMPLE
    ]


def files_of(name: str) -> dict[str, str]:
    """The files of a new plugin, by path in its folder.

    Raises:
        UsageError: the name is none that a module and an entry point can have, or a backend has it.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UsageError(f"{name!r} cannot name a backend: lower-case letters, digits and underscores, such as my_npu")
    if name in installed():
        raise UsageError(f"a backend {name!r} is installed already; choose another name")
    package = f"tensorproof_{name}"
    words = {
        "name": name,
        "package": package,
        "distribution": package.replace("_", "-"),
        "class_name": "".join(part.capitalize() for part in name.split("_") if part) + "Backend",
        "modules": sorted(MODULES.values()),
    }
    # Source text, no page: nothing is escaped. All that is filled in is a checked name or the specification's own.
    environment = Environment(
        loader=PackageLoader("tensorproof.authoring", "scaffold"), undefined=StrictUndefined, keep_trailing_newline=True
    )

    def filled(template: str, **others: object) -> str:
        return environment.get_template(f"{template}.jinja").render(words, **others)

    modules = {
        f"{package}/{MODULES[folder]}.py": filled(
            "functions.py", heading=heading, stubs=stubs_of(folder), example=folder == "operations"
        )
        for folder, heading in HEADINGS.items()
    }
    return {
        "pyproject.toml": filled("pyproject.toml"),
        "README.md": filled("README.md"),
        ".github/workflows/conformance.yml": filled("conformance.yml"),
        f"{package}/__init__.py": f'"""{name} as a backend of tensorproof."""\n',
        f"{package}/adapter.py": filled("adapter.py"),
        f"{package}/table.py": filled("table.py"),
        f"{package}/declarations.toml": filled("declarations.toml"),
        **modules,
        f"tests/test_{package}.py": filled("test_plugin.py"),
    }


def run(options: argparse.Namespace) -> int:
    """Write the files, and say what to type next.

    Raises:
        UsageError: the folder is there and not empty, or cannot be written.
    """
    files = files_of(options.name)
    folder: Path = options.dir or Path(f"tensorproof-{options.name.replace('_', '-')}")
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"--dir: {folder} is there already; name a folder that is not, or is empty")
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--dir: {folder} cannot be written: {error.strerror}") from None
    stubs = sum(len(stubs_of(name)) for name in HEADINGS)
    print(f"{folder}: a backend with {EXAMPLE}, and {stubs} operations to write")
    print(f"next: pip install -e {folder} && tensorproof check {options.name} --next")
    return 0
