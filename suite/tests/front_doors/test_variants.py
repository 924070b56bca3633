"""A variant of a mode at every front door: asked for by its name, with a colon in it, and left alone otherwise."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_backend import backend

BODY = """
modes = {"eager": "all", "jit": "all"}
variants = {"jit:other": "all"}

def hit(self, run, mode):
    def wrong(*arrays):
        outputs, *others = run(*arrays)
        return (tuple(y * 1.01 for y in outputs), *others)

    return wrong if mode == "jit:other" and "WRONG" in os.environ else run

def forward(self, function, mode):
    return self.hit(super().forward(function, "eager"), mode)

def value_and_vjp(self, function, mode):
    return self.hit(super().value_and_vjp(function, "eager"), mode)
"""
ONE = ("--op=tanh", "--dtype=float64", "--sample=plain_both_signs", "--check=forward")
WRONG = {"WRONG": "1"}


@pytest.fixture
def folder(plugin: Callable[..., Path]) -> Path:
    return plugin("fake", backend(BODY))


def lines(record: Path) -> list[dict]:
    return [json.loads(text) for text in record.read_text(encoding="utf-8").splitlines()]


def test_a_check_runs_a_variant_only_if_it_is_asked_for(tensorproof, folder: Path, tmp_path: Path):
    done = tensorproof("check", "fake", "-n0", *ONE, "--record=default.ndjson", path=folder, environment=WRONG)
    assert done.code == 0, done.text
    header, *checks, _ = lines(tmp_path / "default.ndjson")
    assert [*header["modes"]] == ["eager", "jit"]
    assert {line["mode"] for line in checks} == {"eager", "jit"}
    wrong = ("--record=wrong.ndjson", "--report=wrong.html", "--dump=dumped")
    done = tensorproof("check", "fake", "-n0", *ONE, "--mode=jit:other", *wrong, path=folder, environment=WRONG)
    assert done.code == 1
    header, line, *_ = lines(tmp_path / "wrong.ndjson")
    assert (line["mode"], line["status"], line["required"]) == ("jit:other", "failed", False)
    assert line["command"].endswith("--mode=jit:other")
    assert "fake" in (tmp_path / "wrong.html").read_text(encoding="utf-8")
    assert {path.suffix for path in (tmp_path / "dumped").iterdir()} == {".npz", ".py"}
    done = tensorproof(*line["command"].split()[1:], "-n0", path=folder)
    assert done.code == 0, done.text
    done = tensorproof("check", "fake", "-n0", "--op=tanh", "--thorough", "--record=whole.ndjson", path=folder)
    assert done.code == 0, done.text
    assert {line["mode"] for line in lines(tmp_path / "whole.ndjson")[1:-1]} >= {"eager", "jit", "jit:other"}


def test_programs_run_in_a_variant(tensorproof, folder: Path):
    arguments = ("fuzz", "fake", "--programs=4", "--source=random", "--mode=jit:other")
    done = tensorproof(*arguments, path=folder)
    assert done.text.splitlines()[-1] == "fake jit:other float32: no finding in 4 programs (4 passed)"
    assert tensorproof(*arguments, path=folder, environment=WRONG).code == 1


def test_what_may_be_timed_are_modes_and_variants(tensorproof, folder: Path):
    done = tensorproof("time", "fake", "--op=tanh", "--mode=jit:othr", path=folder)
    assert done.code == 4
    assert "--mode: nothing is called 'jit:othr' (did you mean jit:other?); there are: eager, jit, jit:other" in done.text
