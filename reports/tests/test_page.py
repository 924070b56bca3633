"""The page: right counts, everything escaped, nothing loaded."""

import html
import json
import re
from pathlib import Path

import pytest

from tensorproof.errors import UsageError
from tensorproof.runs.records import Record
from tensorproof_reports.page import page, write_page

HEADER = {
    "kind": "run", "format": 2, "tensorproof": "0.1.0", "specification": "44.44", "started": "2026-01-01T00:00:00+00:00",
    "backend": "torch", "device": "cpu", "seed": 0,
    "dtypes": ["float32"], "modes": {"eager": "all"}, "versions": {"torch": "2.13"},
    "arithmetic": {"TF32": "off"}, "sources": {}, "reasons": {}, "machine": {"processor": "x", "cores": 2, "system": "Linux"},
    "options": {"profile": "core"}, "shard": None, "planned": 3, "left_out": {}, "declarations": [], "idle_declarations": [],
}  # fmt: skip
CHECK = {
    "kind": "check", "check": "forward", "operation": "softmax", "sample": "plain_rows", "dtype": "float32", "mode": "eager",
    "required": True, "status": "passed", "message": "fine", "findings": [], "declaration": "", "stale": False, "traceback": "",
    "inputs": "", "source": "native", "placement": "cpu", "duration_ns": 1,
    "framework_ns": 1, "command": "tensorproof check torch",
}  # fmt: skip


def record(*checks: dict[str, object]) -> Record:
    return Record(dict(HEADER), [{**CHECK, **check} for check in checks], end={"kind": "end"}, name="run.ndjson")


def test_matrix_counts_passed_of_all_and_shows_the_gravest():
    text = page([record({}, {"status": "failed", "sample": "nan_each_lane"}, {"status": "unsupported", "sample": "axis_first"})])
    assert '<td class="failed" title="1 passed, 1 failed, 1 unsupported">✗ 1/3</td>' in text


def test_missing_checks_are_counted_as_not_run_and_the_run_as_incomplete():
    text = page([record({})])
    assert "incomplete" in text
    assert '<td class="number not_run">2</td>' in text


def test_failing_case_shows_its_command():
    text = page([record({"status": "failed", "command": "tensorproof check torch --op=softmax"})])
    assert "tensorproof check torch --op=softmax" in text


def test_causes_stand_above_the_matrix_with_anchors():
    finding = {"output": "y", "outcome": "failed", "reason": "nan", "got": 0.0, "expected": "nan", "line": "y: NaN", "size": 4}
    text = page([record({"status": "failed", "sample": "nan_each_lane", "findings": [finding]}, {})])
    assert text.index('id="causes"') < text.index('id="matrix"')
    assert '<details class="cause" id="cause:torch:softmax-nan-lost">' in text
    assert "softmax: NaN becomes 0; 1 check" in text


def test_failing_training_shows_its_findings_beside_its_curves(held):
    judged = {"output": "loss", "outcome": "failed", "line": "loss: 12 bars", "largest_z": 12.0, "rms_z": None}
    curve = {"output": "loss", "got": [1.0, "nan"], "expected": [1.0, 0.5]}
    _, details = held(page([record({"check": "training", "status": "failed", "findings": [judged, curve]})]))
    assert details[0]["f"] == [judged, curve]


@pytest.mark.parametrize("field", ["operation", "sample", "message", "command", "mode", "traceback", "dtype", "declaration"])
def test_what_records_supply_is_escaped(foreign, held, field):
    text = page([record({"status": "failed", field: "<script>alert(1)</script>"})])
    assert foreign(text) == []
    data, details = held(text)
    assert "<script>alert(1)</script>" in json.dumps([data, details])


def test_page_loads_nothing_and_forbids_it(foreign):
    text = page([record({})])
    assert foreign(text) == []
    policy = html.unescape(re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1])
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//|url\(|@import|fetch\(|XMLHttp|import\(""", text)


def test_several_runs_stand_side_by_side():
    other = record({"mode": "jit"})
    other.header["backend"] = "jax"
    text = page([record({}), other])
    assert "torch<br>eager" in text
    assert "jax<br>jit" in text


def test_instruction_sets_are_shown_and_what_was_not_verified_on_them_is_said():
    header = {"declarations": [{"kind": "unsupported", "source": "d", "verified": ["avx2"]}], "instructions": {"name": "<amx>"}}
    one = Record({**HEADER, **header}, [CHECK], end={"kind": "end"}, name="one.ndjson")
    text = page([one, record({})])
    assert "instruction set &lt;amx&gt;" in text
    assert "were verified on avx2 only, not on &lt;amx&gt;" in text
    assert "These runs are of different instruction sets (&lt;amx&gt;; unknown)" in text
    assert "different instruction sets" not in page([one])


def test_malformed_record_is_a_usage_error(tmp_path: Path):
    broken = record({})
    del broken.header["machine"]
    with pytest.raises(UsageError, match="malformed"):
        write_page([broken], tmp_path / "page.html")
