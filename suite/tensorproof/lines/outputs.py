"""Files that a command writes: whole or not at all, and never over something else.

A file is written beside its place and then put there, so that a full disk or a kill leaves what was there before.
"""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import filelock

from tensorproof.errors import UsageError
from tensorproof.lines.reading import name_of, opened

PAGE_MARK = b'<meta name="generator" content="tensorproof">'
"""What the head of every page holds, by which it is known as ours."""
_LINE_MARK = b'{"kind":"'
"""How every file of lines begins: records, and what is kept of nights."""
_OLD_PAGE = b"<title>tensorproof: "


def _head(path: Path) -> bytes:
    """The beginning of a file; nothing if it cannot be read."""
    try:
        with opened(path) as file:
            return file.read(4096)
    except OSError:
        return b""


def is_page(path: Path) -> bool:
    """Whether a file is a page that tensorproof wrote."""
    head = _head(path)
    return head.lstrip().lower().startswith(b"<!doctype html") and (PAGE_MARK in head or _OLD_PAGE in head)


def write_beside(path: Path, text: str) -> None:
    """Put a text at ``path``, whole or not at all.

    Raises:
        OSError: it cannot be written; what was there is as it was.
    """
    with _draft(path, text) as draft:
        os.replace(draft, path)


@contextlib.contextmanager
def _draft(path: Path, text: str) -> Iterator[str]:
    """A file beside ``path`` with a text; gone afterwards, unless it was put in its place."""
    handle, draft = tempfile.mkstemp(prefix=f".{path.name[:80]}.", suffix=".draft", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(draft, path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~mask)
        yield draft
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)


def write_new(path: Path, text: str) -> None:
    """Put a text at a path where nothing is, whole or not at all.

    Raises:
        FileExistsError: something is there.
        OSError: it cannot be written.
    """
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    with _draft(path, text) as draft:
        try:
            os.link(draft, path)  # fails if somebody was quicker
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            os.replace(draft, path)


def require_place(option: str, path: Path, others: Iterable[Path] = (), *, force: bool = False) -> None:
    """Refuse a place for a page before anything runs.

    ``others`` are the files that the command reads or writes besides.

    Raises:
        UsageError: it is one of those, is a record, holds something else than a page of ours (unless ``force``), or cannot be
            written.
    """
    shown = name_of(path)
    if any(_same(path, other) for other in others):
        raise UsageError(f"{option}: {shown} is also another file of this command; give the page a name of its own")
    try:
        if path.is_dir():
            raise UsageError(f"{option}: {shown} is a folder; give the name of a file")
        if path.is_symlink() and not path.exists():
            raise UsageError(f"{option}: {shown} is a link to what is not there; give another name")
        if os.path.lexists(path) and not path.is_file():
            return  # a terminal, a pipe or /dev/null
        if _head(path).startswith(_LINE_MARK):
            raise UsageError(f"{option}: {shown} is a record, and no record is overwritten; give another name")
        if path.exists() and not force and path.stat().st_size and not is_page(path):
            raise UsageError(f"{option}: {shown} is no page of tensorproof; give another name, or --force to replace it")
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".draft", dir=path.parent)
        os.close(handle)
        os.unlink(draft)
    except OSError as error:
        raise UsageError(f"{option}: {shown} cannot be written: {error.strerror}") from None
    except ValueError:
        raise UsageError(f"{option}: {shown} is no name of a file") from None


def _same(path: Path, other: Path) -> bool:
    try:
        return path.absolute() == other.absolute() or (path.exists() and other.exists() and path.samefile(other))
    except (OSError, ValueError):
        return False


def _write_through(path: Path, text: str) -> None:
    """Write to what is no file: a terminal, a pipe or a device. A pipe that nobody reads would keep the command waiting.

    Raises:
        OSError: it cannot be written, or nobody reads it.
    """
    descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
    os.set_blocking(descriptor, True)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)


def write_page_text(option: str, path: Path, text: str, *, force: bool = False) -> None:
    """Write a page where ``require_place`` allows it.

    Raises:
        UsageError: it does not, or the file cannot be written.
    """
    require_place(option, path, force=force)
    try:
        if os.path.lexists(path) and not path.is_file():
            _write_through(path, text)
        else:
            write_beside(path, text)
    except OSError as error:
        raise UsageError(f"{option}: {name_of(path)} cannot be written: {error.strerror}") from None


@contextlib.contextmanager
def held(option: str, path: Path) -> Iterator[None]:
    """Hold a file that is being written, for this process alone.

    Raises:
        UsageError: another process writes to it.
    """
    if not path.name:
        raise UsageError(f"{option}: {name_of(path)} is a folder; give the name of a file")
    lock = filelock.FileLock(path.with_name(f".{path.name}.lock"), blocking=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        if not Path(lock.lock_file).exists():
            raise UsageError(f"{option}: {name_of(path)} cannot be written: nothing can be made in its folder") from None
        raise UsageError(f"{option}: another process is writing to {name_of(path)}; wait for it, or give another name") from None
    except OSError as error:
        raise UsageError(f"{option}: {name_of(path)} cannot be written: {error.strerror}") from None
    try:
        yield
    finally:
        # Its holder removes it; whoever waits for it notices, and makes another.
        with contextlib.suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()
