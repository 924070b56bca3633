"""accepted.toml: what an entry does, and what is said of one that is wrong or idle."""

import datetime

import pytest
from nightly_records import BEGIN, history_of, night, series

from tensorproof.errors import UsageError
from tensorproof.nightly.accepted import Accepted, begun_anew, idle_entries, read_accepted

GOOD = """# accepted changes
[[accepted]]
series = "torch eager op0 M forward float32"
since = 2026-11-20
reason = "exact erf since 2.14"

[[accepted]]
series = "jax * softmax * *"
since = 2026-11-21
reason = "new fusion"
"""


def test_entries_are_read(tmp_path):
    path = tmp_path / "accepted.toml"
    path.write_text(GOOD)
    first, second = read_accepted(path)
    assert first == Accepted("torch eager op0 M forward float32", datetime.date(2026, 11, 20), "exact erf since 2.14", 2)
    assert second.line == 7


def test_an_empty_file_accepts_nothing(tmp_path):
    path = tmp_path / "accepted.toml"
    path.write_text("# nothing yet\n")
    assert read_accepted(path) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param('reason = "new fusion"', "", r"line 7: reason is missing", id="no reason"),
        pytest.param('reason = "new fusion"', 'reason = ""', r"line 10: reason: expected a sentence", id="empty reason"),
        pytest.param('reason = "new fusion"', 'raeson = "x"', r"line 10: unknown key 'raeson'.*reason", id="key"),
        pytest.param("since = 2026-11-21", 'since = "2026-11-21"', r"line 9: since: expected a date", id="date in quotes"),
        pytest.param("since = 2026-11-21", "since = 2026-11-21T03:00:00", r"line 9: since: expected a date", id="time"),
        pytest.param('series = "jax * softmax * *"', "series = 3", r"line 8: series: expected a name", id="no name"),
        pytest.param('[[accepted]]\nseries = "jax', '[[acepted]]\nseries = "jax', r"line 7: unknown table 'acepted'", id="table"),
        pytest.param('reason = "new fusion"', "reason = ", r"line 10", id="no TOML"),
    ],
)  # fmt: skip
def test_what_is_malformed_is_told_with_its_line(tmp_path, old, new, message):
    path = tmp_path / "accepted.toml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(UsageError, match=message):
        read_accepted(path)


def test_single_brackets_are_told(tmp_path):
    path = tmp_path / "accepted.toml"
    path.write_text('[accepted]\nseries = "x"\n')
    with pytest.raises(UsageError, match=r"line 1: write .*double brackets"):
        read_accepted(path)


@pytest.mark.parametrize("content", [pytest.param(None, id="absent"), pytest.param(b"\xff\xfe", id="not text")])
def test_an_unreadable_file_is_a_usage_error(tmp_path, content):
    path = tmp_path / "accepted.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"accepted\.toml"):
        read_accepted(path)


def entry(name: str, days: int) -> Accepted:
    return Accepted(name, (BEGIN + datetime.timedelta(days=days)).date(), "why", 1)


def test_an_accepted_series_begins_anew_on_that_date():
    [history] = begun_anew([history_of([1.0] * 10)], [entry("torch eager op0 *", 4)], night(9))
    assert [point.night for point in history.points] == [night(index) for index in range(4, 10)]


def test_other_series_and_later_dates_leave_it_alone():
    entries = [entry("torch eager op1 *", 4), entry("torch eager op0 *", 30)]
    [history] = begun_anew([history_of([1.0] * 10)], entries, night(9))
    assert len(history.points) == 10


def test_a_change_is_covered_if_it_was_accepted_on_its_night_or_later():
    assert entry("torch*", 5).covers(series(0).name, night(5))
    assert entry("torch*", 6).covers(series(0).name, night(5))
    assert not entry("torch*", 4).covers(series(0).name, night(5))
    assert not entry("jax*", 5).covers(series(0).name, night(5))


def test_an_entry_that_matches_nothing_is_found():
    entries = [entry("torch eager op0 *", 1), entry("torch eager op9 *", 1)]
    assert idle_entries(entries, [series(0).name]) == [entries[1]]
