"""Lines as runs write them, made up: what a test does not name has a plain value."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tensorproof.lines.reading import DIGEST, digest_text

MOMENT = "2026-09-01T03:00:00+00:00"
MACHINE = {
    "system": "Linux",
    "release": "6.1",
    "architecture": "x86_64",
    "processor": "made up",
    "cores": 2,
    "python": "3.11.9",
    "threads": {},
}


def run(**changes: Any) -> dict[str, Any]:
    """The header of a record."""
    backend = changes.get("backend", "numpy")
    return {
        "kind": "run",
        "format": 2,
        "tensorproof": "0.1.0",
        "specification": "1",
        "started": MOMENT,
        "backend": backend,
        "device": "cpu",
        "seed": 0,
        "dtypes": ["float32"],
        "modes": {"eager": "all"},
        "versions": {backend: "1.0"},
        "arithmetic": {},
        "instructions": {"name": "avx2", "kernels": {}, "limit": None},
        "defaults": {},
        "sources": {},
        "reasons": {},
        "machine": MACHINE,
        "compiled_before": None,
        "options": {"profile": "core", "shard": None, "quick": False, "thorough": False, "strict_declarations": False},
        "shard": None,
        "planned": 1,
        "left_out": {},
        "declarations": [],
        "idle_declarations": [],
        **changes,
    }


def check(**changes: Any) -> dict[str, Any]:
    """The line of a check."""
    return {
        "kind": "check",
        "check": "forward",
        "operation": "tanh",
        "operation_version": 1,
        "sample": "plain",
        "sample_version": 1,
        "dtype": "float32",
        "mode": "eager",
        "required": True,
        "status": "passed",
        "message": "",
        "findings": [],
        "declaration": "",
        "stale": False,
        "unverified": False,
        "traceback": "",
        "inputs": "",
        "source": "native",
        "placement": "cpu",
        "duration_ns": 10,
        "framework_ns": 5,
        "command": "tensorproof check numpy --op=tanh",
        **changes,
    }


def end(counts: Mapping[str, int], **changes: Any) -> dict[str, Any]:
    """The closing line of a record."""
    judged = {
        "profile": "core",
        "word": "conforms",
        "required": 1,
        "passed": 1,
        "wrong": {},
        "unsupported": 0,
        "excused": 0,
        "not_meaningful": 0,
        "not_run": 0,
    }
    return {"kind": "end", "finished": MOMENT, "counts": dict(counts), "verdict": judged, **changes}


def timing_run(**changes: Any) -> dict[str, Any]:
    """The header of a record of timings."""
    return {
        "kind": "timing_run",
        "format": 2,
        "method": 2,
        "tensorproof": "0",
        "specification": "1",
        "started": MOMENT,
        "seed": 0,
        "contenders": [],
        "backends": [],
        "machine": MACHINE,
        "threads": 1,
        "launches": 3,
        "rounds": 31,
        "series_seconds": 6.0,
        "affinity": None,
        "notes": [],
        "workloads": ["S"],
        "directions": ["forward"],
        "dtypes": ["float32"],
        "planned": 8,
        "options": {},
        **changes,
    }


def limits(**changes: Any) -> dict[str, Any]:
    """The line of the machine's limits."""
    return {
        "kind": "machine_limits",
        "gemm_flops_per_s": {},
        "bandwidth": [],
        "resolution": {"ratio_low": 0.999, "ratio_high": 1.001, "spread": 0.001, "seconds": 0.0},
        "anchor_ns": 400_000.0,
        **changes,
    }


def clock(median: float = 1000.0) -> dict[str, Any]:
    """One clock of a series."""
    return {
        "median_ns": median,
        "low_ns": median * 0.99,
        "high_ns": median * 1.01,
        "quantiles_ns": [median] * 21,
        "samples_ns": [median],
        "rounds": 31,
        "calls": 10,
        "launch_medians_ns": [median],
    }


def timing(**changes: Any) -> dict[str, Any]:
    """The line of a series."""
    measured = {
        "clocks": {"throughput hot": clock()},
        "anchor": {"median_ns": 400_000.0, "ratio": 1.0},
        "compile": None,
        "memory": None,
        "work": None,
        "rates": None,
        "error": {"outcome": "passed", "largest_bars": 0.5, "rms_bars": 0.1, "line": ""},
        "trust": {"output": {"ok": True, "value": 1.0, "message": ""}},
        "overhead_ns": 1.0,
    }
    line = {
        "kind": "timing",
        "contender": "small eager",
        "backend": "small",
        "environment": "",
        "device": "cpu",
        "mode": "eager",
        "operation": "tanh",
        "operation_version": 1,
        "family": "elementwise",
        "workload": "S",
        "direction": "forward",
        "dtype": "float32",
        "status": "measured",
        "message": "",
        "traceback": "",
        "source": "native",
        "seconds": 0.5,
        "command": "tensorproof time small --op=tanh",
    }
    return {**line, **(measured if changes.get("status", "measured") == "measured" else {}), **changes}


def duel(**changes: Any) -> dict[str, Any]:
    """The line of a comparison."""
    return {
        "kind": "duel",
        "operation": "tanh",
        "workload": "S",
        "direction": "forward",
        "dtype": "float32",
        "clock": "throughput hot",
        "reference": "small eager",
        "contender": "small jit",
        "ratio": 1.0,
        "low": 0.99,
        "high": 1.01,
        "rounds": 31,
        "launches": 3,
        "launch_ratios": [1.0],
        "verdict": "same",
        **changes,
    }


NIGHT_END = {"kind": "end", "finished": MOMENT, "exit_code": 0}
"""The closing line of a night, and of its verdict."""


def timing_end(counts: Mapping[str, int]) -> dict[str, Any]:
    """The closing line of a record of timings."""
    return {"kind": "end", "finished": MOMENT, "counts": dict(counts), "seconds": {"total": 1.0}}


def text_of(lines: Iterable[Any]) -> str:
    """Lines as they are, without any check; texts are taken for lines already. A closing line without digest gets one."""
    text = ""
    for line in lines:
        text += line if isinstance(line, str) else json.dumps(line, separators=(",", ":")) + "\n"
        if isinstance(line, Mapping) and line.get("kind") == "end" and DIGEST not in line:
            text = text.removesuffix("}\n") + digest_text(hashlib.sha256(text.encode())).decode()
    return text


def write(path: Path, lines: Iterable[Any]) -> Path:
    """Write lines as ``text_of`` gives them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text_of(lines), encoding="utf-8", newline="\n")
    return path
