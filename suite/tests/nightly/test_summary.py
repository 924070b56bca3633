"""The summary: Markdown that nothing in a record can break, or use."""

import re

import pytest
from nightly_records import night, series

from tensorproof.nightly.gates import Gated
from tensorproof.nightly.judge import Alarm, Backend, Judgement
from tensorproof.nightly.summary import SHOWN, escaped, summary

HOSTILE = "a|b\n## c `d` <script>alert(1)</script> [x](http://evil.example) ![i](https://evil.example) @someone **b** \x1b[31m #1"


def finding(state: str, number: int = 0, **changes) -> dict:
    which = series(number)
    fields = ("backend", "device", "mode", "operation", "workload", "direction", "dtype")
    line = {"series": {name: getattr(which, name) for name in fields}, "since": night(9), "factor": 1.1, "state": state}
    return {**line, "message": "new/old 1.100", "first_alarm": "", **changes}


def judgement(**changes) -> Judgement:
    made = Judgement(night(9), [Backend("torch", "torch 2.13.0", {"passed": 5, "failed": 1}, "conforms")], Gated((), 10, 2, 1))
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def outside_code(text: str) -> str:
    """What a reader of Markdown looks at for markup."""
    return re.sub(r"`[^`\n]*`", "", text)


def test_text_of_a_record_is_text():
    text = escaped(HOSTILE)
    assert outside_code(text) == ""
    for markup in ("|", "\n", "\x1b"):
        assert markup not in text


@pytest.mark.parametrize(
    "text", ["_a_", "http://evil.example", "**b**", "#1", "~~x~~", "[x]", "a@b", "<b>", "\\", "&amp;", "$x$"]
)
def test_what_could_be_markup_is_code(text):
    assert escaped(text) == f"`{text}`"


@pytest.mark.parametrize(
    "text", ["torch eager batch_norm M forward float32", "1.29× [1.28, 1.30]", "2026-09-01T030000Z", "a/b: 3 %"]
)
def test_what_reads_well_stays_as_it_is(text):
    assert escaped(text).strip("`") == text


SERIES = finding("slower")["series"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"alarms": [Alarm("missing", HOSTILE, HOSTILE)]}, id="alarm"),
        pytest.param({"findings": [finding("slower", message=HOSTILE, series={**SERIES, "mode": HOSTILE})]}, id="series"),
        pytest.param({"backends": [Backend("torch", HOSTILE, {HOSTILE: 3}, HOSTILE, HOSTILE)]}, id="backend"),
        pytest.param({"machines": [HOSTILE], "notes": [HOSTILE], "resolution": HOSTILE, "seconds": {HOSTILE: 3.0}}, id="rest"),
    ],
)
def test_a_hostile_record_breaks_no_table_and_adds_no_markup(changes):
    text = summary(judgement(**changes))
    for markup in ("<script", "](http", "@someone", "\n## c", "**b**"):
        assert markup not in outside_code(text)
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1


@pytest.mark.parametrize(
    "state", ["slower", "faster", "cleared", "not_resolved", "same_packages", "unconfirmable", "over_limit", "waiting"]
)
def test_every_state_is_shown(state):
    assert "torch eager op0 M forward float32" in summary(judgement(findings=[finding(state)]))


def test_a_backend_without_results_has_no_zeros():
    text = summary(judgement(backends=[Backend("jax")]))
    row = next(line for line in text.splitlines() if line.startswith("| jax"))
    assert "0" not in row


def test_long_tables_are_cut_and_counted():
    text = summary(judgement(findings=[finding("cleared", number) for number in range(SHOWN + 7)]))
    assert text.count("torch eager op") == SHOWN
    assert "… and 7 more" in text


def test_long_texts_are_cut():
    assert len(escaped("x" * 10_000)) < 400
