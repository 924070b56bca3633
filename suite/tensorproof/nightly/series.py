"""What a history is made of: series, their points, and the class of machine that they were measured on."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, order=True)
class Series:
    """What is timed night after night: a backend's mode × operation × workload × direction × dtype."""

    backend: str
    device: str
    mode: str
    operation: str
    workload: str
    direction: str
    dtype: str

    @property
    def name(self) -> str:
        """The name in summaries and ``accepted.toml``; the device is in it unless it is the CPU.

        >>> Series("torch", "cpu", "eager", "softmax", "M", "forward", "float32").name
        'torch eager softmax M forward float32'
        """
        device = "" if self.device == "cpu" else f" {self.device}"
        return f"{self.backend}{device} {self.mode} {self.operation} {self.workload} {self.direction} {self.dtype}"


@dataclass(frozen=True)
class MachineClass:
    """Machines whose times may be compared."""

    digest: str
    words: str


@dataclass(frozen=True)
class Point:
    """One night of a series."""

    night: str
    ratio: float
    """Median time of a call over that of the anchor kernel, timed in the same rounds: dimensionless."""
    median_ns: float
    low_ns: float
    """Lower end of the 95 % interval of the median."""
    high_ns: float
    versions: tuple[tuple[str, str], ...]
    """The framework's versions of that night, as ``(name, version)``."""


@dataclass(frozen=True)
class SeriesHistory:
    """The nights of a series on one class of machine, oldest first."""

    series: Series
    machine: MachineClass
    points: tuple[Point, ...]


def instruction_sets(header: Mapping[str, Any]) -> dict[str, str]:
    """The instruction sets that a record of timings says its backends use, by label; none in older records."""
    backends = header.get("backends")
    named = [item for item in backends if isinstance(item, Mapping)] if isinstance(backends, list) else []
    return {str(item.get("label")): str(item["instructions"]) for item in named if "instructions" in item}


def machine_class(header: Mapping[str, Any]) -> MachineClass:
    """The class of machine of a record of timings: processor, cores, architecture, system, instruction sets, the workers' threads
    and affinity, and the method of measuring.

    Whatever type a header's values have, two headers are of one class only if all of these are equal.
    """
    machine = header.get("machine")
    machine = machine if isinstance(machine, Mapping) else {}
    affinity = header.get("affinity")
    facts = {
        "processor": machine.get("processor"),
        "cores": machine.get("cores"),
        "architecture": machine.get("architecture"),
        "system": machine.get("system"),
        "threads": header.get("threads"),
        "affinity": len(affinity) if isinstance(affinity, list) else None,
        "method": header.get("method"),
    }
    if instructions := instruction_sets(header):
        facts["instructions"] = instructions  # records of before say none, and their classes stay as they are
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:10]
    pinned = "not pinned" if facts["affinity"] is None else f"pinned to {facts['affinity']}"
    words = (
        f"{facts['processor'] or 'unknown processor'}, {facts['cores']} cores, {facts['architecture']}, {facts['system']}, "
        f"{facts['threads']} threads, {pinned}, method {facts['method'] or 1}"
    )
    if instructions:
        words += f", {', '.join(sorted(set(instructions.values())))}"
    return MachineClass(digest, words[:300])
