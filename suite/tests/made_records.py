"""Made-up records of conformance, of any size and the same each time."""

import functools
import random
from typing import Any

import made_lines

from tensorproof.contract.backends import specification
from tensorproof.runs.records import Record

HEADER = made_lines.run(
    specification="146.146", backend="torch", dtypes=["float64", "float32", "bfloat16", "float16"],
    modes={"eager": "all", "compile": "spread"}, versions={"torch": "2.13"}, arithmetic={"TF32": "off"},
    sources={"softmax": "native"}, defaults={"adam": {"learning_rate": "0.001", "epsilon": "1e-08"}},
)  # fmt: skip

CHECKS = ("forward", "gradient", "fused", "purity")
DTYPES = ("float64", "float32", "bfloat16", "float16")


def finding(source: random.Random, place: str, output: str, wrong: bool) -> dict[str, Any]:
    """One judged output, with numbers as random as real ones."""
    bars = 10 ** source.uniform(1.1, 6) if wrong else source.uniform(0, 3)
    got, expected = source.gauss(0, 1), source.gauss(0, 1)
    index = [source.randrange(18), source.randrange(17)]
    line = f"{place} {output}: {bars:.3g} bars from the reference (limit 10) at {index}: got {got}, expected {expected} ± 1e-9"
    told: dict[str, Any] = {
        "output": output, "label": f"{place} {output}", "outcome": "failed" if wrong else "passed", "reason": "bars",
        "line": line, "size": 306, "outside": source.randrange(1, 306) if wrong else 0, "largest_z": bars, "rms_z": bars / 3,
        "share": bars / 10, "index": index, "got": got, "expected": expected, "bar": source.uniform(1e-9, 1e-8),
        "ulp": source.uniform(0, 1e6),
    }  # fmt: skip
    if wrong:
        told |= {"input": {"x": source.gauss(0, 1)}, "shapes": {"x": [18, 17]}, "keywords": {"axis": "-1"}, "fits": []}
    return told


def check(source: random.Random, operation: str, sample: str, dtype: str, mode: str, kind: str, wrong: bool) -> dict[str, Any]:
    """A check's line of a record."""
    place = f"{operation} {sample} {dtype}"
    outputs = ["y"] if kind == "forward" else [] if kind == "purity" else ["y", "d_x", "d_w"]
    findings = [finding(source, place, output, wrong) for output in outputs]
    return {
        "kind": "check", "check": kind, "operation": operation, "operation_version": 1, "sample": sample, "sample_version": 1,
        "dtype": dtype, "mode": mode, "required": True, "status": "failed" if wrong else "passed",
        "message": findings[0]["line"] if findings else "inputs unchanged, results repeat", "findings": findings,
        "declaration": "", "stale": False, "unverified": False, "traceback": "",
        "inputs": f"{source.getrandbits(64):016x}", "source": "native", "placement": "cpu",
        "duration_ns": source.randrange(10**6, 10**8), "framework_ns": source.randrange(10**6),
        "command": f"tensorproof check torch --op={operation} --check={kind} --sample={sample} --dtype={dtype} --mode={mode}",
    }  # fmt: skip


def made_record(count: int, wrong: float = 0.0, seed: int = 0, **header: Any) -> Record:
    """A record of ``count`` checks, a share of them ``wrong``, of operations that the specification has."""
    checks = list(made_checks(count, wrong, seed))
    return Record({**HEADER, "planned": count, **header}, checks, end={"kind": "end"}, name=f"made_{seed}.ndjson")


@functools.lru_cache(maxsize=4)
def made_checks(count: int, wrong: float, seed: int) -> list[dict[str, Any]]:
    """Its checks; they are shared by tests, which change none."""
    source = random.Random(seed)
    names = list(specification())
    checks: list[dict[str, Any]] = []
    sample = 0
    while len(checks) < count:
        for name in names:
            for dtype in DTYPES:
                checks += [
                    check(source, name, f"sample_{sample}", dtype, mode, kind, source.random() < wrong)
                    for mode in ("eager", "compile")
                    for kind in CHECKS
                ]
        sample += 1
    return checks[:count]
