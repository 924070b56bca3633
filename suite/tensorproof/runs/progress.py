"""Progress of a conformance run: one line with the time left in a terminal, a line for each tenth of the run elsewhere.

A failure is named when it happens, without control characters, and cut to the width of a terminal. A log holds all of it: it
has no width, and whoever reads it cannot ask again.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from tensorproof.errors import printable
from tensorproof.runs.causes.symptoms import BAD

SECONDS_BETWEEN = 0.2
"""How often the line is written anew at most."""
ENDED = ("crashed", "timed_out", "out_of_memory")
"""After these xdist says that it starts another worker; the line waits for the next check."""


def duration_text(seconds: float) -> str:
    """Minutes and seconds, or hours and minutes.

    >>> duration_text(75), duration_text(7300)
    ('1:15', '2:01 h')
    """
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d} h"


def progress_text(done: int, planned: int, failed: int, seconds: float) -> str:
    """How far a run is, and how long it will take if it goes on like this.

    >>> progress_text(50, 200, 1, 10.0)
    '50 of 200 checks (25 %), 1 failed, 0:30 left'
    """
    left = f", {duration_text(seconds / done * (planned - done))} left" if 0 < done < planned else ""
    return f"{done:,} of {planned:,} checks ({100 * done // max(1, planned)} %), {failed} failed{left}"


def failure_text(check: Mapping[str, Any]) -> str:
    """A failure in a line: what kind, which check, and its message."""
    kind = check["status"].replace("_", " ").upper()
    name = " ".join(str(check[key]) for key in ("operation", "sample", "dtype", "mode", "check") if check[key] != "none")
    message = str(check["message"]).removeprefix(" ".join(str(check[key]) for key in ("operation", "sample", "dtype"))).strip()
    return printable(f"{kind} {name}: {message}")


class Progress:
    """What is shown while checks run."""

    def __init__(self, write: Callable[[str], None], planned: int, width: int, live: bool) -> None:
        self._write = write
        self._planned = planned
        self._width = width - 1
        self._live = live
        self._began = time.monotonic()
        self._shown = 0.0
        self._length = 0
        self._tenth = 0
        self.done = 0
        self.failed = 0

    def add(self, check: Mapping[str, Any]) -> None:
        """Count a check, name it if it failed, and show how far the run is."""
        self.done += 1
        if check["status"] in BAD:
            self.failed += 1
            self.clear()
            self._write(failure_text(check)[: self._width if self._live else None] + "\n")
        if check["status"] in ENDED:
            return
        now = time.monotonic()
        text = progress_text(self.done, self._planned, self.failed, now - self._began)
        tenth = 10 * self.done // max(1, self._planned)
        if self._live and (not self._length or now - self._shown >= SECONDS_BETWEEN):
            self._shown = now
            text = text[: self._width]
            self._write("\r" + text.ljust(self._length))
            self._length = len(text)
        elif not self._live and tenth > self._tenth:
            self._tenth = tenth
            self._write(text + "\n")

    def clear(self) -> None:
        """Wipe the line, so that other text can follow."""
        if self._length:
            self._write("\r" + " " * self._length + "\r")
            self._length = 0
