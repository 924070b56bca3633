"""The number of calls after which compiling has paid off: right, and told apart from never and from not known."""

import pytest

from tensorproof_reports.break_even import calls_to_break_even, with_break_even
from tensorproof_reports.timings import BREAK_EVEN, COLUMNS, row_of

COLUMN = [title for title, _ in COLUMNS].index(BREAK_EVEN)


def told(*lines):
    """The cells of the column, by contender."""
    return {row.contender: row.cells[COLUMN] for row in with_break_even([row_of(line) for line in lines])}


@pytest.mark.parametrize("calls", [1, 316, 317, 318, 1000])
def test_from_that_call_on_compiling_has_taken_less_time(calls):
    compile_ns, eager_ns, compiled_ns = 317e6, 2e6, 1e6
    saved = compile_ns + calls * compiled_ns <= calls * eager_ns
    assert saved == (calls >= calls_to_break_even(compile_ns, eager_ns, compiled_ns))


def test_a_compiled_mode_is_compared_with_the_eager_mode_of_the_same_backend(make):
    found = told(
        make.timing("torch eager", median=2e6), make.timing("torch compile", median=1e6), make.timing("jax jit", median=1e6)
    )
    assert (found["torch compile"].text, found["torch compile"].title) == ("317", "calls, against torch eager")
    assert (found["jax jit"].text, found["jax jit"].title) == ("–", "no eager mode of it was timed")
    assert (found["torch eager"].text, found["torch eager"].title) == ("–", "nothing is compiled")


@pytest.mark.parametrize(
    "different",
    [{"operation": "relu"}, {"device": "cuda"}, {"environment": "new"}, {"direction": "forward+backward"}],
    ids=lambda changed: next(iter(changed)),
)
def test_what_was_timed_elsewhere_is_no_comparison(make, different):
    found = told(make.timing("torch eager", median=2e6, **different), make.timing("torch compile", median=1e6))
    assert found["torch compile"].text == "–"


def test_what_is_not_faster_never_breaks_even(make):
    found = told(make.timing("torch eager", median=1e6), make.timing("torch compile", median=1e6))
    assert (found["torch compile"].text, found["torch compile"].title) == ("never", "not faster than torch eager")


def test_a_time_with_a_full_cache_is_said_to_be_one(make):
    compiled = {"cold": None, "warm": {"total_ns": 50e6}}
    found = told(make.timing("torch eager", median=2e6), make.timing("torch compile", median=1e6, compile=compiled))
    assert found["torch compile"].text == "50"
    assert "kept on disk" in found["torch compile"].title


def test_what_rests_on_an_untrusted_row_is_marked(make):
    doubted = {"threads": {"ok": False, "value": 2.0, "message": "two threads"}}
    found = told(make.timing("torch eager", median=2e6, trust=doubted), make.timing("torch compile", median=1e6))
    assert found["torch compile"].text == "⚠ 317"
