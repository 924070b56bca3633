"""Reading lines: UTF-8, cut at ``\\n`` only, within limits, each checked against the schema. Nothing in a line is run.

Whatever is wrong is a ``UsageError`` that names the file and the line. Only the last line may be torn, as a kill leaves it.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from tensorproof.errors import UsageError, printable
from tensorproof.lines.privacy import encodable
from tensorproof.lines.schema import Schema

LONGEST_LINE = 16 << 20
LONGEST_FILE = 1 << 30
"""Bytes that a line and a file may have: a whole run of the largest backend takes 32 MB."""
LONGEST_CLOSING = 64 << 10
"""Bytes at the end of a file in which its closing line is looked for."""
TORN = "the last line is torn: the run was killed while writing it"
_HUGE = re.compile(rb"[eE]\+?\d{3}")
DIGEST = "sha256"
"""The field of a closing line that holds the SHA-256 of the bytes of all lines before it."""


@dataclass
class Lines:
    """The lines of a file."""

    values: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What was odd: a torn last line."""
    whole: int = 0
    """Bytes up to the end of the last whole line."""


def name_of(path: Path) -> str:
    """The name of a file, fit for a message."""
    return printable(encodable(path.name or str(path)))


def read_lines(path: Path, schema: Schema) -> Lines:
    """The lines of a file.

    Raises:
        UsageError: it cannot be read, is too long, was written in a newer format, or a line does not fit the schema.
    """
    found = Lines()
    digest = hashlib.sha256()
    for number, raw in _raw_lines(path, schema):
        line = _parsed(raw)
        if not raw.endswith(b"\n") and number > 1:
            found.notes.append(TORN)
            break
        _check(path, schema, number, line)
        assert line is not None
        if found.values and schema.last and found.values[-1]["kind"] == schema.last:
            raise UsageError(f"{schema.what} {name_of(path)}: line {number} stands after the closing line")
        if line.get(DIGEST) not in (None, digest.hexdigest()):
            raise UsageError(
                f"{schema.what} {name_of(path)}: line {number}: it was changed after the run wrote it (its {DIGEST} differs); "
                "take the one that the run left, or run again"
            )
        found.values.append(line)
        digest.update(raw)
        found.whole += len(raw) if raw.endswith(b"\n") else 0
    if not found.values:
        raise UsageError(f"{schema.what} {name_of(path)}: the file is empty")
    return found


def first_line(path: Path, schema: Schema) -> dict[str, Any]:
    """The first line of a file.

    Raises:
        UsageError: as ``read_lines``.
    """
    number, raw = next(_raw_lines(path, schema), (1, b""))
    line = _parsed(raw)
    _check(path, schema, number, line)
    assert line is not None
    return line


def last_line(path: Path, schema: Schema) -> dict[str, Any] | None:
    """The closing line of a file, without reading the others; ``None`` if there is none or it does not fit the schema.

    Only ``read_lines`` says whether the lines before it are those that were written.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LONGEST_CLOSING))
            raw = file.read(LONGEST_CLOSING)
    except OSError:
        return None
    line = _parsed(raw[raw.rfind(b"\n", 0, len(raw) - 1) + 1 :]) if raw.endswith(b"\n") else None
    return line if line is not None and line.get("kind") == schema.last and not schema.problem(line) else None


def has_digest(path: Path, schema: Schema) -> bool:
    """Whether a file ends with the digest of its lines: all of them were checked when they were written."""
    try:
        if path.stat().st_size > LONGEST_FILE:
            return False
        data = path.read_bytes()
    except OSError:
        return False
    start = data.rfind(b"\n", 0, len(data) - 1) + 1
    line = _parsed(data[start:])
    return (
        line is not None
        and data.endswith(b"\n")
        and line.get("kind") == schema.last
        and line.get(DIGEST) == hashlib.sha256(data[:start]).hexdigest()
    )


def is_torn_header(path: Path, schema: Schema) -> bool:
    """Whether a file holds nothing, or only the torn beginning of a first line: nothing is lost if it begins anew."""
    head = f'{{"kind":"{schema.first}"'.encode()
    try:
        with path.open("rb") as file:
            raw = _line(file)
    except OSError:
        return False
    return not raw.endswith(b"\n") and (raw.startswith(head) or head.startswith(raw)) and _parsed(raw) is None


def _raw_lines(path: Path, schema: Schema) -> Iterator[tuple[int, bytes]]:
    size = 0
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(iter(lambda: _line(file), b""), start=1):
                size += len(raw)
                if len(raw) > LONGEST_LINE or size > LONGEST_FILE:
                    raise UsageError(f"{schema.what} {name_of(path)}: line {number}: too long for any of ours")
                yield number, raw
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = error.strerror if isinstance(error, OSError) else "no name of a file"
        raise UsageError(f"{schema.what} {name_of(path)}: cannot be read: {reason}") from None


def _line(file: BinaryIO) -> bytes:
    return file.readline(LONGEST_LINE + 1)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is too large")
    return value


def parsed_json(raw: bytes) -> Any:
    """One value of JSON, strictly: numbers are finite.

    Raises:
        ValueError: it is none.
    """
    try:
        text = raw.decode()
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite if _HUGE.search(raw) else None)
        return _encodable(value) if "\\ud" in text or "\\uD" in text else value
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {encodable(key): _encodable(item) for key, item in value.items()}
    return [_encodable(item) for item in value] if isinstance(value, list) else value


def _parsed(raw: bytes) -> dict[str, Any] | None:
    try:
        line = parsed_json(raw)
    except ValueError:  # also text that is not UTF-8
        return None
    return line if isinstance(line, dict) else None


def _check(path: Path, schema: Schema, number: int, line: dict[str, Any] | None) -> None:
    start = f"{schema.what} {name_of(path)}"
    if line is None:
        raise UsageError(f"{start}: line {number} is no line of a {schema.what}")
    newest = line.get("format")
    is_first = bool(schema.first) and number == 1
    if is_first and line.get("kind") == schema.first and type(newest) is int and newest > schema.format:
        known = schema.format
        raise UsageError(f"{start}: written in format {newest}, this tensorproof reads up to {known}; upgrade tensorproof")
    if is_first and line.get("kind") != schema.first:
        raise UsageError(f"{start}: the first line is no header of a {schema.what}")
    if schema.first and number > 1 and line.get("kind") == schema.first:
        raise UsageError(f"{start}: line {number} is a second header")
    problem = schema.problem(line)
    if problem:
        raise UsageError(f"{start}: line {number}: {problem}")
