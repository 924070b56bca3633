"""Reading lines: UTF-8, cut at ``\\n`` only, within limits, each checked against the schema. Nothing in a line is run.

Whatever is wrong is a ``UsageError`` that names the file and the line. Only the last line may be torn, as a kill leaves it.
"""

import errno
import hashlib
import json
import os
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from tensorproof.errors import UsageError, printable
from tensorproof.lines.privacy import encodable
from tensorproof.lines.schema import Schema

LONGEST_LINE = 16 << 20
LONGEST_FILE = 1 << 30
"""Bytes that a line and a file may have: a whole run of the largest backend takes 32 MB."""
TORN = "the last line is torn: the run was killed while writing it"
_HUGE = re.compile(rb"[eE]\+?\d{3}|\d{300}")
DIGEST = "sha256"
"""The field of a closing line that holds the SHA-256 of the file as it would be without this field; it stands last."""


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


def opened(path: Path) -> BinaryIO:
    """A file, opened to be read. A pipe would keep a command waiting, and a device may never end.

    Raises:
        OSError: it cannot be opened, or is neither a file nor a folder.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a file")
    return path.open("rb")


def read_lines(path: Path, schema: Schema) -> Lines:
    """The lines of a file.

    Raises:
        UsageError: it cannot be read, is too long, was written in another format, or a line does not fit the schema.
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
        if DIGEST in line and not _is_digest_of(digest, raw):
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


def require_each_once(what: str, lines: Iterable[Mapping[str, Any]], key: Callable[[Mapping[str, Any]], Hashable | None]) -> None:
    """Refuse a file in which two lines have one key. ``None`` is the key of lines that may be alike.

    Raises:
        UsageError: there are two such lines.
    """
    seen: dict[Hashable, int] = {}
    for number, line in enumerate(lines, start=1):
        name = key(line)
        before = number if name is None else seen.setdefault(name, number)
        if before != number:
            raise UsageError(f"{what}: line {number} is the same {line['kind']} as line {before}")


def require_counts(what: str, things: str, end: Mapping[str, Any] | None, counts: Mapping[str, int]) -> None:
    """Refuse a file whose closing line, if it has one, counts something else than is there.

    Raises:
        UsageError: it does.
    """
    if end is not None and end["counts"] != counts:
        raise UsageError(f"{what}: its closing line counts other {things} than it has; take what the run left")


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


def _is_digest_of(before: "hashlib._Hash", raw: bytes) -> bool:
    """Whether the digest in a closing line is that of the lines before it and of the line itself."""
    end = raw[-LENGTH_OF_DIGEST:]
    whole = before.copy()
    whole.update(raw[:-LENGTH_OF_DIGEST] + b"}\n")
    return end == digest_text(whole)


def digest_text(digest: "hashlib._Hash") -> bytes:
    """The end of a closing line with its digest."""
    return f',"{DIGEST}":"{digest.hexdigest()}"}}\n'.encode()


LENGTH_OF_DIGEST = len(digest_text(hashlib.sha256()))


def closing_line(path: Path, schema: Schema) -> dict[str, Any] | None:
    """The closing line of a file that is as it was written, of which nothing else is parsed; ``None`` if it is not, or has none.

    Its digest tells: all lines were checked when they were written.
    """
    digest = hashlib.sha256()
    raw = b""
    try:
        with opened(path) as file:
            if os.fstat(file.fileno()).st_size > LONGEST_FILE:
                return None
            while following := _line(file):
                digest.update(raw)
                raw = following
    except (OSError, ValueError):  # ValueError: a null character in the name
        return None
    line = _parsed(raw)
    closes = line is not None and line.get("kind") == schema.last and not schema.problem(line)
    return line if closes and _is_digest_of(digest, raw) else None


def is_torn_header(path: Path, schema: Schema) -> bool:
    """Whether a file holds nothing, or only the torn beginning of a first line: nothing is lost if it begins anew."""
    head = f'{{"kind":"{schema.first}"'.encode()
    try:
        with opened(path) as file:
            raw = _line(file)
    except OSError:
        return False
    return not raw.endswith(b"\n") and (raw.startswith(head) or head.startswith(raw)) and _parsed(raw) is None


def _raw_lines(path: Path, schema: Schema) -> Iterator[tuple[int, bytes]]:
    size = 0
    try:
        with opened(path) as file:
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
        raise ValueError(f"{text[:20]} is too large")
    return value


def _finite_integer(text: str) -> int:
    _finite(text)
    return int(text)


def parsed_json(raw: bytes) -> Any:
    """One value of JSON, strictly: numbers are finite.

    Raises:
        ValueError: it is none.
    """
    try:
        text = raw.decode()
        floats, integers = (_finite, _finite_integer) if _HUGE.search(raw) else (None, None)
        value = json.loads(text, parse_constant=_no_constant, parse_float=floats, parse_int=integers)
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


def require_format(what: str, found: object, known: int) -> None:
    """Refuse another format than this tensorproof reads; ``what`` begins the message. What is no number is the schema's business.

    Raises:
        UsageError: it is another; the message says what to do.
    """
    if type(found) is int and found != known:
        advice = "upgrade tensorproof" if found > known else "run again"
        raise UsageError(f"{what}: written in format {found}, this tensorproof reads {known}; {advice}")


def _check(path: Path, schema: Schema, number: int, line: dict[str, Any] | None) -> None:
    start = f"{schema.what} {name_of(path)}"
    if line is None:
        raise UsageError(f"{start}: line {number} is no line of a {schema.what}")
    is_first = bool(schema.first) and number == 1
    if is_first and line.get("kind") == schema.first:
        require_format(start, line.get("format"), schema.format)
    if is_first and line.get("kind") != schema.first:
        raise UsageError(f"{start}: the first line is no header of a {schema.what}")
    if schema.first and number > 1 and line.get("kind") == schema.first:
        raise UsageError(f"{start}: line {number} is a second header")
    problem = schema.problem(line)
    if problem:
        raise UsageError(f"{start}: line {number}: {problem}")
