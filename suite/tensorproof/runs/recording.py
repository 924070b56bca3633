"""The record of a run as it is opened: where it goes, and what is kept of an earlier run. Checks and timings do this alike."""

import datetime
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tensorproof.errors import UsageError
from tensorproof.lines.reading import is_torn_header
from tensorproof.lines.schema import Schema
from tensorproof.lines.writing import LineFile, UnfitLine, fitting

Kept = Callable[[Path, Mapping[str, Any]], list[dict[str, Any]]]
"""Gives the header of an earlier run and those of its lines that are kept, from its file and the header of this run."""


def now() -> str:
    """The time as a record says it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def default_path(name: str) -> Path:
    """Where a record goes unless told otherwise."""
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S_%fZ")
    return Path(".tensorproof") / f"{name}_{stamp}.ndjson"


def open_record(
    path: Path, schema: Schema, header: Mapping[str, Any], kept: Kept | None
) -> tuple[LineFile, list[dict[str, Any]]]:
    """A record to append to, and the lines that it goes on with, header first; none if it begins anew with ``header``.

    Raises:
        UsageError: it exists (and ``kept`` is ``None``), cannot be written, another process writes to it, or the backend
            describes itself by what no record holds.
    """
    try:
        fitted = fitting(header, schema)
    except UnfitLine as error:
        raise UsageError(f"what the backend says of itself fits in no record: {error}") from None
    lines: list[dict[str, Any]] = []

    def keep() -> list[dict[str, Any]]:
        if kept is not None and not is_torn_header(path, schema):
            found = kept(path, fitted)
            lines.extend(found if len(found) > 1 else [])
        return lines

    _keep_unversioned(path)
    file = LineFile("--record", path, schema, keep if kept is not None and path.exists() else None)
    if not lines:
        file.append(header)
    return file, lines


def _keep_unversioned(path: Path) -> None:
    """Keep records in the default folder out of version control.

    Raises:
        UsageError: the folder cannot be written.
    """
    if path.parent.name != ".tensorproof":
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not (path.parent / ".gitignore").exists():
            (path.parent / ".gitignore").write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--record: {path.name} cannot be written: {error.strerror}") from None
