"""A campaign: which programs are judged, the record of what comes of them, and how far it is."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tensorproof.errors import printable
from tensorproof.lines.writing import LineFile
from tensorproof.processes import undisturbed
from tensorproof.programs.building import Material
from tensorproof.programs.campaigns.batches import Found, Judged, Numbered, batches_of
from tensorproof.programs.campaigns.records import BAD, CampaignRecord
from tensorproof.programs.program import Program
from tensorproof.programs.sources.everything import SOURCES
from tensorproof.runs.progress import duration_text
from tensorproof_reference.operation import Operation

WIDTH = 79
"""Columns of the line of progress in a terminal."""


@dataclass
class Campaign:
    """What the controller knows of a campaign in progress."""

    hello: Mapping[str, Any]
    """What a worker says of itself: the operations that programs may have."""
    record: CampaignRecord
    file: LineFile
    specification: dict[str, Operation]
    mode: str
    write: Callable[[str], None]
    live: bool
    deadline: float | None
    planned: int | None

    def programs(self) -> Iterator[Numbered]:
        """Number, label and program of all that are not in the record yet."""
        done = {line["number"] for line in self.record.programs}
        for number, (label, program) in enumerate(self._all()):
            if self.planned is not None and number >= self.planned:
                return
            if number not in done:
                yield number, label, program

    def _all(self) -> Iterator[tuple[str, Program]]:
        header, hello = self.record.header, self.hello
        available, numbers = frozenset(hello["available"]), frozenset(hello["numbers"])
        material = Material(
            specification=self.specification,
            available=available,
            dtype=header["dtype"],
            seed=header["seed"],
            numbers=numbers,
            writes=hello["writes"],
            dtypes=hello["dtypes"],
            stored=hello["stored"],
            memories=header.get("memories", ()),
        )
        return SOURCES[header["source"]](material)

    def tell_declared(self, lines: Iterable[dict[str, Any]]) -> None:
        """Write down what became of the programs that are declared to fail.

        Raises:
            OSError: the record cannot be written.
        """
        for line in lines:
            with undisturbed():
                self.file.append(line)
                self.record.declared.append(line)

    def run(self, judged: Judged) -> None:
        """Judge programs until all are done or the time is up.

        Raises:
            OSError: the record cannot be written.
        """
        began = time.monotonic()
        before = len(self.record.programs)
        keys = {item["key"] for item in self.record.findings}
        for found in judged(self._in_time(batches_of(self.programs(), self.mode)), keys):
            self._write_down(found)
            keys.update([found.finding["key"]] if found.finding else [])
            if found.line is not None:
                self._show(len(self.record.programs) - before, time.monotonic() - began)

    def _in_time(self, batches: Iterator[list[Numbered]]) -> Iterator[list[Numbered]]:
        """The batches until the time is up."""
        for batch in batches:
            if self.deadline is not None and time.monotonic() >= self.deadline:
                return
            yield batch

    def _write_down(self, found: Found) -> None:
        """Append what came of a program; a finding that is known gets the program's number."""
        if found.finding is not None:
            self.file.append(self._with_finding(found.finding))
        if found.line is not None:
            with undisturbed():  # the closing line counts what the record has
                self.file.append(found.line)
                self.record.programs.append(found.line)

    def _with_finding(self, finding: dict[str, Any]) -> dict[str, Any]:
        """A finding as the record has it from now on."""
        known = next((item for item in self.record.findings if item["key"] == finding["key"]), None)
        if known is None:
            self.record.findings.append(finding)
            self._tell(finding)
            return finding
        # A campaign that was killed between two lines judges the program of the first again.
        known["programs"] = list(dict.fromkeys([*known["programs"], *finding["programs"]]))
        return known

    def _tell(self, finding: Mapping[str, Any]) -> None:
        self._clear()
        kind = finding["status"].replace("_", " ").upper()
        eager = f"; eager: {finding['eager'].replace('_', ' ')}" if finding["eager"] else ""
        lines = (
            f"{kind} program {finding['programs'][0]}: {finding['message']}",
            f"  {finding['text']}",
            f"  wrong: {finding['blamed']}{eager}",
        )
        self.write("".join(f"{printable(line)}\n" for line in lines))

    def _show(self, done: int, seconds: float) -> None:
        text = progress_text(done, self._left(done, seconds), len(self.record.programs), self.planned, self._bad())
        if self.live:
            self.write("\r" + text.ljust(WIDTH))
        elif done & (done - 1) == 0 or done % 100 == 0:
            self.write(f"{text}\n")

    def _left(self, done: int, seconds: float) -> float | None:
        """Seconds until all programs are done or the time is up, whichever is first."""
        left = [] if self.deadline is None else [self.deadline - time.monotonic()]
        if self.planned is not None:
            left.append(seconds / done * (self.planned - len(self.record.programs)))
        return max(0.0, min(left)) if left else None

    def _bad(self) -> int:
        return sum(line["status"] in BAD for line in self.record.programs)

    def _clear(self) -> None:
        if self.live:
            self.write("\r" + " " * WIDTH + "\r")


def progress_text(done: int, left: float | None, judged: int, planned: int | None, bad: int) -> str:
    """How far a campaign is.

    >>> progress_text(50, 90.0, 50, 200, 1)
    '50 of 200 programs, 1 failed, 1:30 left'
    """
    of = f" of {planned:,}" if planned is not None else ""
    return f"{judged:,}{of} programs, {bad} failed" + (f", {duration_text(left)} left" if left is not None and done else "")
