"""What a terminal shows of timings and duels: at most 80 columns, factors that agree with their words, versions and places."""

from typing import Any

import pytest

from tensorproof.timing.command import left_text, summary
from tensorproof.timing.results.records import TimingRecord
from tensorproof.timing.tables import contenders_text, duels_text, timings_text, verdict_text

LONGEST = {
    "operation": "scaled_dot_product_attention",
    "workload": "M",
    "direction": "forward+backward",
    "dtype": "float32",
}


def timing(contender: str, **others: Any) -> dict[str, Any]:
    clock = {"median_ns": 123_456.0, "low_ns": 120_000.0, "high_ns": 130_000.0}
    measured = {
        "status": "measured",
        "clocks": {"throughput hot": clock},
        "rates": {"flops_per_s": 123.4e9, "roof_share": 0.87},
        "error": {"outcome": "passed", "largest_bars": 0.123},
        "trust": {"threads": {"ok": True}, "rotation": {"ok": False}},
    }
    return {**LONGEST, "contender": contender, **measured, **others}


def duel(verdict: str, ratio: float) -> dict[str, Any]:
    return {**LONGEST, "reference": "tensorflow function", "contender": "tensorflow xla", "verdict": verdict} | {
        "ratio": ratio,
        "low": ratio * 0.98,
        "high": ratio * 1.02,
    }


def record(*duels: dict[str, Any]) -> TimingRecord:
    timings = [
        timing("tensorflow function"),
        timing("tensorflow xla", status="unsupported", message="no kernel for it " * 9),
    ]
    backends = [
        {"label": "old torch", "versions": {"torch": "2.12.0"}, "place": "its environment"},
        {"label": "new torch", "versions": {"torch": "2.13.0"}, "place": "another folder"},
    ]
    return TimingRecord({"backends": backends}, {"resolution": {"spread": 0.01}}, timings, list(duels))


def test_every_line_fits_80_columns():
    run = record(duel("faster", 0.146), duel("not_resolved", 1.01))
    lines = [line for text in (timings_text(run), duels_text(run)) for line in text.plain.splitlines()]
    assert [line for line in lines if len(line) > 80] == []
    assert any("unsupported: no kernel for it" in line for line in lines)
    assert any("tensorflow xla" in line and "▲ faster 6.85×" in line and "0.146" in line for line in lines)


def test_what_is_timed_and_the_reference_are_named_once():
    text = duels_text(record(duel("faster", 0.5), duel("slower", 2.0))).plain
    assert text.count("scaled_dot_product_attention M forward+backward float32") == 1
    assert text.count("tensorflow function") == 1


@pytest.mark.parametrize(
    ("verdict", "ratio", "text"),
    [
        ("faster", 0.146, "▲ faster 6.85×"),
        ("slower", 6.85, "▼ slower 6.85×"),
        ("slower", 123.4, "▼ slower 123×"),
        ("same", 0.999, "= same"),
        ("not_resolved", 0.5, "? not resolved"),
    ],
)
def test_a_factor_agrees_with_its_word(verdict, ratio, text):
    assert verdict_text(verdict, ratio) == text


def test_each_contender_has_its_version_and_place():
    assert contenders_text(record()).splitlines() == [
        "old torch: torch 2.12.0; from its environment",
        "new torch: torch 2.13.0; from another folder",
    ]


def test_the_time_left_is_told_once_something_is_done():
    assert left_text(0, 4, 10.0) == ""
    assert left_text(1, 4, 10.0) == ", 0:30 left"


def test_the_summary_does_not_name_a_file():
    assert "record" not in summary(record())
