"""Every promise of ``docs/reliability.md`` names a test that exists, so that the page says nothing that is not tried."""

import ast
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "reliability.md"
LINK = re.compile(r'\]\((?P<path>[^)\s]+) "(?P<name>\w+)"\)')
"""A link to a file whose title is the test's name."""


def promises(text: str) -> list[str]:
    """The lines of a page below its first heading of a section: items of lists, and rows of tables without their heads."""
    _, _, body = text.partition("\n## ")
    lines = [line for line in body.splitlines()[1:] if line.strip() and not line.startswith("#")]
    heads = {index for index, line in enumerate(lines) if re.fullmatch(r"[|\s:-]+", line)}
    return [line for index, line in enumerate(lines) if index not in heads and index + 1 not in heads]


def named_by(promise: str) -> list[tuple[str, str]]:
    """The tests that a promise names: file and function."""
    return [(found["path"], found["name"]) for found in LINK.finditer(promise)]


def is_test(path: str, name: str) -> bool:
    """Whether a file beside the page holds a test of that name."""
    file = PAGE.parent / path
    if not file.is_file() or not name.startswith("test_"):
        return False
    names = {node.name for node in ast.parse(file.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)}
    return name in names


def broken(text: str) -> list[str]:
    """The promises that name no test, or one that does not exist."""
    return [line for line in promises(text) if not named_by(line) or not all(is_test(*item) for item in named_by(line))]


def test_every_promise_has_a_test_that_exists():
    assert len(promises(PAGE.read_text(encoding="utf-8"))) > 3
    assert broken(PAGE.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        "- All is well.",
        "All is well, in a paragraph.",
        '- All is well. [test](../suite/tests/house/test_promises.py "test_that_nobody_wrote")',
        '- All is well. [test](../suite/tests/house/absent.py "test_every_promise_has_a_test_that_exists")',
        '- All is well. [test](../suite/tests/house/test_promises.py "broken")',
        "| 0 | All is well. | |",
    ],
)
def test_a_promise_without_a_test_is_noticed(line):
    assert broken(f"# Page\n\nAnything.\n\n## Section\n\n{line}\n") == [line]


def test_a_promise_with_its_test_is_kept():
    line = '- All is well. [test](../suite/tests/house/test_promises.py "test_a_promise_with_its_test_is_kept")'
    row = '| 0 | [x](../suite/tests/house/test_promises.py "test_a_promise_with_its_test_is_kept") |'
    table = f"| code | means |\n|---|---|\n{row}"
    assert broken(f"# Page\n\n## One\n\n{line}\n\n## Two\n\n{table}\n") == []
