"""Progress of a conformance run: one line with the time left in a terminal, a line for each tenth of the run elsewhere.

A failure is named when it happens, without control characters, and cut to the width of a terminal. A log holds all of it: it
has no width, and whoever reads it cannot ask again.
"""

import time
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
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


class Durations:
    """How long checks took, by kinds of checks that take about as long: a mode compiles, a model has many operations."""

    def __init__(self) -> None:
        self._sums: dict[Hashable, float] = {}
        self._counts: Counter[Hashable] = Counter()

    def add(self, kind: Hashable, seconds: float) -> None:
        """Count a check of this kind."""
        self._sums[kind] = self._sums.get(kind, 0.0) + seconds
        self._counts[kind] += 1

    def left(self, to_do: Mapping[Hashable, int], wall: float) -> tuple[float, bool]:
        """How many seconds checks to do will take if the ones done took ``wall``, and whether each of their kinds was seen.

        >>> durations = Durations()
        >>> durations.add("eager", 1.0)
        >>> durations.left({"eager": 6}, 0.5), durations.left({"eager": 6, "jit": 1}, 0.5)
        ((3.0, True), (3.0, False))
        """
        seconds = sum(count * self._sums[kind] / self._counts[kind] for kind, count in to_do.items() if kind in self._counts)
        ran = sum(self._sums.values())
        return (wall * seconds / ran if ran else 0.0), all(kind in self._counts for kind, count in to_do.items() if count)


def progress_text(done: int, planned: int, failed: int, left: tuple[float, bool]) -> str:
    """How far a run is, and how many seconds it will take if it goes on like this; more, where kinds of checks are to come.

    >>> progress_text(50, 200, 1, (30.0, True)), progress_text(50, 200, 1, (30.0, False))
    ('50 of 200 checks (25 %), 1 failed, 0:30 left', '50 of 200 checks (25 %), 1 failed, more than 0:30 left')
    """
    seconds, whole = left
    words = f", {'' if whole else 'more than '}{duration_text(seconds)} left" if done < planned else ""
    return f"{done:,} of {planned:,} checks ({100 * done // max(1, planned)} %), {failed} failed{words}"


def failure_text(check: Mapping[str, Any]) -> str:
    """A failure in a line: what kind, which check, and its message."""
    kind = check["status"].replace("_", " ").upper()
    name = " ".join(str(check[key]) for key in ("operation", "sample", "dtype", "mode", "check") if check[key] != "none")
    message = str(check["message"]).removeprefix(" ".join(str(check[key]) for key in ("operation", "sample", "dtype"))).strip()
    return printable(f"{kind} {name}: {message}")


class Progress:
    """What is shown while checks run."""

    def __init__(
        self,
        write: Callable[[str], None],
        to_do: Mapping[Hashable, int],
        kind: Callable[[str, str], Hashable],
        width: int,
        live: bool,
    ) -> None:
        self._write = write
        self._to_do = Counter(to_do)
        self._planned = self._to_do.total()
        self._kind = kind
        self._durations = Durations()
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
        kind = self._kind(check["mode"], check["operation"])
        self._to_do[kind] -= 1
        self._durations.add(kind, check["duration_ns"] / 1e9)
        if check["status"] in BAD:
            self.failed += 1
            self.clear()
            self._write(failure_text(check)[: self._width if self._live else None] + "\n")
        if check["status"] in ENDED:
            return
        now = time.monotonic()
        tenth = 10 * self.done // max(1, self._planned)
        due = now - self._shown >= SECONDS_BETWEEN or not self._length if self._live else tenth > self._tenth
        if not due:
            return
        text = progress_text(self.done, self._planned, self.failed, self._durations.left(self._to_do, now - self._began))
        if self._live:
            self._shown = now
            text = text[: self._width]
            self._write("\r" + text.ljust(self._length))
            self._length = len(text)
        else:
            self._tenth = tenth
            self._write(text + "\n")

    def clear(self) -> None:
        """Wipe the line, so that other text can follow."""
        if self._length:
            self._write("\r" + " " * self._length + "\r")
            self._length = 0
