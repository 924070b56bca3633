"""The worker of a campaign, which is replaced when it dies."""

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tensorproof.programs.campaigns.worker import verdict_of
from tensorproof.programs.judging import Verdict
from tensorproof.programs.program import MalformedProgram, Program
from tensorproof.worker_process import WorkerFailure, WorkerProcess

START_SECONDS = 300.0
RECYCLED = 400
"""Programs after which a worker that compiles is replaced: compilers keep what they compiled."""


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
            self.worker = WorkerProcess(
                Path(sys.executable), "tensorproof.programs.campaigns.worker", {"TF_CPP_MIN_LOG_LEVEL": "2"}
            )
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
