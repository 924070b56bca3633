"""A whole night with a runner that measures nothing: it goes on after a kill, publishes before it alarms, and ends as it says."""

import contextlib
import datetime
import json
import sys
from pathlib import Path

import pytest
from nightly_records import StubRunner, night, write_conformance, write_pins, write_timings

from tensorproof.errors import UsageError
from tensorproof.nightly import history
from tensorproof.nightly import night as night_module
from tensorproof.nightly.packages import look_into


def test_a_night_without_a_change_ends_with_0(place, capsys):
    runner = StubRunner(place.ratios)
    assert place.run(runner) == 0
    assert runner.commands == ["check torch", "check jax", "time", "report"]
    assert "nothing to alarm" in place.summary()
    assert "nothing to alarm" in capsys.readouterr().out
    assert "series tested" in place.summary()
    assert (place.folder / "report.html").exists()
    assert json.loads((place.folder / "night.ndjson").read_text().splitlines()[-1])["exit_code"] == 0
    for backend in place.BACKENDS:
        assert (place.folder / f"packages_{backend}.txt").read_text().startswith("# python 3.")


def test_what_is_run(place):
    runner = StubRunner(place.ratios)
    place.run(runner, "--op=relu", "--launches=5", "--mode=eager")
    check, _, timing, page = runner.full
    assert check[1:6] == ["-P", "-m", "tensorproof", "check", "torch"]
    compiled = place.history / "compiled"
    assert {"-n2", "--op=relu", f"--compile-cache={compiled / 'conformance'}"} <= set(check)
    assert {"--workload=S", "--workload=M", "--dtype=float32", "--launches=5", "--mode=eager", "--op=relu"} <= set(timing)
    assert {f"--env=torch={sys.executable}", "torch", "jax"} <= set(timing)
    assert f"--compile-cache={compiled / 'timings'}" in timing
    assert "--resume" not in timing
    assert page[-2:] == ["-o", str(place.folder / "report.html")]


def test_a_confirmed_regression_ends_with_1(place, capsys):
    assert place.run(StubRunner(place.slower(), duels=lambda which: (1.28, "slower"))) == 1
    assert place.states() == ["slower"]
    assert "regression: torch eager op0 M forward float32" in capsys.readouterr().out
    assert "Confirmed regressions" in place.summary()
    assert 'series = "torch eager op0 M forward float32"' in place.summary()


@pytest.mark.parametrize(
    ("ratio", "verdict", "title"),
    [
        pytest.param(1.0, "same", "Cleared", id="cleared"),
        pytest.param(1.2, "not_resolved", "Not resolved", id="not resolved"),
        pytest.param(0.8, "faster", "Confirmed improvements", id="faster"),
    ],
)
def test_a_candidate_that_is_not_confirmed_slower_is_shown_and_ends_with_0(place, ratio, verdict, title):
    assert place.run(StubRunner(place.slower(), duels=lambda which: (ratio, verdict))) == 0
    assert f"## {title}" in place.summary()


def test_a_candidate_that_cannot_be_confirmed_is_shown_and_ends_with_0(place):
    runner = StubRunner(place.slower(), failing={"pip": lambda words: 1})
    assert place.run(runner) == 0
    assert "could not be confirmed" in place.summary()


def test_an_accepted_change_ends_with_0(place):
    Path("accepted.toml").write_text(
        f'[[accepted]]\nseries = "torch eager op0 *"\nsince = {place.moment.date()}\nreason = "wanted"\n'
    )
    assert place.run(StubRunner(place.slower(), duels=lambda which: (1.28, "slower"))) == 0
    assert place.states() == []
    last = history.read_verdict(place.folder / "verdict.ndjson")[-1]
    assert last == {"kind": "accepted", "series": "torch eager op0 *", "since": str(place.moment.date()), "reason": "wanted"}


def test_the_verdict_says_how_many_series_the_gates_looked_at(place):
    assert place.run() == 0
    first = json.loads((place.folder / "verdict.ndjson").read_text().splitlines()[0])
    assert first["tested"] > 0
    assert first["tested"] + first["too_little_history"] == place.COUNT


def test_an_idle_entry_is_told(place):
    Path("accepted.toml").write_text('[[accepted]]\nseries = "torch nonsense"\nsince = 2026-01-01\nreason = "x"\n')
    assert place.run() == 0
    assert "no series of the history is called" in place.summary()


def test_a_new_failure_ends_with_1(place):
    assert place.run(StubRunner(place.ratios, statuses=["passed", "failed"])) == 1
    assert "new failure" in place.summary()
    assert "new cause: op1-wrong" in place.summary()
    assert "1 new failures" in place.summary()


def test_a_failure_that_was_there_before_ends_with_0(place):
    for backend in place.BACKENDS:
        write_conformance(place.history / night(place.NIGHTS - 1), backend, ["passed", "failed"])
    assert place.run(StubRunner(place.ratios, statuses=["passed", "failed"])) == 0


def test_an_incomplete_night_is_no_baseline(place):
    """Failures are compared with the last night that is complete."""
    for backend in place.BACKENDS:
        write_conformance(place.history / night(place.NIGHTS - 1), backend, ["passed", "failed"], planned=9, ended=False)
    assert place.run(StubRunner(place.ratios, statuses=["passed", "failed"])) == 1


def killed_check(words):
    record = Path(next(word for word in words if word.startswith("--record=")).removeprefix("--record="))
    write_conformance(record.parent, "torch", ["passed"], planned=2, ended=False)
    return -9


def test_missing_and_incomplete_results_end_with_1(place):
    assert place.run(StubRunner(place.ratios, failing={"check torch": killed_check})) == 1
    assert "conformance: 1 of 2 checks were made" in place.summary()


def test_a_backend_that_cannot_be_checked_does_not_cost_the_timings_of_the_others(place):
    runner = StubRunner(place.ratios, failing={"check torch": lambda words: 4})
    assert place.run(runner) == 1
    timing = next(words for words in runner.full if "time" in words)
    assert "jax" in timing
    assert "torch" not in timing
    assert "conformance: there is no record" in place.summary()
    assert "timings: there is no record" in place.summary()


def test_an_environment_that_is_absent_ends_with_1_and_the_others_are_measured(place):
    runner = StubRunner({name: ratio for name, ratio in place.ratios.items() if name.backend == "torch"})
    assert place.run(runner, "--env=jax=/absent/jax", backends=("torch",)) == 1
    assert "there is no environment at jax" in place.summary()
    assert runner.commands == ["check torch", "time", "report"]


def test_timings_that_fail_are_missing(place):
    assert place.run(StubRunner(place.ratios, failing={"time": lambda words: 3})) == 1
    assert "timings: there is no record" in place.summary()


def test_timings_without_an_end_are_incomplete(place):
    def killed(words):
        write_timings(place.folder, place.ratios, ended=False, planned=99)
        return -9

    assert place.run(StubRunner(place.ratios, failing={"time": killed})) == 1
    assert "timings: 12 of 99 series were timed" in place.summary()


def test_timings_with_an_end_that_lack_series_are_incomplete(place):
    def short(words):
        write_timings(place.folder, place.ratios, planned=99)
        return 0

    assert place.run(StubRunner(place.ratios, failing={"time": short})) == 1
    assert "timings: 12 of 99 series were timed" in place.summary()


def test_series_that_are_gone_end_with_1(place):
    fewer = {name: ratio for name, ratio in place.ratios.items() if name.operation != "op3"}
    assert place.run(StubRunner(fewer)) == 1
    assert "op3 M forward float32" in place.summary()
    assert "1 series were timed before and are not now" in place.summary()


def test_another_class_of_machine_is_not_compared(place):
    def elsewhere(words):
        fewer = {name: ratio * 3 for name, ratio in place.ratios.items() if name.operation != "op3"}
        write_timings(place.folder, fewer, threads=8)
        return 0

    assert place.run(StubRunner(place.ratios, failing={"time": elsewhere})) == 0
    assert "0 series tested" in place.summary()
    assert "11 with too little history" in place.summary()


def test_a_page_that_cannot_be_written_is_told_and_no_alarm(place):
    assert place.run(StubRunner(place.ratios, failing={"report": lambda words: 3})) == 0
    assert "the page could not be written" in place.summary()


class Killed(BaseException):
    """Stands for the end of the process."""


def kill(words):
    raise Killed


@pytest.mark.parametrize("stage", ["check torch", "check jax", "time", "duel", "report"])
def test_a_killed_night_goes_on_where_it_was(place, stage):
    duels = {"duels": lambda which: (1.28, "slower")}
    first = StubRunner(place.slower(), failing={stage: kill}, **duels)
    with pytest.raises(Killed):
        place.run(first)
    place.moment += datetime.timedelta(hours=2)
    second = StubRunner(place.slower(), **duels)
    assert place.run(second) == 1
    assert sorted(path.name for path in place.history.iterdir() if history.is_night(path.name))[-1] == place.folder.name
    measured = [name for name in (*first.commands[:-1], *second.commands) if name.split(" ")[0] in ("check", "time", "duel")]
    assert sorted(measured) == ["check jax", "check torch", "duel", "time"]


def test_timings_are_resumed_and_a_killed_record_of_conformance_is_made_anew(place):
    def half(words):
        write_timings(place.folder, place.ratios, ended=False)
        raise Killed

    with pytest.raises(Killed):
        place.run(StubRunner(place.ratios, failing={"time": half}))
    second = StubRunner(place.ratios)
    assert place.run(second) == 0
    assert "--resume" in next(words for words in second.full if "time" in words)


def test_timings_that_ended_without_the_night_are_not_made_again(place):
    """What a killed night left running went on to its end."""

    def whole(words):
        write_timings(place.folder, place.ratios)
        raise Killed

    with pytest.raises(Killed):
        place.run(StubRunner(place.ratios, failing={"time": whole}))
    second = StubRunner(place.ratios)
    assert place.run(second) == 0
    assert "time" not in second.commands
    assert "interrupted" not in place.summary()


@pytest.mark.parametrize(
    "why", [pytest.param("ended", id="ended"), pytest.param("old", id="old"), pytest.param("packages", id="other packages")]
)
def test_a_night_that_ended_or_is_too_old_or_has_other_packages_is_not_continued(place, why):
    failing = {} if why == "ended" else {"time": kill}
    with contextlib.suppress(Killed):
        place.run(StubRunner(place.ratios, failing=failing))
    if why == "packages":
        write_pins(place.folder, "torch", "1.0")
    place.moment += datetime.timedelta(hours=30 if why == "old" else 2)
    assert place.run(StubRunner(place.ratios)) == 0
    assert (place.history / history.night_name(place.moment) / "summary.md").exists()


@pytest.mark.parametrize("stage", ["venv", "pip", "duel"])
def test_it_publishes_before_it_confirms(place, stage):
    with pytest.raises(Killed):
        place.run(StubRunner(place.slower(), failing={stage: kill}))
    assert place.states() == ["waiting"]
    assert "Not confirmed yet" in place.summary()
    assert (place.folder / "report.html").exists()


def test_it_publishes_before_it_alarms(place, monkeypatch):
    """Whatever comes after the last publication, the regression is in verdict, summary and page by then."""

    def fall(*arguments):
        raise Killed

    monkeypatch.setattr(night_module, "prune", fall)
    with pytest.raises(Killed):
        place.run(StubRunner(place.slower(), duels=lambda which: (1.28, "slower")))
    assert place.states() == ["slower"]
    assert "✗ 1 regression" in place.summary()
    assert (place.folder / "report.html").exists()


def test_an_interruption_ends_with_2(place):
    def interrupt(words):
        raise KeyboardInterrupt

    assert place.run(StubRunner(place.ratios, failing={"time": interrupt})) == 2
    lines = [json.loads(text) for text in (place.folder / "night.ndjson").read_text().splitlines()]
    assert (lines[-1]["name"], lines[-1]["status"]) == ("timings", "interrupted")


def test_collected_elsewhere_and_judged_here(place):
    """What a matrix of machines does: each collects one backend, one merges their folders and judges."""
    name = night(place.NIGHTS)
    for backend in place.BACKENDS:
        assert place.run(StubRunner(place.slower()), "--only-collect", f"--night={name}", backends=(backend,)) == 0
    assert sorted(path.name for path in place.folder.glob("timings*")) == ["timings_jax.ndjson", "timings_torch.ndjson"]
    assert not (place.folder / "summary.md").exists()
    runner = StubRunner(place.slower(), duels=lambda which: (1.28, "slower"))
    assert place.run(runner, "--only-judge", f"--night={name}") == 1
    assert place.states() == ["slower"]
    assert {"check", "time"}.isdisjoint(command.split(" ")[0] for command in runner.commands)


def test_a_backend_whose_collection_is_missing_is_an_alarm_of_the_judge(place):
    place.run(StubRunner(place.ratios), "--only-collect", f"--night={night(place.NIGHTS)}", backends=("torch",))
    assert place.run(StubRunner(place.ratios), "--only-judge") == 1
    assert "conformance: there is no record" in place.summary()


def test_a_collection_that_fails_ends_with_1(place):
    assert place.run(StubRunner(place.ratios, failing={"time": lambda words: 3}), "--only-collect") == 1


def test_check_only_alarms_for_a_stale_history(place, capsys):
    place.run()
    assert place.run(None, "--check-only", backends=()) == 0
    place.moment += datetime.timedelta(hours=40)
    assert place.run(None, "--check-only", backends=()) == 1
    assert "is 40 hours old" in capsys.readouterr().out


def test_check_only_keeps_alarming_for_what_stands(place):
    place.run(StubRunner(place.ratios, statuses=["failed"]))
    assert place.run(None, "--check-only", backends=()) == 1


def test_check_only_of_nothing_is_an_alarm(tmp_path, place):
    place.history = tmp_path / "empty"
    assert place.run(None, "--check-only", backends=()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--env=torch"], "--env: expected BACKEND=ENVIRONMENT", id="no environment"),
        pytest.param(["--env=../x=/y"], "--env: expected BACKEND=ENVIRONMENT", id="no name"),
        pytest.param(["--env=torch=/x"], "torch is given twice", id="twice"),
        pytest.param(["--night=tonight"], "--night: expected a time", id="night"),
        pytest.param(["--stale-hours=0"], "--stale-hours", id="stale hours"),
        pytest.param(["--launches=0"], "--launches", id="launches"),
        pytest.param(["--rounds=0"], "--rounds: expected at least 1, got 0", id="rounds"),
        pytest.param(["--threads=-1"], "--threads: expected at least 1, got -1", id="threads"),
        pytest.param(["--series-seconds=nan"], "--series-seconds: expected a number above 0, got nan", id="seconds"),
        pytest.param(["--op=sofmax"], "--op: nothing is called 'sofmax'", id="operation"),
        pytest.param(["--workload=XL"], "--workload: nothing is called 'XL'", id="workload"),
        pytest.param(["--direction=back"], "--direction: nothing is called 'back'", id="direction"),
        pytest.param(["--dtype=float23"], "--dtype: nothing is called 'float23'", id="dtype"),
        pytest.param(["--accepted=absent.toml"], "--accepted", id="accepted"),
    ],
)
def test_what_is_malformed_is_a_usage_error(place, arguments, message):
    with pytest.raises(UsageError, match=message):
        place.run(None, *arguments)


def test_a_night_needs_a_backend(place):
    with pytest.raises(UsageError, match="name at least one backend"):
        place.run(None, backends=())


def test_pins_of_an_environment_name_no_folder():
    environment = look_into("torch", Path(sys.executable))
    assert not isinstance(environment, str)
    assert "numpy==" in environment.text
    assert "/" not in environment.text.replace("https://", "")
