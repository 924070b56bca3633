"""What changed since an earlier run, and the nights: told on the page, from the records of nights."""

import datetime

import pytest
from made_lines import NIGHT_END, end, write
from nightly_records import night, series, write_timings

from tensorproof.cli import main
from tensorproof.errors import UsageError
from tensorproof.nightly.history import read_verdict
from tensorproof_reports.history import earlier_night, read_nights
from tensorproof_reports.page import page

NIGHTS = 20

COLOUR = """colour => {
    const probe = document.body.appendChild(document.createElement('i'));
    probe.style.setProperty('background-color', colour);
    return getComputedStyle(probe).backgroundColor;
}"""
"""A colour as the browser says it."""


@pytest.fixture(name="history")
def history_fixture(tmp_path, made):
    """Twenty nights of two series, of which one takes 1.3 times as long from the fifteenth on, and was confirmed to."""
    for index in range(NIGHTS):
        wobble = 1 + 0.002 * (index % 3)
        slow = 1.3 if index >= 15 else 1.0
        write_timings(tmp_path / night(index), {series(0): wobble, series(1): wobble * slow})
    place = dict(zip(("backend", "device", "mode", "operation"), ("torch", "cpu", "eager", "op1"), strict=True))
    found = {
        "kind": "finding", "series": {**place, "workload": "M", "direction": "forward", "dtype": "float32"}, "since": night(15),
        "last_before": night(14), "machine": "0123456789", "factor": 1.3, "state": "slower", "message": "1.29× [1.28, 1.30]",
        "old_packages": "", "new_packages": "", "duel": None, "first_alarm": night(16),
    }  # fmt: skip
    alarm = {"kind": "alarm", "of": "torch <b>op1</b>", "alarm": "regression", "message": "1.29 times as long"}
    verdict = {"kind": "verdict", "night": night(NIGHTS - 1), "headline": "1 regression"}
    accepted = {"kind": "accepted", "series": "torch eager <b>op9</b> *", "since": "2026-09-10", "reason": "exact since then"}
    write(tmp_path / night(NIGHTS - 1) / "verdict.ndjson", [verdict, alarm, found, accepted, NIGHT_END])
    return tmp_path


def test_series_are_told_with_the_night_on_which_their_level_began(history):
    told = read_nights(history)
    first, second = told.data["series"]
    assert first["name"].startswith("torch eager op1")
    assert first["starts"] == [15]
    assert first["change"] == pytest.approx(1.3, rel=0.01)
    assert second["starts"] == []
    assert told.nights[0] == night(0)


def test_gates_and_confirmation_speak_on_the_page(history, foreign):
    text = page([], [], history=read_nights(history))
    for words in (
        "torch eager &lt;b&gt;op9&lt;/b&gt; *</th><td>2026-09-10</td><td>exact since then",
        "1 regression",
        "confirmed: slower",
        "1.29× [1.28, 1.30]",
        "torch &lt;b&gt;op1&lt;/b&gt;",
        night(16),
    ):
        assert words in text
    assert foreign(text) == []


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({}, "The gates saw no change of speed.</p>"),
        ({"tested": 2, "too_little_history": 0}, "no change of speed in 2 series.</p>"),
        ({"tested": 0, "too_little_history": 2}, "no change of speed in 0 series. Of 2 series nobody can tell"),
    ],
)
def test_series_that_the_gates_could_not_look_at_are_not_told_as_unchanged(history, counts, told):
    newest = night(NIGHTS - 1)
    write(history / newest / "verdict.ndjson", [{"kind": "verdict", "night": newest, "headline": "nothing", **counts}, NIGHT_END])
    assert told in page([], [], history=read_nights(history))


def test_folder_without_a_night_says_what_to_type(tmp_path):
    with pytest.raises(UsageError, match="there is no night"):
        read_nights(tmp_path)


def test_malformed_verdict_is_named_and_the_rest_is_told(history):
    write(history / night(NIGHTS - 1) / "verdict.ndjson", [{"kind": "alarm", "of": 3}])
    told = read_nights(history)
    assert any("verdict.ndjson: line 1: " in note for note in told.notes), told.notes
    assert len(told.data["series"]) == 2


def test_earlier_night_is_the_last_complete_one_of_the_same_backend(tmp_path, made):
    begin = datetime.datetime(2026, 9, 1, 3, 0, tzinfo=datetime.UTC)
    for index, ended in ((0, True), (1, True), (2, False)):
        record = made.of(made.check(), started=(begin + datetime.timedelta(days=index)).isoformat())
        closing = [end({"passed": 1})] if ended else []
        write(tmp_path / night(index) / "conformance_torch.ndjson", [record.header, *record.checks, *closing])
    tonight = made.of(made.check(), started=(begin + datetime.timedelta(days=3)).isoformat())
    found = earlier_night(tmp_path, tonight)
    assert found is not None
    assert found.header["started"].startswith("2026-09-02")
    assert earlier_night(tmp_path, made.of(made.check(), started=begin.isoformat())) is None


def test_changes_are_told_with_packages_that_differ(made, held, foreign):
    old = made.of(made.check(), made.check("relu"), made.check("tanh", wrong=True), versions={"torch": "2.12", "<b>": "1"})
    new = made.of(made.check(wrong=True), made.check("tanh"), versions={"torch": "2.13"})
    text = page([new], earlier=lambda record: old)
    assert "1 newly wrong" in text
    assert "1 fixed" in text
    assert "1 missing" in text
    assert '<th scope="row">torch</th><td>2.12</td><td>2.13</td>' in text
    assert foreign(text) == []
    data, _ = held(text)
    flags = {data["words"][number]: flag for number, flag in zip(data["rows"]["operation"], data["rows"]["flags"], strict=True)}
    assert flags["softmax"] & 8
    assert flags["tanh"] & 16


def test_page_without_an_earlier_run_tells_of_no_change(made):
    assert 'id="changes"' not in page([made.of(made.check())])


def test_compare_writes_a_page_of_the_changes(made, tmp_path, capsys):
    for name, wrong in (("old", False), ("new", True)):
        record = made.of(made.check(wrong=wrong))
        write(tmp_path / f"{name}.ndjson", [record.header, *record.checks, end({"failed" if wrong else "passed": 1})])
    code = main(["compare", str(tmp_path / "old.ndjson"), str(tmp_path / "new.ndjson"), "-o", str(tmp_path / "page.html")])
    assert code == 1
    assert "report: " in capsys.readouterr().out
    assert "1 newly wrong" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_report_of_a_night_has_its_history(made, history, tmp_path):
    record = made.of(made.check())
    run = write(tmp_path / "run.ndjson", [record.header, *record.checks, end({"passed": 1})])
    assert main(["report", str(run), f"--history={history}", "-o", str(tmp_path / "page.html")]) == 0
    assert 'id="history"' in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_new_failures_are_listed_by_a_click(opened, made, tmp_path):
    old, new = made.of(made.check(), made.check("relu")), made.of(made.check(wrong=True), made.check("relu"))
    one = opened([new], earlier=lambda record: old)
    one.page.click("text=List what is newly wrong")
    # A selector, not a function of JavaScript: the page's policy forbids a text that becomes code on a second look.
    one.page.wait_for_selector("#query-said:text-matches('^1 of 2 checks')")


@pytest.mark.parametrize(
    ("state", "tone"),
    [("slower", "failed"), ("faster", "passed"), ("cleared", "passed"), ("not_resolved", "not_meaningful"),
     ("same_packages", "not_run"), ("unconfirmable", "not_meaningful"), ("over_limit", "not_run"), ("waiting", "not_run")],
)  # fmt: skip
def test_what_is_not_settled_never_looks_green(opened, history, state, tone):
    path = history / night(NIGHTS - 1) / "verdict.ndjson"
    write(path, [{**line, "state": state} if "state" in line else line for line in read_verdict(path)] + [NIGHT_END])
    one = opened([], history=read_nights(history))
    cell = one.page.locator('table:has(caption:text("Changes of speed")) tbody td').first
    green = one.page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--passed')")
    colour = cell.evaluate("cell => getComputedStyle(cell).backgroundColor")
    assert cell.get_attribute("class") == tone
    assert (colour == one.page.evaluate(COLOUR, green)) == (tone == "passed")


def test_without_javascript_series_are_in_a_table_with_the_night_since_which_they_have_their_level(opened, history):
    one = opened([], history=read_nights(history), java_script_enabled=False)
    rows = one.page.locator("#series-table tbody tr").all_inner_texts()
    assert [row.split("\t") for row in rows] == [
        ["torch eager op1 M forward float32", "1.300×", night(15), "1.30"],
        ["torch eager op0 M forward float32", "–", night(0), "1.00"],
    ]
    assert not one.page.is_visible("#series-query")
    assert not one.page.is_visible("#series-table th >> text=nights")


def test_series_are_found_and_shown_in_full(opened, history):
    one = opened([], history=read_nights(history))
    assert one.page.locator("#series-table tbody tr").count() == 2
    one.page.fill("#series-query", "op1")
    assert one.page.inner_text("#series-said").startswith("1 of 2 series")
    assert one.page.locator("#series-table circle").count() == 1
    one.page.click("#series-table button")
    assert one.page.locator("#series-full svg path.dot").count() >= NIGHTS
    assert one.complaints == []
