"""Reading and writing statements. What is read was written by others: it is held to the schema, field by field."""

import functools
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs

from tensorproof.errors import UsageError
from tensorproof.lines import outputs
from tensorproof.lines.reading import name_of, opened, parsed_json, require_format
from tensorproof.lines.schema import load, problem_of
from tensorproof.statements.statement import FORMAT

SCHEMA = "statement.schema.json"
LARGEST = 4_000_000
"""More bytes than any statement has."""


@functools.cache
def _validator() -> Any:
    return jsonschema_rs.Draft202012Validator(load("tensorproof.statements", SCHEMA))


def read_statement(path: Path) -> dict[str, Any]:
    """A statement as the schema has it.

    Raises:
        UsageError: it cannot be read, is of another format, or breaks the schema; the message names the field.
    """
    name = name_of(path)
    try:
        with opened(path) as file:
            raw = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = error.strerror if isinstance(error, OSError) else "no name of a file"
        raise UsageError(f"statement {name}: cannot be read: {reason}") from None
    if len(raw) > LARGEST:
        raise UsageError(f"statement {name}: larger than any statement is")
    try:
        statement = parsed_json(raw)
    except ValueError:  # also text that is not UTF-8
        raise UsageError(f"statement {name}: is no JSON") from None
    if isinstance(statement, dict):
        require_format(f"statement {name}", statement.get("format"), FORMAT)
    problem = problem_of(_validator(), statement)
    if problem:
        raise UsageError(f"statement {name}: {problem}")
    return dict(statement)


def require_new(places: Mapping[str, Path]) -> None:
    """Refuse places, by option, before anything is written to one of them.

    Raises:
        UsageError: one is there already, cannot be written, or is given twice.
    """
    for option, path in places.items():
        if os.path.lexists(path):
            raise UsageError(f"{option}: {name_of(path)} exists already; name another file")
        outputs.require_place(option, path, [other for name, other in places.items() if name != option])


def write_new(text: str, path: Path, option: str) -> None:
    """Write a file that is not there yet.

    Raises:
        UsageError: it is there, or cannot be written.
    """
    try:
        outputs.write_new(path, text)
    except FileExistsError:
        raise UsageError(f"{option}: {name_of(path)} exists already; name another file") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = error.strerror if isinstance(error, OSError) else "no name of a file"
        raise UsageError(f"{option}: {name_of(path)} cannot be written: {reason}") from None


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
