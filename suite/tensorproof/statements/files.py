"""Reading and writing statements. What is read was written by others: it is held to the schema, field by field."""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs

from tensorproof.errors import UsageError
from tensorproof.lines.schema import load, problem_of

SCHEMA = "statement.schema.json"
LARGEST = 4_000_000
"""More bytes than any statement has."""


@functools.cache
def _validator() -> Any:
    return jsonschema_rs.Draft202012Validator(load("tensorproof.statements", SCHEMA))


def read_statement(path: Path) -> dict[str, Any]:
    """A statement as the schema has it.

    Raises:
        UsageError: it cannot be read, or breaks the schema; the message names the field.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"statement {path.name}: larger than any statement is")
        statement = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"statement {path.name}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise UsageError(f"statement {path.name}: is no JSON") from None
    problem = problem_of(_validator(), statement)
    if problem:
        raise UsageError(f"statement {path.name}: {problem}")
    return dict(statement)


def write_new(text: str, path: Path, option: str) -> None:
    """Write a file that is not there yet.

    Raises:
        UsageError: it is there, or cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{option}: {path.name} exists already; name another file") from None
    except OSError as error:
        raise UsageError(f"{option}: {path.name} cannot be written: {error.strerror}") from None


def text_of(statement: Mapping[str, Any]) -> str:
    """The file of a statement: a field a line, and an operation a line."""
    rows = [
        f"  {json.dumps(name)}: " + (_lines(value) if name in ("operations", "causes") else json.dumps(value, ensure_ascii=False))
        for name, value in statement.items()
    ]
    return "{\n" + ",\n".join(rows) + "\n}\n"


def _lines(value: Any) -> str:
    if not value:
        return json.dumps(value)
    if isinstance(value, dict):
        return "{\n" + ",\n".join(f"    {json.dumps(key)}: {json.dumps(item)}" for key, item in value.items()) + "\n  }"
    return "[\n" + ",\n".join(f"    {json.dumps(item, ensure_ascii=False)}" for item in value) + "\n  ]"
