"""A batch of programs judged by a crew: the lines of the record that come of it, whoever writes them."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias

from tensorproof.programs.building import packed
from tensorproof.programs.campaigns.crew import Crew
from tensorproof.programs.campaigns.declared import line_of, tried
from tensorproof.programs.campaigns.records import BAD
from tensorproof.programs.dtypes import casts_of
from tensorproof.programs.judging import KNOWN, Verdict
from tensorproof.programs.program import Program, from_plain
from tensorproof.programs.shrinking import blamed, shrunk
from tensorproof.worker_process import WorkerFailure
from tensorproof_reference.operation import Operation

MOST_SHRUNK = 30
"""Failures that are shrunk in a campaign; what comes later is told by the program that failed."""
MOST_SCRIPT = 200_000
"""Characters that a script has at most."""
MOST_TOGETHER = 4
"""Programs that are compiled as one: a compiler takes most of a second for the smallest."""
MOST_NODES_TOGETHER = 60
QUIET = ("passed", "not_meaningful")
TOGETHER_BAD = ("failed", "error", "crashed")
"""The statuses of programs as one that are findings where each alone is quiet; more memory and time they may well take."""

Numbered: TypeAlias = tuple[int, str, Program]
"""A program with its number and label."""


@dataclass(frozen=True)
class Found:
    """What comes of a program, or of several that are compiled as one."""

    line: dict[str, Any] | None
    """The line of the program; ``None`` for what is wrong only where programs are one."""
    finding: dict[str, Any] | None = None
    """Of a finding that was known before, key and programs only."""


@dataclass
class Judging:
    """What it takes to judge the batches of a campaign."""

    crew: Crew
    mode: str
    specification: dict[str, Operation]
    known: set[str]
    """The keys of all findings so far."""

    def judged(self, batch: Sequence[Numbered]) -> Iterator[Found]:
        """What comes of programs that are compiled as one, which costs a compiler less; where all is not well, of each alone.

        Raises:
            WorkerFailure: the worker does not start again.
        """
        start = time.monotonic()
        together = self.crew.verdicts([program for _, _, program in batch], self.mode) if len(batch) > 1 else [None]
        share = (time.monotonic() - start) / len(batch)
        asked_alone = []
        for numbered, verdict in zip(batch, together, strict=True):
            start = time.monotonic()
            found = verdict or self.crew.verdict(numbered[2], self.mode)
            asked_alone += [] if verdict else [found.status in QUIET]
            yield self._of_one(numbered, found, share + time.monotonic() - start)
        # Where all are asked alone, one that is not quiet may have spoilt the others.
        unexplained = all(asked_alone) if len(asked_alone) == len(batch) else any(asked_alone)
        if len(batch) > 1 and asked_alone and unexplained:
            yield from self._as_one(batch)

    def _as_one(self, batch: Sequence[Numbered]) -> Iterator[Found]:
        """What comes of programs as one program, where something was wrong with them together and nothing with each alone."""
        whole = packed([program for _, _, program in batch])
        verdict = self.crew.verdict(whole, self.mode)
        if verdict.status in TOGETHER_BAD:
            _, finding = self._finding([number for number, _, _ in batch], whole, verdict)
            if finding:
                yield Found(None, finding)

    def _of_one(self, numbered: Numbered, verdict: Verdict, seconds: float) -> Found:
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
            "memory": list(dict.fromkeys(memory for _, memory in program.memories)),
            "status": finding["status"] if finding else verdict.status,
            "message": verdict.message[:10_000],
            "compiled": dict(verdict.compiled),
            "seconds": round(seconds, 3),
            **({"finding": finding["key"]} if finding else {}),
        }
        return Found(line, finding)

    def _finding(self, numbers: Sequence[int], program: Program, first: Verdict) -> tuple[Verdict, dict[str, Any] | None]:
        """The verdict on a program that failed, and its finding; none if it is declared."""
        smallest, verdict, culprit = self._shrunk(program, first)
        why = self._declared(smallest) if verdict.status == "failed" else ""
        if why:
            return replace(first, status=KNOWN, message=f"declared: {why} [{first.message}]", reason=""), None
        key = f"{smallest.form} {verdict.status} {verdict.reason}"
        if key in self.known:
            return first, {"key": key, "status": verdict.status, "programs": list(numbers)}
        self.known.add(key)
        eager = "" if self.mode == "eager" else self.crew.verdict(smallest, "eager").status
        answer = self._script(smallest, verdict)
        return first, {
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

    def _declared(self, smallest: Program) -> str:
        """Why a shrunk program is known to fail, if it is declared."""
        try:
            return str(self.crew.ask("declared", self.crew.timeout, program=asdict(smallest), mode=self.mode)["why"])
        except WorkerFailure:
            return ""

    def _shrunk(self, program: Program, verdict: Verdict) -> tuple[Program, Verdict, str]:
        """The smallest program with the same cause, the verdict on it, and the node to blame."""
        if len(self.known) >= MOST_SHRUNK:
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


Judged: TypeAlias = Callable[[Iterator[list[Numbered]], set[str]], Iterator[Found]]
"""Judges batches, here or elsewhere, as they are asked for, given the keys of all findings so far, which grow meanwhile. What
comes of programs may come in another order."""


def declared_lines(crew: Crew, dtype: str, mode: str, seed: int) -> Iterator[dict[str, Any]]:
    """The lines of the record that tell of the programs that are declared to fail in a dtype and a mode.

    Raises:
        WorkerFailure: the worker does not start again.
    """
    for item in crew.ask("declared_programs", crew.timeout, dtype=dtype, mode=mode, seed=seed)["declared"]:
        yield line_of(item, tried(crew, map(from_plain, item["programs"]), mode))


def batches_of(programs: Iterable[Numbered], mode: str) -> Iterator[list[Numbered]]:
    """The programs in batches that one compilation can take; those that hold infinities or NaN, or write over values, alone."""
    most = 1 if mode == "eager" else MOST_TOGETHER
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
