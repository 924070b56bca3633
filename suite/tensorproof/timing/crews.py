"""Crews: the worker processes of a backend from an environment, one for each launch, started when they are needed."""

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tensorproof.conformance.selection.cases import Declared
from tensorproof.conformance.selection.plan import SampleNames
from tensorproof.contract.declarations import Declaration, DeclarationError, read_declarations
from tensorproof.contract.description import Description, described, on_declared_device
from tensorproof.errors import UsageError
from tensorproof.timing.processes import START_SECONDS, start_worker
from tensorproof.timing.worker import PROTOCOL
from tensorproof.timing.worker.loaded import CURRENT_FOLDER
from tensorproof.worker_process import WorkerFailure, WorkerProcess
from tensorproof_reference.operation import Operation


@dataclass(frozen=True)
class Origin:
    """A backend, where it is installed, and the device that it is to use."""

    backend: str
    environment: str
    """The environment's label; empty for the one that the controller runs in."""
    python: Path
    device: str | None

    @property
    def label(self) -> str:
        """What a table calls it: ``torch``, ``new torch``."""
        return f"{self.environment} {self.backend}".strip()


@dataclass
class Crew:
    """The workers of one origin."""

    origin: Origin
    threads: int
    cores: Sequence[int] | None
    cache: Path
    """Where its compiled programs are kept."""
    began_cached: bool = False
    """Whether there were some of earlier runs."""
    workers: dict[int, WorkerProcess] = field(default_factory=dict)
    hello: dict[str, Any] = field(default_factory=dict)
    """What the first worker said of itself."""
    starting: set[WorkerProcess] = field(default_factory=set)
    closed: bool = False
    """Whether the run has ended: a thread that still prepares something must start no worker."""

    def runs(self, launch: int) -> bool:
        """Whether there is a worker of a launch."""
        return launch in self.workers and self.workers[launch].alive

    def worker(self, launch: int) -> WorkerProcess:
        """The worker of a launch, started if there is none.

        Raises:
            WorkerFailure: it does not start.
            UsageError: there is no such backend or device there, or its tensorproof is another version.
        """
        found = self.workers.get(launch)
        if found is not None and found.alive:
            return found
        if found is not None:
            found.close()
        if self.closed:
            raise WorkerFailure("not_run", "the run has ended")
        started = start_worker(self.origin.python, self.threads, self.cores)
        self.starting.add(started)
        try:
            answer = started.ask(
                "hello",
                START_SECONDS,
                backend=self.origin.backend,
                device=self.origin.device,
                threads=self.threads,
                cache=str(self.cache),
            )
        except WorkerFailure:
            started.close()
            raise
        except UsageError as error:
            started.close()
            if not self.hello:
                raise
            # It could be started before: what has changed since is no fault of the command line, and costs one case.
            raise WorkerFailure("crashed", f"a new worker does not start: {error}") from error
        finally:
            self.starting.discard(started)
        if answer["protocol"] != PROTOCOL:
            started.close()
            raise UsageError(
                f"--env: {self.origin.environment}: its tensorproof {answer['tensorproof']} is too far from this one"
            )
        self.hello = self.hello or answer
        self.workers[launch] = started
        return started

    def ask(self, launch: int, do: str, seconds: float, **request: Any) -> dict[str, Any]:
        """Ask the worker of a launch, as ``WorkerProcess.ask`` does."""
        return self.worker(launch).ask(do, seconds, **request)

    def close(self) -> None:
        """End all workers, also those that are starting."""
        self.closed = True
        for worker in [*self.starting, *self.workers.values()]:
            worker.close()
        self.workers.clear()


@dataclass(frozen=True)
class Described:
    """What a crew's backend is, and what is declared of it."""

    description: Description
    declared: Declared


def describe_crew(crew: Crew, operations: dict[str, Operation], files: Sequence[str], seed: int) -> Described:
    """Start a crew's first worker and read the declarations of its backend.

    Raises:
        UsageError: the worker does not start, or declarations cannot be read.
    """
    try:
        crew.worker(0)
    except WorkerFailure as failure:
        where = f"{crew.origin.environment}: " if crew.origin.environment else ""
        raise UsageError(f"{where}backend {crew.origin.backend!r}: its worker does not start: {failure.message}") from failure
    plain = crew.hello["description"]
    description = described(plain)
    samples = SampleNames(operations, seed)
    declarations: list[Declaration] = []
    try:
        for path in [*files, *([description.declarations] if description.declarations else [])]:
            declarations += read_declarations(Path(path), operations, description.every_mode, samples)
    except DeclarationError as error:
        raise UsageError(str(error)) from error
    description = on_declared_device(description, declarations)
    return Described(description, Declared(declarations, description, operations, seed))


def require_own_files(crews: Sequence[Crew]) -> None:
    """Refuse environments that do not supply what is timed: their frameworks would be one and the same, or a stranger.

    Raises:
        UsageError: a framework was loaded from the current folder, or two environments loaded the same files.
    """
    seen: dict[tuple[str, str], str] = {}
    for crew in crews:
        label, backend = crew.origin.environment, crew.origin.backend
        told = crew.hello["loaded"]
        names = ", ".join(told["files"])
        if told["place"] == CURRENT_FOLDER:
            raise UsageError(
                f"--env: {crew.origin.label} loads {names} from the current folder, not from its environment; "
                "run the command in another folder, and look at PYTHONPATH"
            )
        key = backend, repr(sorted(told["files"].items()))
        if key in seen:
            raise UsageError(
                f"--env: {seen[key]} and {label} load the same files of {names} (in {told['place']}); "
                "give each an environment with a build of its own"
            )
        seen[key] = label


def anchor_crew(threads: int, cores: Sequence[int] | None, folder: Path) -> Crew:
    """Workers without a backend, for the suite's own kernels."""
    return Crew(Origin("", "", own_python(), None), threads, cores, folder / "unused")


def own_python() -> Path:
    """The interpreter that the controller runs in."""
    return Path(sys.executable)


def at_once(most: int, action: Callable[[int, int], None], pairs: Sequence[tuple[int, int]]) -> None:
    """Do something with pairs, so many at a time; what one raises is raised."""
    threads = ThreadPoolExecutor(max(1, most))
    try:
        for _ in threads.map(lambda pair: action(*pair), pairs):
            pass
    finally:
        threads.shutdown(wait=False, cancel_futures=True)  # who interrupts does not wait for compilers
