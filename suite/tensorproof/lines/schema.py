"""Schemas: which fields a line has, of which types and forms. What a schema does not allow is neither written nor read."""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import jsonschema_rs

from tensorproof.errors import printable

SHOWN = 160
"""Characters of what is wrong that a message shows."""


@dataclass(frozen=True)
class Schema:
    """The schema of a kind of file; its definitions with a constant ``kind`` are its kinds of lines."""

    package: str
    file: str
    what: str
    """What such a file is called: ``record``."""
    first: str = ""
    """The kind of the first line, if it must be a certain one; it has the ``format``."""
    format: int = 1
    """The newest format that is read."""
    last: str = ""
    """The kind of the closing line, which a killed run lacks."""

    def problem(self, line: Any) -> str:
        """What keeps a line from fitting, in words; empty if it fits."""
        if not isinstance(line, Mapping):
            return "it is no object"
        kind = line.get("kind")
        validators = _validators(self.package, self.file)
        if not isinstance(kind, str) or kind not in validators:
            return f"no kind of line is called {_short(kind)}; there are: {', '.join(validators)}"
        return problem_of(validators[kind], line)


def _short(value: object) -> str:
    text = printable(repr(value))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def problem_of(validator: "jsonschema_rs.Draft202012Validator", value: Any) -> str:
    """What keeps a value from fitting, in words; empty if it fits."""
    try:
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        where = ".".join(map(str, error.instance_path))
        words = printable(error.message)
        words = words if len(words) <= SHOWN else f"{words[:SHOWN]}…"
        return f"{printable(where)}: {words}" if where else words
    except (ValueError, RecursionError) as error:  # what JSON cannot hold, or is nested too deep
        return printable(f"{_field_beyond_json(value)}{error}")[:SHOWN]
    return ""


def _field_beyond_json(value: Any) -> str:
    """The first field that JSON cannot hold, as the beginning of a message."""
    for name, item in value.items() if isinstance(value, Mapping) else ():
        try:
            json.dumps(item, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            return f"{name}: "
    return ""


def load(package: str, file: str) -> dict[str, Any]:
    """A schema as it is kept beside the code."""
    loaded: dict[str, Any] = json.loads((files(package) / file).read_text(encoding="utf-8"))
    return loaded


def validator_of(package: str, file: str, name: str) -> "jsonschema_rs.Validator":
    """The validator of one definition of a schema."""
    whole = load(package, file)
    shared = {"$schema": whole["$schema"], "$defs": whole["$defs"]}
    return jsonschema_rs.validator_for({**whole["$defs"][name], **shared})


@functools.cache
def _validators(package: str, file: str) -> dict[str, Any]:
    whole = load(package, file)
    definitions = whole["$defs"]
    shared = {"$schema": whole["$schema"], "$defs": definitions}
    kinds = {name: item for name, item in definitions.items() if "const" in item.get("properties", {}).get("kind", {})}
    return {
        item["properties"]["kind"]["const"]: jsonschema_rs.validator_for({**item, **shared}, validate_formats=True)
        for item in kinds.values()
    }
