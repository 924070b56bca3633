"""Errors for people: what a usage error is, and how an exception is told without a folder of this machine."""

import re
import traceback
from pathlib import Path

_PATH = re.compile(r"""(?<![\w.:/])(?:[A-Za-z]:)?[\\/](?:[^\s'"\\/:<>|]+[\\/])+""")


class UsageError(Exception):
    """What was asked for cannot be done; the message says what to type instead (exit code 4)."""


def scrubbed(text: str) -> str:
    """``text`` with folders taken out of absolute paths.

    >>> scrubbed("cannot open '/home/me/project/file.so': denied")
    "cannot open 'file.so': denied"
    """
    return _PATH.sub("", text)


def frames(error: BaseException, limit: int = 12) -> str:
    """The last frames of a traceback, each as ``package/file.py:line in function``, without folders of this machine."""
    lines = []
    for frame in traceback.extract_tb(error.__traceback__)[-limit:]:
        path = Path(frame.filename)
        lines.append(f"  {path.parent.name}/{path.name}:{frame.lineno} in {frame.name}")
    return scrubbed("\n".join([*lines, f"{type(error).__name__}: {error}"]))
