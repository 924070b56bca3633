"""Reading what a record says, with its types checked: records come from other people's machines.

Each function takes a line of a record and the name of a field. A wrong type is a ``TypeError`` that names the field; what is
absent, null or no finite number is ``None`` (or empty), which a page shows as missing and never as zero.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tensorproof.errors import UsageError

Line = Mapping[str, Any]

MALFORMED = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What reading a line of the wrong shape raises."""

LONGEST = 300
"""Characters of a text of a record that a page shows."""


@contextmanager
def part_of(record: str, part: str) -> Iterator[None]:
    """Name the record and the part of it in which a field is malformed.

    Raises:
        UsageError: in place of what the block raises.
    """
    try:
        yield
    except MALFORMED as error:
        raise UsageError(
            f"record {record or 'without a name'}: {part} is malformed: {error}; write the record anew, or leave it out"
        ) from error


def clipped(text: str, longest: int = LONGEST) -> str:
    """The first characters of ``text``, with an ellipsis if there are more; control characters, which a page or an image may not
    hold and which may turn the direction of writing, are replaced.

    >>> clipped("abcdef", 4), clipped("a\\0b")
    ('abc…', 'a\ufffdb')
    """
    short = text if len(text) <= longest else text[: longest - 1] + "…"
    if short.isprintable():
        return short
    return "".join(_shown(character) for character in short)


def _shown(character: str) -> str:
    if character == "\n" or character.isprintable():
        return character
    return " " if character.isspace() else "\ufffd"


def _wrong(name: str, wanted: str, value: object) -> TypeError:
    return TypeError(f"{name} must be {wanted}, not {type(value).__name__}")


def text(line: Line, name: str, longest: int = LONGEST) -> str:
    """A text, cut at ``longest`` characters; empty if absent."""
    value = line.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(name, "a text", value)
    return clipped(value, longest)


def name_of(line: Line, name: str) -> str:
    """A name that must be there."""
    if name not in line:
        raise TypeError(f"{name} is missing")
    return text(line, name, 80)


def number(line: Line, name: str) -> float | None:
    """A finite number; ``None`` if there is none."""
    value = line.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(name, "a number", value)
    try:
        converted = float(value)
    except OverflowError:
        return None
    return converted if math.isfinite(converted) else None


def positive(line: Line, name: str) -> float | None:
    """A finite number above zero; ``None`` if there is none."""
    value = number(line, name)
    return value if value is not None and value > 0 else None


def mapping(line: Line, name: str) -> Line:
    """A mapping; empty if absent."""
    value = line.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _wrong(name, "a mapping", value)
    return value


def mappings(line: Line, name: str) -> dict[str, Line]:
    """A mapping of mappings; empty if absent."""
    found = mapping(line, name)
    return {key: mapping(found, key) for key in found}


def sequence(line: Line, name: str) -> Sequence[Any]:
    """A list; empty if absent."""
    value = line.get(name)
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise _wrong(name, "a list", value)
    return value


def positives(line: Line, name: str) -> list[float | None]:
    """A list of numbers, ``None`` where one is not finite and above zero."""
    return [positive({name: value}, name) for value in sequence(line, name)]


def words(line: Line, name: str) -> dict[str, str]:
    """A mapping of names to texts, numbers or truth values, as texts."""
    found = mapping(line, name)
    for key, value in found.items():
        if not isinstance(value, str | int | float):
            raise _wrong(f"{name}.{key}", "a text or a number", value)
    return {clipped(str(key), 80): clipped(str(value), 120) for key, value in found.items()}
