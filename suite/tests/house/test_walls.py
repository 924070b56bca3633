"""The walls of the house: which room may import which, no circle, no arrow up, no crowd."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BUILDINGS = {"tensorproof_reference": "reference", "tensorproof": "suite", "tensorproof_reports": "reports"}
PAGES = ("operations", "losses", "optimizers", "data", "initializers", "models")
"""Folders of the reference that hold one page for each operation, loss, …"""
CROWD = 14

FLOORS = [
    # the reference
    [
        "reference",
        "reference.errorbars",
        "reference.activations",
        "reference.primitives",
        "reference.reductions",
        "reference.arrays",
        "reference.normalizations",
        "reference.attention",
        "reference.images",
        "reference.blocks",
        "reference.metrics",
        "reference.mixed",
        "reference.sequences",
        "reference.windows",
        *(f"reference.{folder}" for folder in PAGES if folder != "models"),
    ],
    ["reference.networks", "reference.models"],
    ["reference.catalogue", "reference.frozen", "reference.manual"],
    # the suite
    [
        "suite.errors",
        "suite.instructions",
        "suite.processes",
        "suite.worker_process",
        "suite.operation_table",
        "suite.lines",
    ],
    ["suite.contract", "suite.backend"],
    ["suite.conformance"],
    ["suite.runs", "suite.serving"],
    ["suite.programs", "suite.machines"],
    ["suite.timing"],
    ["suite.nightly", "suite.authoring", "suite.statements"],
    ["reports"],
    [
        "suite.benchmarks",
        "suite.cli",
        "suite.terminal",
        "suite.workers",
        "suite.outcomes",
        "suite.invocation",
        "suite.pytest_plugin",
        "suite.__main__",
    ],
]
"""From the ground up: a room imports rooms of its own floor and of those below."""


def modules() -> dict[str, Path]:
    """The files of the three packages by module name."""
    found = {}
    for package, folder in BUILDINGS.items():
        for path in (ROOT / folder / package).rglob("*.py"):
            found[".".join(path.relative_to(ROOT / folder).with_suffix("").parts).removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imported(source: str) -> Iterator[str]:
    """The modules of ours that a source text imports, anywhere in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


GRAPH = {name: {item for item in imported(path.read_text(encoding="utf-8")) if item in MODULES} for name, path in MODULES.items()}


def room_of(module: str) -> str:
    """The room of a module, as ``FLOORS`` names it."""
    building, *words = module.split(".")
    name = {"tensorproof_reference": "reference", "tensorproof": "suite", "tensorproof_reports": "reports"}[building]
    known = {room for floor in FLOORS for room in floor}
    for room in (f"{name}.{words[0]}" if words else name, name):
        if room in known:
            return room
    return f"{name}.errors"  # the package's own ``__init__``, which imports nothing


def floor_of(module: str) -> int:
    """How high up a module is."""
    return next(index for index, floor in enumerate(FLOORS) if room_of(module) in floor)


def upward(module: str, others: set[str]) -> list[str]:
    """The imports of a module that run up."""
    return [other for other in others if floor_of(other) > floor_of(module)]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_import_runs_up(module):
    assert not upward(module, GRAPH[module])


def test_an_import_that_runs_up_is_noticed():
    source = "def late():\n    from tensorproof.runs import summary\n"
    assert upward("tensorproof.conformance.checks", set(imported(source))) == ["tensorproof.runs.summary"]


def test_every_module_of_the_suite_has_a_room():
    suite = [name for name in MODULES if name.startswith("tensorproof.")]
    assert [name for name in suite if room_of(name) == "suite.errors"] == ["tensorproof.errors"]


def circles(graph: dict[str, set[str]]) -> list[str]:
    """The modules from which a way of imports leads back to themselves."""
    found = []
    for start in graph:
        seen: set[str] = set()
        ahead = list(graph[start] - {start})
        while ahead:
            name = ahead.pop()
            if name not in seen:
                seen.add(name)
                ahead += graph[name]
        if start in seen:
            found.append(start)
    return found


def test_there_is_no_circle():
    assert not circles(GRAPH)


def test_a_circle_is_noticed():
    assert circles({"a": {"b"}, "b": {"a"}, "c": {"a"}}) == ["a", "b"]


def test_no_folder_is_crowded():
    count = Counter(path.parent for path in MODULES.values() if path.name != "__init__.py")
    assert {folder.name: number for folder, number in count.items() if number > CROWD and folder.name not in PAGES} == {}


def test_plugins_import_of_the_suite_only_the_contract():
    for path in (ROOT / "plugins").glob("*/tensorproof_*/**/*.py"):
        rooms = {
            room_of(item)
            for item in imported(path.read_text(encoding="utf-8"))
            if item.split(".")[0] in BUILDINGS and item in MODULES
        }
        above = {room for room in rooms if not room.startswith("reference")} - {
            "suite.backend",
            "suite.instructions",
            "suite.contract",
            "suite.errors",
        }
        assert not above, path.name
