"""Files that people write in TOML: declarations, accepted changes. Whatever is wrong with one is a sentence."""

import tomllib
from pathlib import Path
from typing import Any

from tensorproof.errors import UsageError, printable
from tensorproof.lines.reading import name_of, opened

LONGEST = 4 << 20
"""Bytes that such a file may have."""


def read_toml(path: Path, what: str) -> tuple[str, dict[str, Any]]:
    """The text of a file and its tables.

    Raises:
        UsageError: it cannot be read, or is no TOML; ``what`` begins the message.
    """
    try:
        with opened(path) as file:
            raw = file.read(LONGEST + 1)
        if len(raw) > LONGEST:
            raise UsageError(f"{what}{name_of(path)}: too long for any of ours")
        text = raw.decode().replace("\r\n", "\n")
        return text, tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"{what}{name_of(path)} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{what}{name_of(path)} is not text in UTF-8") from None
    except RecursionError:
        raise UsageError(f"{what}{name_of(path)}: it is nested too deep") from None
    except ValueError as error:  # no TOML, a number of thousands of digits, or a null character in the name
        raise UsageError(f"{what}{name_of(path)}: {printable(str(error))[:300]}") from None
