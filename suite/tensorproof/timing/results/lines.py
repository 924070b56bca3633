"""The lines of a record of timings, from what a group measured."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from tensorproof.timing.arrays import ITEMSIZES
from tensorproof.timing.crews import Crew, Described
from tensorproof.timing.entries import Entry, Settings
from tensorproof.timing.plan import Group
from tensorproof.timing.resources import caches
from tensorproof.timing.results import trust
from tensorproof.timing.results.limits import rates, work_done
from tensorproof.timing.results.statistics import Comparison, median_interval, quantiles, thinned
from tensorproof_reference.operation import Operation

MAIN_CLOCK = "throughput hot"


def clock(samples: Sequence[float], launch_medians: Sequence[float], calls: int) -> dict[str, Any]:
    """A series of samples in ns as a record keeps it."""
    interval = median_interval(samples)
    return {
        "median_ns": interval.median,
        "low_ns": interval.low if math.isfinite(interval.low) else None,
        "high_ns": interval.high if math.isfinite(interval.high) else None,
        "quantiles_ns": quantiles(samples),
        "samples_ns": thinned(samples),
        "rounds": len(samples),
        "calls": calls,
        "launch_medians_ns": list(launch_medians),
    }


def _by_launch(blocks: Sequence[Mapping[str, Any]], value: Any) -> list[float]:
    launches = sorted({block["launch"] for block in blocks})
    return [statistics.median(value(block) for block in blocks if block["launch"] == launch) for launch in launches]


def _clocks(entry: Entry) -> dict[str, Any]:
    def throughput(block: Mapping[str, Any]) -> float:
        return float(block["throughput_ns"])

    def latency(block: Mapping[str, Any]) -> float:
        return float(statistics.median(block["latencies_ns"]))

    found = {
        MAIN_CLOCK: clock([throughput(block) for block in entry.blocks], _by_launch(entry.blocks, throughput), entry.calls),
        "latency hot": clock([latency(block) for block in entry.blocks], _by_launch(entry.blocks, latency), 1),
    }
    others = {
        "latency cold": entry.cold_ns,
        "device_span hot": entry.device.get("spans_ns"),
        "device_span cold": entry.device.get("cold_spans_ns"),
        "device_busy hot": entry.device.get("busy_ns"),
    }
    return found | {name: clock(samples, [], 1) for name, samples in others.items() if samples}


def _compile(entry: Entry, mode: str, cached: bool, began_cached: bool) -> dict[str, Any] | None:
    """What compiling took with an empty cache (the first launch) and with what this left there (the second).

    If there were programs of earlier runs, nobody knows whether the first launch found its own among them.
    """
    if mode == "eager":
        return None
    stages = [
        {name: value for name, value in entry.prepared[launch]["compiled"].items() if name.endswith("_ns")}
        for launch in sorted(entry.prepared)
    ]
    counted = entry.finish["counted"]
    return {
        "cold": None if began_cached else stages[0],
        "warm": stages[1] if cached and len(stages) > 1 else None,
        "graph_breaks": counted.get("graph_breaks"),
        "recompiles": counted.get("recompiles"),
    }


def timing_line(
    group: Group,
    operation: Operation,
    entry: Entry,
    anchors: Sequence[float],
    described: Described,
    crew: Crew,
    limits: Mapping[str, Any],
    settings: Settings,
) -> dict[str, Any]:
    """What was measured of one series."""
    contender = entry.contender
    line: dict[str, Any] = {
        "kind": "timing",
        "contender": contender.name,
        "backend": contender.backend,
        "environment": contender.environment,
        "device": contender.device,
        "mode": contender.mode,
        "operation": group.operation,
        "operation_version": operation.version,
        "family": operation.family,
        "workload": group.workload,
        "direction": group.direction,
        "dtype": group.dtype,
        "status": entry.status,
        "message": entry.message[:2000],
        "traceback": entry.traceback[:8000],
        "source": described.description.sources.get(group.operation, ""),
        "seconds": round(entry.seconds, 3),
        "command": command_for(group, contender.mode, contender.backend),
    }
    if not entry.running or not entry.blocks:
        return line
    expected = entry.expected
    assert expected is not None
    clocks = _clocks(entry)
    median = clocks[MAIN_CLOCK]["median_ns"]
    anchor = statistics.median(anchors) if anchors else None
    footprint = entry.prepared[0]["footprint"]
    done = rate = None
    work = expected.work()
    if work is not None:
        numbers, other = expected.numbers(group.direction)
        done = work_done(work, group.direction, numbers, ITEMSIZES[group.dtype], other)
        on_host = contender.device == "cpu"
        # What only reshapes may return a view, and so moves nothing.
        roof = limits if on_host and operation.family != "reshaping" else NO_LIMITS
        rate = rates(done, int(done["bytes"]), group.dtype, median, roof)
    blocks = entry.blocks
    inside = [block["inside_ns"] for block in blocks]
    known_faults = [block["faults"] / block["calls"] for block in blocks if block["faults"] is not None]
    audit = entry.finish["audit"]
    cached = bool(crew.hello.get("compile_cache"))
    return line | {
        "clocks": clocks,
        "anchor": {"median_ns": anchor, "ratio": median / anchor} if anchor else None,
        "compile": _compile(entry, contender.mode, cached, crew.began_cached),
        "memory": entry.memory,
        "work": done,
        "rates": rate,
        "error": entry.error,
        "trust": {
            "threads": trust.threads(
                sum(block["cpu_ns"] for block in blocks), sum(block["wall_ns"] for block in blocks), settings.threads
            ),
            "output": trust.output(entry.error, entry.finish["differ"]),
            "roof": trust.roof(rate),
            "rotation": trust.rotation(audit["same"], audit["fresh"], footprint, caches()),
            "ready": trust.ready(audit["unready"]),
            "steady": trust.steady(entry.finish["counted_in_rounds"]),
            "faults": trust.faults(statistics.median(known_faults) if known_faults else None, median),
            "clock": trust.clock(inside, [block["observed_ns"] for block in blocks]),
            "resolution": trust.resolution(settings.resolution),
        },
        "overhead_ns": entry.finish["overhead_ns"],
    }


NO_LIMITS: Mapping[str, Any] = {"gemm_flops_per_s": {}, "bandwidth": []}
"""An accelerator's limits are not those of the host's memory."""


def command_for(group: Group, mode: str, backend: str) -> str:
    """The command that times one series."""
    return (
        f"tensorproof time {backend} --op={group.operation} --workload={group.workload} "
        f"--direction={group.direction} --dtype={group.dtype} --mode={mode}"
    )


def duel_line(group: Group, reference: Entry, entry: Entry, found: Comparison) -> dict[str, Any]:
    """How two contenders of a group compare."""
    return {
        "kind": "duel",
        "operation": group.operation,
        "workload": group.workload,
        "direction": group.direction,
        "dtype": group.dtype,
        "clock": MAIN_CLOCK,
        "reference": reference.contender.name,
        "contender": entry.contender.name,
        "ratio": found.ratio,
        "low": found.low if found.low > 0.0 else None,
        "high": found.high if math.isfinite(found.high) else None,
        "rounds": found.rounds,
        "launches": len(found.launch_ratios),
        "launch_ratios": list(found.launch_ratios),
        "verdict": found.verdict,
    }
