"""A worker: one process for one backend on one device, which prepares cases and times blocks of them when it is told to.

It reads requests from its standard input, a JSON object a line, and answers on what was its standard output; whatever a
framework prints goes to standard error. ``python -m tensorproof.timing.worker`` is started by ``timing.processes``.
"""

import contextlib
import importlib.metadata
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement

import tensorproof
from tensorproof.backend import Backend
from tensorproof.contract.backends import installed, load, specification
from tensorproof.contract.description import describe
from tensorproof.serving import serve
from tensorproof.timing.resources import has_affinity, tie, tied_to
from tensorproof.timing.worker import PROTOCOL, audit, kernels, prepared
from tensorproof.timing.worker.loaded import loaded


class Worker:
    """What the process knows: its backend, and the cases that it has prepared."""

    def __init__(self) -> None:
        self.backend: Backend | None = None
        self.device = ""
        self.cases: dict[str, prepared.Prepared] = {}
        self.counted: dict[str, dict[str, int]] = {}
        """What the compiler had counted before each case."""
        self.settled: dict[str, dict[str, int]] = {}
        """What it had counted when the case had settled."""
        self.operations = specification()
        self.cores = os.sched_getaffinity(0) if has_affinity() else set()
        self.away: list[int] = []
        self.elsewhere: set[int] = set()

    def hello(self, backend: str, device: str | None, threads: int, cache: str | None) -> dict[str, Any]:
        """Load a backend and say what it is. An empty name is a worker without one, for the anchor kernel."""
        answer = {"protocol": PROTOCOL, "tensorproof": tensorproof.__version__, "packages": _packages(backend)}
        if not backend:
            return answer
        self.backend = load(backend)
        self.backend.set_threads(threads)
        description = describe(self.backend, device)
        self.device = description.device
        cached = self.backend.use_compile_cache(Path(cache)) if cache else False
        return {**answer, "description": asdict(description), "compile_cache": cached, "loaded": loaded(self.backend)}

    def prepare(self, key: str, operation: str, mode: str, dtype: str, direction: str, arguments: str) -> dict[str, Any]:
        """Compile a case; what compiling took, and the bytes of its arguments."""
        assert self.backend is not None
        self.counted[key] = dict(self.backend.compile_counters()) if mode != "eager" else {}
        case = prepared.prepare(self.backend, self.device, self.operations[operation], mode, dtype, direction, Path(arguments))
        self.cases[key] = case
        return {"compiled": case.compiled, "footprint": case.footprint}

    def tie(self, cores: list[int]) -> dict[str, Any]:
        """Use these cores for a while, with every thread that uses those of the process.

        One that went elsewhere by itself is left alone, so that the question of trust can tell of it.
        """
        threads = tied_to(self.cores)
        self.away, self.elsewhere = cores, tied_to(cores) - threads
        tie(threads, cores)
        return {}

    def untie(self) -> dict[str, Any]:
        """Use the cores that the process was given, with these threads and those that they started meanwhile."""
        tie(tied_to(self.away) - self.elsewhere, self.cores)
        return {}

    def warm_up(self, key: str) -> dict[str, Any]:
        """Ns of a call, once it has settled."""
        assert self.backend is not None
        call_ns = prepared.warm_up(self.cases[key])
        self.settled[key] = dict(self.backend.compile_counters()) if self.counted[key] else {}
        return {"call_ns": call_ns}

    def block(self, key: str, calls: int) -> dict[str, Any]:
        """Time one block."""
        return prepared.block(self.cases[key], calls)

    def finish(self, key: str, calls: int, outputs: list[tuple[str, list[int]]], path: str) -> dict[str, Any]:
        """After the last block: write the outputs, and audit what was timed."""
        assert self.backend is not None
        case, before = self.cases[key], self.counted[key]
        after = self.backend.compile_counters() if before else {}
        return {
            "counted": {name: count - before[name] for name, count in after.items()},
            "counted_in_rounds": {name: count - self.settled[key][name] for name, count in after.items()},
            **audit.save_outputs(case, outputs, Path(path)),
            "audit": audit.audit(case, calls),
            "overhead_ns": audit.overhead(case),
        }

    def audit(self, key: str, calls: int) -> dict[str, Any]:
        """A second look, with arguments that the first has not seen."""
        return {"audit": audit.audit(self.cases[key], calls, audit.FRESH)}

    def device_times(self, key: str, calls: int) -> dict[str, Any]:
        """By the device's own clock."""
        return prepared.device_times(self.cases[key], calls)

    def cold(self, key: str) -> dict[str, Any]:
        """Latencies with cold caches."""
        return {"latencies_ns": prepared.cold(self.cases[key])}

    def memory(self, key: str) -> dict[str, Any]:
        """The largest use of memory of a call."""
        return prepared.memory(self.cases[key])

    def release(self, key: str) -> dict[str, Any]:
        """Forget a case."""
        self.cases.pop(key, None)
        return {}

    def kernel(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Time a kernel of the suite's own."""
        return kernels.KERNELS[name](**arguments)


def _packages(backend: str) -> dict[str, str]:
    """The versions of a backend's distribution and of all that it requires; what else is installed is nobody's business."""
    point = installed().get(backend)
    wanted = [point.dist.name] if point is not None and point.dist is not None else []
    found: dict[str, str] = {}
    while wanted:
        name = wanted.pop()
        try:
            distribution = importlib.metadata.distribution(name)
        except (importlib.metadata.PackageNotFoundError, ValueError):
            continue
        if distribution.name in found:
            continue
        found[distribution.name] = distribution.version
        for text in distribution.requires or ():
            with contextlib.suppress(InvalidRequirement, UndefinedEnvironmentName):
                requirement = Requirement(text)
                if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                    wanted.append(requirement.name)
    return dict(sorted(found.items()))


if __name__ == "__main__":
    serve(Worker())
