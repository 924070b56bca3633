"""Writing lines: the one place where a line becomes text, is made private, and is checked against its schema.

Text is escaped: no character of it ends a line or is unknown to UTF-8. A line is handed to the system at once, so that a kill
loses at most the line in flight.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tensorproof.errors import UsageError
from tensorproof.lines.outputs import held, write_beside, write_new
from tensorproof.lines.privacy import cleaned
from tensorproof.lines.reading import DIGEST, digest_text, name_of
from tensorproof.lines.schema import Schema
from tensorproof.processes import undisturbed


class UnfitLine(ValueError):
    """A line that its schema does not allow; it was not written."""


def fitting(line: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """The line as it is written: private, and of plain JSON.

    Raises:
        UnfitLine: the schema does not allow it.
    """
    private: dict[str, Any] = cleaned(line)
    problem = schema.problem(private)
    if problem:
        raise UnfitLine(f"a line of a {schema.what}: {problem}")
    return private


def text_of(line: Mapping[str, Any], schema: Schema) -> str:
    """A line's text.

    Raises:
        UnfitLine: the schema does not allow it, or it holds what JSON cannot.
    """
    return _plain(fitting(line, schema), schema)


def _plain(line: Mapping[str, Any], schema: Schema) -> str:
    try:
        return json.dumps(line, allow_nan=False, separators=(",", ":")) + "\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise UnfitLine(f"a line of a {schema.what}: {error}") from None


def _closed(line: Mapping[str, Any], schema: Schema, before: "hashlib._Hash") -> str:
    """The text of a line after others; a closing line gets the digest of all.

    Raises:
        UnfitLine: the schema does not allow it, or it holds what JSON cannot.
    """
    if not schema.last or line.get("kind") != schema.last:
        return text_of(line, schema)
    bare = {name: value for name, value in line.items() if name != DIGEST}
    private = fitting({**bare, DIGEST: before.hexdigest()}, schema)
    text = _plain({name: private[name] for name in bare}, schema)
    digest = before.copy()
    digest.update(text.encode())
    return text.removesuffix("}\n") + digest_text(digest).decode()


def whole_text(lines: Iterable[Mapping[str, Any]], schema: Schema) -> str:
    """The text of a whole file; a closing line gets the digest of the lines before it.

    Raises:
        UnfitLine: the schema does not allow a line.
    """
    parts = []
    digest = hashlib.sha256()
    for line in lines:
        text = _closed(line, schema, digest)
        digest.update(text.encode())
        parts.append(text)
    return "".join(parts)


def write_lines(option: str, path: Path, lines: Iterable[Mapping[str, Any]], schema: Schema) -> None:
    """Write a whole file where nothing is yet.

    Raises:
        UsageError: the file exists or cannot be written.
    """
    text = whole_text(lines, schema)
    try:
        write_new(path, text)
    except FileExistsError:
        raise UsageError(f"{option}: {name_of(path)} exists already; a {schema.what} is never overwritten") from None
    except OSError as error:
        raise UsageError(f"{option}: {name_of(path)} cannot be written: {error.strerror}") from None


class LineFile:
    """A file of lines that this process alone writes to, from its first line to its closing one."""

    def __init__(
        self, option: str, path: Path, schema: Schema, kept: Callable[[], Iterable[Mapping[str, Any]]] | None = None
    ) -> None:
        """Make the file, or go on with the lines that ``kept`` gives of it once nobody else can write to it.

        Raises:
            UsageError: it exists (and nothing is said to be kept), cannot be written, or another process writes to it.
        """
        self.path = path
        self.schema = schema
        self._stack = contextlib.ExitStack()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stack.enter_context(held(option, path))
            if kept is None:
                path.open("xb").close()
            else:
                write_beside(path, whole_text(kept(), schema))
            self._file = path.open("ab", buffering=0)
        except FileExistsError as error:
            self._stack.close()
            if error.filename != str(path):  # a part of the folder's name is a file
                raise UsageError(f"{option}: {name_of(path)} cannot be written: {error.strerror}") from None
            raise UsageError(
                f"{option}: {name_of(path)} exists already; records are never overwritten (--resume goes on with one)"
            ) from None
        except OSError as error:
            self._stack.close()
            raise UsageError(f"{option}: {name_of(path)} cannot be written: {error.strerror}") from None
        except BaseException:
            self._stack.close()
            raise

    def append(self, line: Mapping[str, Any]) -> None:
        """Append one line and hand it to the system.

        Raises:
            UnfitLine: the schema does not allow it; nothing was written.
            OSError: it could not be written; no part of it stays in the file.
        """
        closes = self.schema.last and line.get("kind") == self.schema.last
        data = _closed(line, self.schema, hashlib.sha256(self.path.read_bytes() if closes else b"")).encode()
        with undisturbed():
            before = os.fstat(self._file.fileno()).st_size
            try:
                while data:
                    data = data[self._file.write(data) :]
            except OSError:
                with contextlib.suppress(OSError):
                    self._file.truncate(before)
                raise

    def close(self) -> None:
        """Close the file and let others write to it."""
        self._file.close()
        self._stack.close()
