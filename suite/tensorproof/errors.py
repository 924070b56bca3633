"""Errors for people: what a usage error is, and how an exception is told without a folder of this machine."""

import traceback
from collections.abc import Sequence
from pathlib import Path

from tensorproof.lines.privacy import encodable, scrubbed

CONFORMANCE = Path(__file__).with_name("conformance")
LONGEST_MESSAGE = 10_000
"""Characters of an exception's message that are told: a compiler's may hold its whole program."""


class UsageError(Exception):
    """What was asked for cannot be done; the message says what to type instead (exit code 4)."""


def printable(text: str) -> str:
    """``text`` on one line, with a question mark for each control character: what others supply must not steer a terminal.

    >>> printable("wrong \\x1b[31m value")
    'wrong ?[31m value'
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else " " if letter.isspace() else "?" for letter in text)


def sentence(error: BaseException) -> str:
    """An exception on one line, as its type and its message: whatever it is, also one that cannot say what it is.

    >>> sentence(ValueError("x is negative")), sentence(SystemExit(0))
    ('ValueError: x is negative', 'SystemExit: 0')
    """
    try:
        text = str(error)
    except BaseException as second:
        text = f"(its message raises {type(second).__name__})"
    told = text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]}… ({len(text):,} characters)"
    return printable(f"{type(error).__name__}: {told}").strip()


def shown(text: str) -> str:
    """``text`` as a terminal may get it: line by line as ``printable``. All that a command prints goes through this.

    >>> shown("one\\x1b[2J\\ntwo")
    'one?[2J\\ntwo'
    """
    return "\n".join(map(printable, encodable(text).split("\n")))


def first_few(names: Sequence[str], most: int) -> str:
    """Names in a row; of many the first, and how many more there are.

    >>> first_few(["gru", "lstm", "relu"], 2)
    'gru, lstm and 1 more'
    """
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def frames(error: BaseException, limit: int = 12) -> str:
    """The last frames of a traceback, each as ``package/file.py:line in function``, without folders of this machine.

    The suite's own frames on the way to a plugin are left out.
    """
    lines = []
    found = list(traceback.extract_tb(error.__traceback__))
    theirs = [frame for frame in found if not Path(frame.filename).is_relative_to(CONFORMANCE)]
    for frame in (theirs or found)[-limit:]:
        path = Path(frame.filename)
        lines.append(f"  {path.parent.name}/{path.name}:{frame.lineno} in {frame.name}")
    return scrubbed("\n".join([*lines, sentence(error)]))
