"""A campaign: programs one after the other, each in a worker that may die; failures are shrunk, told and merged."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from tensorproof.errors import printable
from tensorproof.lines.writing import LineFile
from tensorproof.processes import undisturbed
from tensorproof.programs.building import Material, packed
from tensorproof.programs.dtypes import casts_of
from tensorproof.programs.judging import KNOWN, Verdict
from tensorproof.programs.program import MalformedProgram, Program
from tensorproof.programs.records import BAD, CampaignRecord
from tensorproof.programs.shrinking import blamed, shrunk
from tensorproof.programs.sources.everything import SOURCES
from tensorproof.programs.worker import verdict_of
from tensorproof.runs.progress import duration_text
from tensorproof.worker_process import WorkerFailure, WorkerProcess
from tensorproof_reference.operation import Operation

START_SECONDS = 300.0
RECYCLED = 400
"""Programs after which a worker that compiles is replaced: compilers keep what they compiled."""
MOST_SHRUNK = 30
"""Failures that are shrunk in a campaign; what comes later is told by the program that failed."""
MOST_SCRIPT = 200_000
"""Characters that a script has at most."""
WIDTH = 79
"""Columns of the line of progress in a terminal."""


MOST_TOGETHER = 4
"""Programs that are compiled as one: a compiler takes most of a second for the smallest."""
MOST_NODES_TOGETHER = 60
QUIET = ("passed", "not_meaningful")
TOGETHER_BAD = ("failed", "error", "crashed")
"""The statuses of programs as one that are findings where each alone is quiet; more memory and time they may well take."""

Numbered: TypeAlias = tuple[int, str, Program]
"""A program with its number and label."""


@dataclass
class Crew:
    """The worker of a campaign: started when it is needed, and replaced when it has died."""

    backend: str
    device: str | None
    modules: tuple[str, ...]
    timeout: float
    worker: WorkerProcess | None = None
    judged: int = 0
    hello: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    """How long workers took to answer."""

    def ask(self, do: str, seconds: float, **request: Any) -> dict[str, Any]:
        """Ask the worker.

        Raises:
            WorkerFailure: it failed; the next question goes to a new one if it has died.
            UsageError: the backend or device does not exist.
        """
        began = time.perf_counter()
        try:
            return self.start().ask(do, seconds, **request)
        finally:
            self.seconds += time.perf_counter() - began

    def start(self) -> WorkerProcess:
        """The worker, started if there is none that lives; then ``hello`` is what it said of itself.

        Raises:
            WorkerFailure: it does not start.
            UsageError: the backend or device does not exist.
        """
        if self.worker is None or not self.worker.alive:
            self.close()
            self.worker = WorkerProcess(Path(sys.executable), "tensorproof.programs.worker", {"TF_CPP_MIN_LOG_LEVEL": "2"})
            given = {"backend": self.backend, "device": self.device, "modules": list(self.modules)}
            self.hello = self.worker.ask("hello", START_SECONDS, **given)
        return self.worker

    def verdict(self, program: Program, mode: str) -> Verdict:
        """The verdict on a program, also if the worker died of it.

        Raises:
            MalformedProgram: it is none.
        """
        self._recycle(mode)
        self.judged += 1
        try:
            answer = self.ask("judge", self.timeout, program=asdict(program), mode=mode)
        except WorkerFailure as failure:
            ended = failure.message.partition(":")[0] if failure.status == "crashed" else ""
            return Verdict(failure.status, failure.message, ended)
        if "malformed" in answer:
            raise MalformedProgram(answer["malformed"])
        return verdict_of(answer["verdict"])

    def verdicts(self, programs: Sequence[Program], mode: str) -> list[Verdict | None]:
        """The verdicts on programs that are compiled as one; ``None`` for each that must be asked alone."""
        self._recycle(mode)
        self.judged += len(programs)
        try:
            asked = [asdict(program) for program in programs]
            answer = self.ask("judge_together", self.timeout, programs=asked, mode=mode)["verdicts"]
        except WorkerFailure:
            return [None] * len(programs)
        return [item and verdict_of(item) for item in answer]

    def _recycle(self, mode: str) -> None:
        if mode != "eager" and self.judged >= RECYCLED:
            self.close()
            self.judged = 0

    def close(self) -> None:
        """End the worker."""
        if self.worker is not None:
            self.worker.close()
            self.worker = None


@dataclass
class Campaign:
    """What the controller knows of a campaign in progress."""

    crew: Crew
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
        header, hello = self.record.header, self.crew.hello
        available, numbers = frozenset(hello["available"]), frozenset(hello["numbers"])
        material = Material(
            self.specification, available, header["dtype"], header["seed"], numbers, hello["writes"], hello["dtypes"]
        )
        return SOURCES[header["source"]](material)

    def run(self) -> None:
        """Judge programs until all are done or the time is up.

        Raises:
            UsageError: the backend does not exist.
            OSError: the record cannot be written.
        """
        began = time.monotonic()
        before = len(self.record.programs)
        for batch in _batches(self.programs(), 1 if self.mode == "eager" else MOST_TOGETHER):
            if self.deadline is not None and time.monotonic() >= self.deadline:
                break
            self._judge_all(batch)
            self._show(len(self.record.programs) - before, time.monotonic() - began)

    def _judge_all(self, batch: Sequence[Numbered]) -> None:
        """Judge programs as one, which costs a compiler less; those with which all is not well are judged alone."""
        start = time.monotonic()
        together = self.crew.verdicts([program for _, _, program in batch], self.mode) if len(batch) > 1 else [None]
        share = (time.monotonic() - start) / len(batch)
        asked_alone = []
        for numbered, verdict in zip(batch, together, strict=True):
            start = time.monotonic()
            found = verdict or self.crew.verdict(numbered[2], self.mode)
            asked_alone += [] if verdict else [found.status in QUIET]
            self._write_down(numbered, found, share + time.monotonic() - start)
        # Where all are asked alone, one that is not quiet may have spoilt the others.
        unexplained = all(asked_alone) if len(asked_alone) == len(batch) else any(asked_alone)
        if len(batch) > 1 and asked_alone and unexplained:
            self._judge_as_one(batch)

    def _judge_as_one(self, batch: Sequence[Numbered]) -> None:
        """Judge programs as one program, where something was wrong with them together and nothing with each alone."""
        whole = packed([program for _, _, program in batch])
        verdict = self.crew.verdict(whole, self.mode)
        if verdict.status in TOGETHER_BAD:
            _, finding = self._finding([number for number, _, _ in batch], whole, verdict)
            if finding:
                self.file.append(finding)

    def _write_down(self, numbered: Numbered, verdict: Verdict, seconds: float) -> None:
        number, label, program = numbered
        verdict, finding = self._finding([number], program, verdict) if verdict.status in BAD else (verdict, None)
        line = {
            "kind": "program",
            "number": number,
            "name": program.name,
            "label": label,
            "nodes": len(program.nodes),
            "pairs": [f"{one}>{other}" for one, other in program.pairs],
            "casts": list(casts_of(program, self.specification)),
            "status": finding["status"] if finding else verdict.status,
            "message": verdict.message[:10_000],
            "compiled": dict(verdict.compiled),
            "seconds": round(seconds, 3),
            **({"finding": finding["key"]} if finding else {}),
        }
        if finding:
            self.file.append(finding)
        with undisturbed():  # the closing line counts what the record has
            self.file.append(line)
            self.record.programs.append(line)

    def _finding(self, numbers: Sequence[int], program: Program, first: Verdict) -> tuple[Verdict, dict[str, Any] | None]:
        """The verdict on a program that failed, and the finding: a new one, one that was found before, or none if declared."""
        smallest, verdict, culprit = self._shrunk(program, first)
        why = self._declared(smallest) if verdict.status == "failed" else ""
        if why:
            return replace(first, status=KNOWN, message=f"declared: {why} [{first.message}]", reason=""), None
        key = f"{smallest.form} {verdict.status} {verdict.reason}"
        known = next((item for item in self.record.findings if item["key"] == key), None)
        if known is not None:
            # A campaign that was killed between two lines judges the program of the first again.
            known["programs"] = list(dict.fromkeys([*known["programs"], *numbers]))
            return first, known
        eager = "" if self.mode == "eager" else self.crew.verdict(smallest, "eager").status
        answer = self._script(smallest, verdict)
        found = {
            "kind": "finding",
            "key": key,
            "status": verdict.status,
            "reason": verdict.reason,
            "message": verdict.message[:10_000],
            "program": asdict(smallest),
            "text": smallest.text,
            "blamed": culprit,
            "eager": eager,
            "script": answer.get("script", ""),
            "no_script": answer.get("why", ""),
            "programs": list(numbers),
        }
        self.record.findings.append(found)
        self._tell(found)
        return first, found

    def _declared(self, smallest: Program) -> str:
        """Why a shrunk program is known to fail, if it is declared."""
        try:
            return str(self.crew.ask("declared", self.crew.timeout, program=asdict(smallest), mode=self.mode)["why"])
        except WorkerFailure:
            return ""

    def _shrunk(self, program: Program, verdict: Verdict) -> tuple[Program, Verdict, str]:
        """The smallest program with the same cause, the verdict on it, and the node to blame."""
        if len(self.record.findings) >= MOST_SHRUNK:
            return program, verdict, "not shrunk"

        def ask(candidate: Program) -> Verdict:
            return self.crew.verdict(candidate, self.mode)

        smallest = shrunk(program, verdict.cause, ask, self.specification, self.crew.hello["conventions"])
        again = ask(smallest) if smallest != program else verdict
        if again.cause != verdict.cause:  # it comes and goes
            return program, replace(verdict, message=f"not always: {verdict.message}"), "not always"
        return smallest, again, blamed(smallest, verdict.cause, ask, self.specification)

    def _script(self, program: Program, verdict: Verdict) -> Mapping[str, Any]:
        """The script of a failing program; none where its arrays make it longer than anyone passes on."""
        try:
            asked = {"program": asdict(program), "mode": self.mode, "verdict": asdict(verdict)}
            answer = self.crew.ask("script", self.crew.timeout, **asked)
        except WorkerFailure as failure:
            return {"why": failure.message}
        length = len(answer["script"])
        return answer if length <= MOST_SCRIPT else {"why": f"its arrays are too long to be written down: {length:,} characters"}

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


def verdict_text(record: CampaignRecord) -> str:
    """The verdict, as the last line says it."""
    header, counts = record.header, record.counts
    words = ", ".join(f"{count:,} {status.replace('_', ' ')}" for status, count in sorted(counts.items()))
    new = [item for item in record.findings if item["status"] in BAD]
    name = f"{header['backend']} {header['mode']} {header['dtype']}"
    told = f"{len(new)} finding{'s' * (len(new) != 1)}" if new else "no finding"
    return f"{name}: {told} in {len(record.programs):,} programs ({words or 'none'})"


def _batches(programs: Iterable[Numbered], most: int) -> Iterator[list[Numbered]]:
    """The programs in batches that one compilation can take; those that hold infinities or NaN, or write over values, alone."""
    batch: list[Numbered] = []
    for numbered in programs:
        program = numbered[2]
        nodes = sum(len(item.nodes) for _, _, item in batch) + len(program.nodes)
        alone = program.is_special or program.writes
        if batch and (len(batch) == most or nodes > MOST_NODES_TOGETHER or alone):
            yield batch
            batch = []
        batch.append(numbered)
        if alone:
            yield batch
            batch = []
    if batch:
        yield batch
