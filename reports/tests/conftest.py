"""Synthetic records of timings, of any size, the same each time."""

import base64
import gzip
import json
import random
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import pytest

from tensorproof_reports import assets

CONTENDERS = ("torch eager", "torch compile", "jax jit", "tensorflow eager", "tensorflow function", "new torch eager")
OPERATIONS = (
    *("softmax", "conv2d", "dense", "layer_norm", "lstm", "gelu", "matmul", "cross_entropy", "adam", "mnist_cnn_training"),
    *("batch_norm", "max_pool2d", "embedding", "gru", "relu", "multihead_attention", "mnist_cnn", "sgd", "tanh", "log_softmax"),
)
CHECKS = {
    "threads": "1.00 cores busy of 1 asked for",
    "output": "the last output lies 1.3 bars from the reference",
    "roof": "43 % of the compute roof",
    "rotation": "the same input takes 1.01 times as long as rotated ones",
    "faults": "0.2 page faults a call",
    "resolution": "the interval is wider than one contender against itself",
}


@dataclass
class SyntheticRecord:
    """A record of timings as read."""

    header: dict[str, Any]
    limits: dict[str, Any] | None
    timings: list[dict[str, Any]]
    duels: list[dict[str, Any]]
    end: dict[str, Any] | None
    name: str = "timings.ndjson"
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[dict[str, Any]]:
        """All lines, as they stand in the file."""
        return [line for line in (self.header, self.limits, *self.timings, *self.duels, self.end) if line is not None]


def clock(median: float) -> dict[str, Any]:
    """A clock that measured ``median`` nanoseconds."""
    return {
        "median_ns": median,
        "low_ns": median * 0.994,
        "high_ns": median * 1.007,
        "quantiles_ns": [median * (0.95 + 0.005 * k) for k in range(21)],
        "samples_ns": [median * 0.99, median, median * 1.01],
        "rounds": 31,
        "calls": 1300,
        "launch_medians_ns": [median * 0.99, median, median * 1.01],
    }


def timing(contender: str = "torch eager", operation: str = "softmax", median: float = 812e3, **changed: Any) -> dict[str, Any]:
    """The line of one measured series, with some fields changed."""
    backend, _, mode = contender.rpartition(" ")
    flops, transferred, compiled = 1.3e6, 2_097_152, mode in ("compile", "jit", "function")
    phases = {"trace_ns": 2.1e6, "lower_ns": 4e6, "compile_ns": 0.31e9, "first_call_ns": 1e6, "total_ns": 0.317e9}
    line: dict[str, Any] = {
        "kind": "timing",
        "contender": contender,
        "backend": backend,
        "environment": "",
        "device": "cpu",
        "mode": mode,
        "operation": operation,
        "operation_version": 1,
        "workload": "M",
        "direction": "forward",
        "dtype": "float32",
        "family": "normalizing",
        "status": "measured",
        "message": "",
        "source": "native",
        "clocks": {"throughput hot": clock(median), "latency hot": clock(median * 1.1), "latency cold": clock(median * 1.9)},
        "anchor": {"median_ns": 4e5, "ratio": median / 4e5},
        "compile": {"cold": phases, "warm": {**phases, "compile_ns": 4e6, "total_ns": 11e6}, "graph_breaks": 0, "recompiles": 0}
        if compiled
        else None,
        "memory": {"peak_bytes": 6_291_456, "method": "high-water mark of the process"},
        "work": {"flops": 1_300_000, "bytes": transferred, "transcendentals": 262_144},
        "rates": {
            "flops_per_s": flops * 1e9 / median,
            "bytes_per_s": transferred * 1e9 / median,
            "roof": "bandwidth",
            "roof_share": 0.43,
        },
        "error": {"outcome": "passed", "largest_bars": 1.3, "rms_bars": 0.4, "line": "y: at most 1.3 bars, 0.4 in the mean"},
        "trust": {name: {"ok": True, "value": 1.0, "message": message} for name, message in CHECKS.items()},
        "overhead_ns": 85.0,
        "seconds": 0.8,
        "command": f"tensorproof time {backend} --op={operation} --workload=M --direction=forward --dtype=float32 --mode={mode}",
    }
    return {**line, **changed}


def duel(
    contender: str = "jax jit", operation: str = "softmax", ratio: float = 1.23, verdict: str = "slower", **changed: Any
) -> dict[str, Any]:
    """The line of one duel, with some fields changed."""
    line = {
        "kind": "duel",
        "operation": operation,
        "workload": "M",
        "direction": "forward",
        "dtype": "float32",
        "clock": "throughput hot",
        "reference": "torch eager",
        "contender": contender,
        "ratio": ratio,
        "low": ratio * 0.985,
        "high": ratio * 1.016,
        "rounds": 31,
        "launches": 3,
        "launch_ratios": [ratio * 0.99, ratio, ratio * 1.01],
        "verdict": verdict,
    }
    return {**line, **changed}


def record(timings: list[dict[str, Any]], duels: list[dict[str, Any]] | None = None, **header: Any) -> SyntheticRecord:
    """A complete record of some series and duels."""
    names = sorted({line["contender"] for line in timings if isinstance(line["contender"], str)})
    contenders = [
        {"name": name, "backend": name.split()[0], "environment": "", "device": "cpu", "mode": name.split()[-1]}
        for name in names
        if name
    ]
    backends = [
        {
            "label": name,
            "backend": name,
            "environment": "",
            "device": "cpu",
            "versions": {name: "2.13.0"},
            "arithmetic": {"TF32": "off"},
            "packages": {"numpy": "2.4.6"},
        }
        for name in sorted({entry["backend"] for entry in contenders})
    ]
    first = {
        "kind": "timing_run",
        "format": 2,
        "method": 2,
        "tensorproof": "0.1.0",
        "specification": "44.44",
        "started": "2026-11-21T03:00:00+00:00",
        "seed": 0,
        "contenders": contenders,
        "backends": backends,
        "machine": {
            "system": "Linux",
            "release": "6.1.0",
            "architecture": "x86_64",
            "processor": "A processor",
            "cores": 2,
            "python": "3.11.2",
            "threads": {},
        },
        "threads": 1,
        "launches": 3,
        "rounds": 31,
        "affinity": [0],
        "notes": [],
        "workloads": ["S", "M"],
        "directions": ["forward", "forward+backward"],
        "planned": len(timings),
        "options": {},
    }
    limits = {
        "kind": "machine_limits",
        "gemm_flops_per_s": {"float32": 9.1e10, "float64": 4.5e10},
        "bandwidth": [{"footprint_bytes": 131072, "bytes_per_s": 6e10}, {"footprint_bytes": 67108864, "bytes_per_s": 1.1e10}],
        "resolution": {"ratio_low": 0.995, "ratio_high": 1.004, "spread": 0.004, "seconds": 5.0},
        "anchor_ns": 812345,
    }
    seconds = {"total": 100.0, "measuring": 80.0, "preparing": 15.0, "reference": 3.0, "own": 2.0}
    end = {"kind": "end", "finished": "2026-11-21T03:02:00+00:00", "counts": {"measured": len(timings)}, "seconds": seconds}
    return SyntheticRecord({**first, **header}, limits, timings, duels or [], end)


def large(series: int, seed: int = 0) -> SyntheticRecord:
    """A record of so many series, with all that can be in one: every status, trust lost, every verdict."""
    source = random.Random(seed)
    places = [
        (f"{operation}{suffix}", {"workload": workload, "direction": direction})
        for suffix in ("", *(f"_{number}" for number in range(2, 12)))
        for operation in OPERATIONS
        for workload in ("S", "M")
        for direction in ("forward", "forward+backward")
    ]
    timings: list[dict[str, Any]] = []
    duels: list[dict[str, Any]] = []
    for operation, place in places:
        median = 10 ** source.uniform(3, 7)
        duelling = True
        for contender in CONTENDERS[: min(len(CONTENDERS), series - len(timings))]:
            line, ratio = _varied(source, contender, operation, median)
            timings.append({**line, **place})
            duelling = duelling and (contender != CONTENDERS[0] or line["status"] == "measured")
            if duelling and contender != CONTENDERS[0] and line["status"] == "measured":
                verdict = (
                    source.choice(("not_resolved", "same")) if abs(ratio - 1) < 0.05 else "faster" if ratio < 1 else "slower"
                )
                duels.append({**duel(contender, operation, ratio, verdict), **place})
    return record(timings, duels)


def _varied(source: random.Random, contender: str, operation: str, median: float) -> tuple[dict[str, Any], float]:
    ratio = 1.0 if contender == CONTENDERS[0] else source.choice((10 ** source.uniform(-0.7, 0.9), source.uniform(0.97, 1.03)))
    line = timing(contender, operation, median * ratio)
    line["error"] = {**line["error"], "largest_bars": round(10 ** source.uniform(-1.5, 0.9), 3)}
    chance = source.random()
    if chance < 0.06:
        status = source.choice(
            ("unsupported", "error", "crashed", "timed_out", "out_of_memory", "not_run", "not_resolved_by_clock")
        )
        return timing(
            contender, operation, status=status, message="the framework has no such operation", clocks={}, trust={}, compile=None
        ), 1.0
    if chance < 0.1:
        line["trust"]["threads"] = {"ok": False, "value": 1.9, "message": "1.90 cores busy of 1 asked for"}
    elif chance < 0.13:
        line["rates"] = {**line["rates"], "roof_share": 1.7}
    elif chance < 0.16:
        line["error"] = {"outcome": "failed", "largest_bars": 5321.0, "rms_bars": 800.0, "line": "y: 5321 bars"}
        line["trust"]["output"] = {"ok": False, "value": 5321.0, "message": "the last output lies 5321 bars from the reference"}
    elif chance < 0.2:
        line["trust"]["faults"] = {"ok": None, "value": None, "message": "this system does not count page faults"}
    elif chance < 0.24:
        line.update(work=None, rates=None, memory={"peak_bytes": None, "method": "not measured: the worker was reused"})
    return line, ratio


@pytest.fixture(name="make")
def make_fixture() -> Any:
    """The functions of this file, since tests do not import each other."""

    class Make:
        record = staticmethod(record)
        timing = staticmethod(timing)
        duel = staticmethod(duel)
        large = staticmethod(large)

    return Make


class Foreign(HTMLParser):
    """Collects what of a page may run or load and is not the page's own."""

    LOADING = ("iframe", "object", "embed", "link", "base", "audio", "video", "source", "applet", "frame", "form action")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._script: dict[str, str | None] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at an element and its attributes."""
        if tag in self.LOADING:
            self.found.append(tag)
        for name, value in attrs:
            if name.startswith("on") or (name in ("src", "href", "action") and not (value or "").startswith("#")):
                self.found.append(f"{tag} {name}={value}")
        self._script = dict(attrs) if tag == "script" else None

    def handle_endtag(self, tag: str) -> None:
        """Leave a script."""
        self._script = None

    def handle_data(self, data: str) -> None:
        """Look at the text of a script."""
        if self._script == {} and data != assets.script():
            self.found.append(data)
        if self._script and (self._script["type"] != "application/octet-stream" or not re.fullmatch(r"[A-Za-z0-9+/=]*", data)):
            self.found.append(data)


@pytest.fixture
def foreign() -> Any:
    """What of a page may run or load and is not the page's own."""

    def found(text: str) -> list[str]:
        parser = Foreign()
        parser.feed(text)
        parser.close()
        return parser.found

    return found


@pytest.fixture
def held() -> Any:
    """What a page holds compressed: its data (of checks, else of timings), and the details by number of the check."""

    def found(text: str) -> tuple[dict[str, Any], dict[int, Any]]:
        blocks = dict(re.findall(r'<script type="application/octet-stream" id="([a-z]+)-data">([^<]*)</script>', text))
        plain = {name: gzip.decompress(base64.b64decode(block)).decode() for name, block in blocks.items()}
        lines = [json.loads(line) for line in plain["details"].splitlines()]
        return json.loads(plain.get("rows") or plain["timings"]), {line["n"]: line["d"] for line in lines}

    return found
