"""The engine: groups of contenders timed in rounds, one block of each in balanced order, one worker active at a time."""

import contextlib
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tensorproof.errors import frames
from tensorproof.timing.arrays import ROTATED
from tensorproof.timing.crews import Crew, Described, at_once
from tensorproof.timing.entries import Entry, Seconds, Settings
from tensorproof.timing.plan import Group
from tensorproof.timing.reference import References, judged
from tensorproof.timing.resources import cores_apart
from tensorproof.timing.results import lines
from tensorproof.timing.results.statistics import balanced_order, compare, median_interval
from tensorproof.timing.results.trust import accuses
from tensorproof.timing.worker.prepared import PART_NS
from tensorproof.worker_process import WorkerFailure
from tensorproof_reference.operation import Operation

ROUNDS = 31
MOST_ROUNDS = 1001
FEWEST_ROUNDS = 6
"""Fewer give no interval at 95 %."""
NARROW = math.log(1.01)
FAR = 1.05
"""A ratio beyond which a wider interval will do."""
ANCHOR_CALLS = 3
DEVICE_CALLS = 11


class Engine:
    """Crews, the anchor's crew, and what is measured with them."""

    def __init__(
        self,
        crews: Sequence[Crew],
        described: Sequence[Described],
        anchors: Crew,
        operations: Mapping[str, Operation],
        settings: Settings,
        limits: Mapping[str, Any],
        folder: Path,
    ) -> None:
        self.crews = crews
        self.described = described
        self.anchors = anchors
        self.operations = operations
        self.settings = settings
        self.limits = limits
        self.folder = folder
        self.prepare_on = cores_apart(settings.threads)
        """The cores for each of the workers that prepare at the same time."""
        self.references = References(folder, operations, settings.seed)
        self.seconds = Seconds()
        self.began = time.perf_counter()

    def measure(self, group: Group) -> Iterator[dict[str, Any]]:
        """Measure a group; its lines of the record: one for each contender, and one for each that is compared with the first."""
        entries = [Entry(contender, f"{number}") for number, contender in enumerate(group.contenders)]
        anchors: list[float] = []
        try:
            for entry in entries:
                self._expect(group, entry)
            self._prepare_all(group, entries)
            self._choose_calls(entries)
            self._rounds(group, entries, anchors)
            for entry in entries:
                if entry.running:
                    self._guarded(group, entries, entry, 0, self._finish)
        finally:
            self._release(entries)
        operation = self.operations[group.operation]
        for entry in entries:
            origin = entry.contender.origin
            described = self.described[origin]
            yield lines.timing_line(group, operation, entry, anchors, described, self.crews[origin], self.limits, self.settings)
        yield from self._duels(group, [entry for entry in entries if entry.running])

    def call_ns(self, group: Group) -> float:
        """The quickest that a group's only contender gets while it settles; infinite if it cannot be run."""
        entry = Entry(group.contenders[0], "settling")
        try:
            self._expect(group, entry)
            if entry.running:
                self._guarded(group, [entry], entry, 0, self._prepare)
        finally:
            self._release([entry])
        return entry.call_ns

    def _expect(self, group: Group, entry: Entry) -> None:
        """Work out what the reference expects, unless it is known already that the backend has no such function."""
        described = self.described[entry.contender.origin]
        case = group.case(entry.contender, self.operations[group.operation])
        if group.operation not in described.description.sources:
            entry.status = "unsupported"
            entry.message = described.description.reasons.get(group.operation, "not implemented")
            return
        declaration = described.declared.first("unsupported", case)
        if declaration is not None:
            entry.status, entry.message = "unsupported", declaration.text
            return
        start = time.perf_counter()
        try:
            entry.expected = self.references.expected(case, described.declared, group.direction)
        except (ValueError, TypeError, MemoryError) as error:
            entry.status, entry.message, entry.traceback = "error", f"the reference: {error}", frames(error)
        self.seconds.reference += time.perf_counter() - start

    def _ask(self, entry: Entry, launch: int, do: str, **request: Any) -> dict[str, Any]:
        worker = self.crews[entry.contender.origin].workers[launch]
        return worker.ask(do, self.settings.seconds, key=entry.key, **request)

    def _guarded(
        self, group: Group, entries: Sequence[Entry], entry: Entry, launch: int, step: Callable[[Group, Entry, int], None]
    ) -> None:
        """Take a step with a contender; if it fails, the contender is out, and others of its worker are prepared anew."""
        start = time.perf_counter()
        try:
            step(group, entry, launch)
        except WorkerFailure as failure:
            entry.status, entry.message, entry.traceback = failure.status, failure.message, failure.traceback
            self._restore(group, entries, entry.contender.origin, launch)
        entry.seconds += time.perf_counter() - start

    def _restore(self, group: Group, entries: Sequence[Entry], origin: int, launch: int) -> None:
        """If a worker has ended, start another and prepare what the old one held."""
        worker = self.crews[origin].workers.get(launch)
        if worker is not None and worker.alive:
            return
        for entry in entries:
            if entry.contender.origin == origin and entry.running and launch in entry.prepared:
                self._guarded(group, entries, entry, launch, self._prepare)

    def _prepare_all(self, group: Group, entries: Sequence[Entry]) -> None:
        """Prepare every contender in every launch, as many workers at once as there are cores: nothing is timed meanwhile.

        The first launch of a backend goes before its others, which find what it has compiled.
        """
        origins = list(dict.fromkeys(entry.contender.origin for entry in entries if entry.running))
        pairs = [(origin, launch) for launch in range(self.settings.launches) for origin in origins]
        abreast = 1 if any(entry.contender.device != "cpu" for entry in entries) else len(self.prepare_on)
        cores: queue.SimpleQueue[tuple[int, ...]] = queue.SimpleQueue()
        for core in self.prepare_on[:abreast]:
            cores.put(core)
        compiled = {origin: threading.Event() for origin in origins}

        def start(origin: int, launch: int) -> None:
            with contextlib.suppress(WorkerFailure):  # told when it is to prepare something
                self.crews[origin].worker(launch)

        def prepare(origin: int, launch: int) -> None:
            if launch:
                compiled[origin].wait()
            core = cores.get()
            try:
                for entry in entries:
                    if entry.contender.origin == origin and entry.running:
                        self._guarded(group, entries, entry, launch, partial(self._prepare, cores=core))
            finally:
                cores.put(core)
                compiled[origin].set()

        began = time.perf_counter()
        at_once(abreast, start, [pair for pair in pairs if not self.crews[pair[0]].runs(pair[1])])
        started = time.perf_counter()
        at_once(len(pairs), prepare, pairs)
        self.seconds.starting += started - began
        self.seconds.preparing += time.perf_counter() - started

    def _prepare(self, group: Group, entry: Entry, launch: int, cores: Sequence[int] = ()) -> None:
        """Compile a contender in a launch, and let it settle; on some cores, if any are given."""
        assert entry.expected is not None
        worker = self.crews[entry.contender.origin].worker(launch)
        if cores:
            worker.ask("tie", self.settings.seconds, cores=cores)
        try:
            found = self._ask(
                entry,
                launch,
                "prepare",
                operation=group.operation,
                mode=entry.contender.mode,
                dtype=group.dtype,
                direction=group.direction,
                arguments=str(entry.expected.path),
            )
            entry.prepared.setdefault(launch, found)
            entry.call_ns = min(entry.call_ns, self._ask(entry, launch, "warm_up")["call_ns"])
        finally:
            if cores and worker.alive:  # also after a failure: others of this worker are still to be timed
                worker.ask("untie", self.settings.seconds)

    def _choose_calls(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if entry.running:
                calls = max(1, math.ceil(PART_NS / max(entry.call_ns, 1.0)))
                # Not a multiple of the number of sets, so that the last call of a part, whose result is kept, is of each in turn.
                entry.calls = calls + (calls % ROTATED == 0)

    def _rounds(self, group: Group, entries: Sequence[Entry], anchors: list[float]) -> None:
        """One block of each contender and of the anchor, round after round, until the ratios say something or time is up."""
        start = time.perf_counter()
        budget = self.settings.series_seconds * len(entries)
        number = 0
        while number < MOST_ROUNDS and any(entry.running for entry in entries):
            launch = number % self.settings.launches
            order = balanced_order(len(entries) + 1, number // self.settings.launches)
            for place in order:
                if place == len(entries):
                    anchors += self._anchor()
                elif entries[place].running:
                    self._guarded(group, entries, entries[place], launch, self._block)
            number += 1
            spent = time.perf_counter() - start
            if number >= max(FEWEST_ROUNDS, 2 * self.settings.launches) and spent > budget:
                break
            if number >= self.settings.rounds and self._settled(entries):
                break
        self.seconds.measuring += time.perf_counter() - start

    def _anchor(self) -> list[float]:
        """One timing of the anchor; none if its worker has just ended, which the next round starts anew."""
        try:
            return [self.anchors.ask(0, "kernel", self.settings.seconds, name="anchor", calls=ANCHOR_CALLS)["ns"]]
        except WorkerFailure:
            return []

    def _block(self, group: Group, entry: Entry, launch: int) -> None:
        start = time.perf_counter_ns()
        found = self._ask(entry, launch, "block", calls=entry.calls)
        entry.blocks.append({**found, "launch": launch, "observed_ns": time.perf_counter_ns() - start})

    def _settled(self, entries: Sequence[Entry]) -> bool:
        """Whether every interval is within ±1 % and gives a verdict, or is so far from 1 that its width does not matter."""
        running = [entry for entry in entries if entry.running]
        if len(running) == 1:
            found = median_interval([math.log(item["throughput_ns"]) for item in running[0].blocks])
            return found.high - found.low <= 2 * NARROW
        for entry in running[1:]:
            compared = compare(paired(running[0], entry, self.settings.launches), self.settings.resolution)
            far = compared.low > FAR or compared.high < 1.0 / FAR
            narrow = compared.high <= compared.low * math.exp(2 * NARROW)
            if not far and not (narrow and compared.verdict != "not_resolved"):
                return False
        return True

    def _finish(self, group: Group, entry: Entry, launch: int) -> None:
        """What is asked once for each series, after its last block."""
        assert entry.expected is not None
        start = time.perf_counter()
        path = self.folder / f"outputs_{entry.key}.npz"
        entry.finish = self._ask(entry, launch, "finish", calls=entry.calls, outputs=entry.expected.wanted, path=str(path))
        entry.cold_ns = self._ask(entry, launch, "cold")["latencies_ns"]
        if entry.contender.device != "cpu":
            entry.device = self._ask(entry, launch, "device_times", calls=DEVICE_CALLS)
        entry.memory = self._ask(entry, launch, "memory")
        self._look_again(entry, launch)
        self.seconds.preparing += time.perf_counter() - start
        start = time.perf_counter()
        case = group.case(entry.contender, self.operations[group.operation])
        entry.error = judged(case, entry.expected, path, entry.finish["described"])
        path.unlink()
        self.seconds.reference += time.perf_counter() - start

    def _look_again(self, entry: Entry, launch: int) -> None:
        """Before anything is accused, look a second time: what the system did the first time has passed by now."""
        footprint = entry.prepared[0]["footprint"]
        if accuses(entry.finish["audit"], footprint):
            again = self._ask(entry, launch, "audit", calls=entry.calls)["audit"]
            if not accuses(again, footprint):
                entry.finish["audit"] = again

    def _release(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            for launch in entry.prepared:
                worker = self.crews[entry.contender.origin].workers.get(launch)
                if worker is not None and worker.alive:
                    try:
                        worker.ask("release", self.settings.seconds, key=entry.key)
                    except WorkerFailure:
                        worker.close()
        for path in {entry.expected.path for entry in entries if entry.expected is not None}:
            path.unlink(missing_ok=True)

    def _duels(self, group: Group, entries: Sequence[Entry]) -> Iterator[dict[str, Any]]:
        """Each contender against the first that could be measured."""
        for entry in entries[1:]:
            found = compare(paired(entries[0], entry, self.settings.launches), self.settings.resolution)
            yield lines.duel_line(group, entries[0], entry, found)


def paired(reference: Entry, entry: Entry, launches: int) -> list[list[float]]:
    """The ratios of the times of two contenders in the same round, by launch."""
    ratios: list[list[float]] = [[] for _ in range(launches)]
    for first, second in zip(reference.blocks, entry.blocks, strict=False):
        ratios[first["launch"]].append(second["throughput_ns"] / first["throughput_ns"])
    return ratios
