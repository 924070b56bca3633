"""The cache of expectations: for each specification one SQLite file, and beside it a folder of large entries, in the user's
cache folder or where one says."""

import contextlib
import hashlib
import os
import shutil
import sqlite3
import time
from pathlib import Path

from platformdirs import user_cache_path

LIMIT_BYTES = 8 * 2**30
SHARE_OF_DISK = 0.1
"""No more is added to a file that is so large, or to one that would take more than this share of what is free on the disk."""
FILE_BYTES = 2**18
"""Entries from this size on are files of their own: SQLite reads them page by page, which takes three times as long."""
LARGEST_ENTRY_BYTES = 96 * 2**20
"""The largest is a training step of a model of two million weights, with slots and bars."""
UNUSED_DAYS = 14
"""After so many days without use, the file of another specification is deleted."""
WAIT_SECONDS = 10.0
MEASURED_BYTES = 2**26
"""The size is measured again after so much more: listing large entries for each that is added would cost more than adding it."""
_DIGEST_BYTES = 32


def default_folder() -> Path:
    """The folder for caches of this user."""
    return user_cache_path("tensorproof")


class Store:
    """Bytes by key, each with its digest. A file that is damaged or cannot be written costs time, and nothing else."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.path = folder / f"reference_{fingerprint[:16]}.sqlite"
        self._large = self.path.with_suffix("")
        """The folder of large entries: a digest and the bytes in each file."""
        self.problem = ""
        """Why nothing is kept, if that is so."""
        self._connection: sqlite3.Connection | None = None
        self._measured: int | None = None
        self._added = 0
        """Bytes that this process has added since."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._large.mkdir(exist_ok=True)
            self._open()
        except (OSError, sqlite3.Error) as error:
            self._give_up(error)

    def _open(self) -> None:
        connection = sqlite3.connect(self.path, timeout=WAIT_SECONDS, isolation_level=None)
        # A power cut may damage the file, which digests notice; waiting for the disk would cost more than computing.
        connection.execute("PRAGMA page_size=65536")  # entries of many megabytes are written in half the time
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("CREATE TABLE IF NOT EXISTS parts (key TEXT PRIMARY KEY, digest BLOB, data BLOB) WITHOUT ROWID")
        self._connection = connection
        with contextlib.suppress(OSError):
            self.path.touch()  # when it was last used

    def _give_up(self, error: Exception) -> None:
        self.problem = getattr(error, "strerror", None) or str(error)
        self.close()
        if type(error) is sqlite3.DatabaseError:  # it is damaged, and not merely locked or full: the next run begins it anew
            with contextlib.suppress(OSError):
                self.path.unlink()

    def get(self, key: str) -> bytes | memoryview | None:
        """The bytes of a key; ``None`` if there are none, or others than were kept."""
        if self._connection is None:
            return None
        try:
            row = self._connection.execute("SELECT digest, data FROM parts WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error as error:
            self._give_up(error)
            return None
        if row is not None:
            return _believed(*row) if isinstance(row[1], bytes) else None
        with contextlib.suppress(OSError):
            content = memoryview(self._file_of(key).read_bytes())
            return _believed(content[:_DIGEST_BYTES], content[_DIGEST_BYTES:])
        return None

    def _file_of(self, key: str) -> Path:
        return self._large / hashlib.sha256(key.encode()).hexdigest()[:40]

    def put(self, key: str, data: bytes) -> None:
        """Keep bytes, unless they are too many, or the file has reached its limit."""
        if self._connection is None or len(data) > LARGEST_ENTRY_BYTES:
            return
        try:
            size = self._estimate()
            if size + len(data) <= min(LIMIT_BYTES, SHARE_OF_DISK * (size + shutil.disk_usage(self.path.parent).free)):
                row = (key, hashlib.sha256(data).digest(), data)
                if len(data) < FILE_BYTES:
                    self._connection.execute("INSERT OR REPLACE INTO parts VALUES (?, ?, ?)", row)
                else:
                    _write_whole(self._file_of(key), row[1] + data)
                self._added += len(data)
        except (OSError, sqlite3.Error) as error:
            self._give_up(error)

    def _estimate(self) -> int:
        if self._measured is None or self._added > MEASURED_BYTES:
            self._measured, self._added = self.size(), 0
        return self._measured + self._added

    def size(self) -> int:
        """Bytes of the file, of what SQLite has still beside it, and of large entries."""
        total = 0
        for file in (self.path, self.path.with_name(f"{self.path.name}-wal"), *self._large.glob("*")):
            with contextlib.suppress(FileNotFoundError):  # another process may have renamed it
                total += file.stat().st_size
        return total

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None


def _believed(digest: bytes | memoryview, data: bytes | memoryview) -> bytes | memoryview | None:
    return data if hashlib.sha256(data).digest() == digest else None


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file that nobody sees in part."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def delete_unused(folder: Path, kept: Path) -> list[str]:
    """Delete files of specifications that nobody has used for a while; their names."""
    deleted = []
    for path in folder.glob("reference_*.sqlite"):
        with contextlib.suppress(OSError):
            if path != kept and time.time() - path.stat().st_mtime > UNUSED_DAYS * 86_400:
                for file in (path, *folder.glob(f"{path.name}-*")):
                    file.unlink()
                shutil.rmtree(path.with_suffix(""), ignore_errors=True)
                deleted.append(path.name)
    return deleted
