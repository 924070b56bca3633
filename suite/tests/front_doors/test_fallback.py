"""A compiler that falls back in silence is told at every front door: terminal, record, comparison, merging, page, verdict."""

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema_rs
import pytest
from fake_backend import backend

import tensorproof.runs as runs

BODY = """
modes = {"eager": "all", "jit": "all"}
programs = 0

def compile(self, mode):
    Fake.programs += mode == "jit" and "FALLS_BACK" not in os.environ

def forward(self, function, mode):
    self.compile(mode)
    return super().forward(function, mode)

def value_and_vjp(self, function, mode):
    self.compile(mode)
    return super().value_and_vjp(function, mode)

def compile_counters(self):
    return {"compiled": Fake.programs}
"""
CHECKS = ("check", "fake", "-n0", "--op=tanh", "--check=forward", "--dtype=float64", "--sample=plain_both_signs")


@pytest.fixture
def folder(plugin: Callable[..., Path]) -> Path:
    return plugin("fake", backend(BODY))


def lines(record: Path) -> list[dict]:
    return [json.loads(text) for text in record.read_text().splitlines()]


def test_a_silent_fallback_is_told_everywhere(tensorproof, folder: Path, tmp_path: Path):
    right = tensorproof(*CHECKS, "--record=right.ndjson", path=folder)
    assert right.code == 0, right.text
    back = {"FALLS_BACK": "1"}
    done = tensorproof(*CHECKS, "--record=back.ndjson", "--report=page.html", path=folder, environment=back)
    assert done.code == 1
    # The terminal: a column of its own, the cause and the verdict.
    assert "FELL BACK tanh plain_both_signs float64 jit forward: ran eagerly in mode jit: nothing was compiled" in done.text
    assert "tanh-jit-ran-eagerly: tanh: ran eagerly in mode jit" in done.text
    assert any(line.split()[-2:] == ["fell", "back"] for line in done.text.splitlines())
    assert "1 fell back" in done.text.splitlines()[-1]
    # The record.
    schema = json.loads((Path(runs.__file__).parent / "record.schema.json").read_text())
    record = lines(tmp_path / "back.ndjson")
    for line in record:
        jsonschema_rs.validate(schema, line)
    statuses = {line["mode"]: (line["status"], line["compiled"]) for line in record if line["kind"] == "check"}
    assert statuses == {"eager": ("passed", {}), "jit": ("fell_back", {"compiled": 0})}
    assert record[-1]["counts"] == {"passed": 1, "fell_back": 1}
    # A comparison, and merging.
    compared = tensorproof("compare", "right.ndjson", "back.ndjson")
    assert compared.code == 1
    assert "passed → fell_back" in compared.text
    merged = tensorproof("merge", "back.ndjson", "-o", "merged.ndjson")
    assert "1 fell back" in merged.text
    # The page.
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "computed on another device than asked, or eagerly in a compiled mode" in page
    assert "↩ fell back" in page
    assert "ran eagerly in mode jit" in page
