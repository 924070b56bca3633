"""The third gate: what becomes of a candidate."""

import json
from collections.abc import Callable
from pathlib import Path

import made_lines
import pytest
from nightly_records import PINS, StubRunner, duel, header, history_of, night, series, write_pins

from tensorproof.errors import UsageError
from tensorproof.nightly.accepted import Accepted
from tensorproof.nightly.confirm import confirm, earlier_findings, findings_of, series_of, verdict_of, write_verdict
from tensorproof.nightly.environments import COMPLETE, FOLDER, NotBuilt, compiled_programs, prune, rebuild
from tensorproof.nightly.gates import Change
from tensorproof.nightly.history import night_start, read_verdict
from tensorproof.nightly.packages import Environment, digest_of

OLD, NEW = PINS.format(version="2.13.0"), PINS.format(version="2.14.0")


def change(number: int = 0, factor: float = 1.1) -> Change:
    return Change(history_of([1.0] * 10, number), night(9), night(8), factor, 1e-6, 9, 1)


def environment(tmp_path: Path, text: str = NEW) -> Environment:
    return Environment("torch", tmp_path / "new" / "bin" / "python", "python3.11", text, (("file:///src/tensor%20proof", True),))


class Bench:
    """A history of ten nights with a change of packages in the last."""

    def __init__(self, tmp_path: Path) -> None:
        self.history = tmp_path / "history"
        self.environments = {"torch": environment(tmp_path)}
        for index in range(9):
            write_pins(self.history / night(index), "torch", "2.13.0")
        write_pins(self.history / night(9), "torch", "2.14.0")

    def confirm(self, runner: StubRunner, changes=None, at: int = 9, limit: int = 24, accepted=()) -> list[dict]:
        folder = self.history / night(at)
        if at > 9:
            folder.mkdir(exist_ok=True)
            (folder / "packages_torch.txt").write_text(self.environments["torch"].text)
        earlier, unread = earlier_findings(self.history, night(at))
        assert unread == []
        lines = findings_of([change()] if changes is None else changes, earlier, accepted, ["torch"])
        confirm(self.history, folder, lines, earlier, self.environments, runner, ["tensorproof", "duel"], limit)
        write_verdict(folder, lines)
        return lines


@pytest.fixture
def bench(tmp_path) -> Bench:
    return Bench(tmp_path)


def runner(ratio: float = 1.1, verdict: str = "slower", **options) -> StubRunner:
    return StubRunner({series(number): 1.0 for number in range(40)}, duels=lambda which: (ratio, verdict), **options)


@pytest.mark.parametrize(
    ("ratio", "verdict", "state"),
    [
        pytest.param(1.10, "slower", "slower", id="slower"),
        pytest.param(0.90, "faster", "faster", id="faster"),
        pytest.param(1.00, "same", "cleared", id="same"),
        pytest.param(1.025, "slower", "cleared", id="slower by less than 3 %"),
        pytest.param(0.98, "faster", "cleared", id="faster by less than 3 %"),
        pytest.param(1.04, "not_resolved", "not_resolved", id="not resolved"),
    ],
)
def test_the_duel_decides(bench, ratio, verdict, state):
    [line] = bench.confirm(runner(ratio, verdict))
    assert line["state"] == state
    assert "torch 2.13.0 → 2.14.0" in line["message"]
    assert line["duel"]["ratio"] == pytest.approx(ratio)


def test_the_command_names_the_series_and_both_environments(bench):
    stub = runner()
    bench.confirm(stub)
    [command] = [words for words in stub.full if "duel" in words]
    folder = bench.history / FOLDER / digest_of(OLD)
    assert command[:3] == ["tensorproof", "duel", "torch"]
    for word in (f"--env=old={folder}", "--op=op0", "--workload=M", "--direction=forward", "--dtype=float32", "--mode=eager"):
        assert word in command
    assert "--launches=6" in command


def test_old_against_new_is_turned_round(bench):
    def turned(words):
        record = next(word for word in words if word.startswith("--record=")).removeprefix("--record=")
        made_lines.write(Path(record), [header(), duel(series(0), 1 / 1.1, "faster", "new", "old")])
        return 0

    [line] = bench.confirm(runner(failing={"duel": turned}))
    assert line["state"] == "slower"
    assert line["duel"]["ratio"] == pytest.approx(1.1)
    assert line["duel"]["low"] < line["duel"]["ratio"] < line["duel"]["high"]


@pytest.mark.parametrize(
    ("spoiled", "state"),
    [
        pytest.param({"low": None, "high": None, "verdict": "not_resolved"}, "not_resolved", id="no interval"),
        pytest.param({"ratio": 0}, "unconfirmable", id="zero"),
        pytest.param({"ratio": "1.2"}, "unconfirmable", id="text"),
        pytest.param({"clock": "latency hot"}, "unconfirmable", id="another clock"),
        pytest.param({"contender": "newer torch eager"}, "unconfirmable", id="another contender"),
        pytest.param({"operation": "op1"}, "unconfirmable", id="another operation"),
    ],
)
def test_a_result_that_is_none_confirms_nothing(bench, spoiled, state):
    def spoil(words):
        record = next(word for word in words if word.startswith("--record=")).removeprefix("--record=")
        made_lines.write(Path(record), [header(), {**duel(series(0), 1.1, "slower"), **spoiled}])
        return 0

    [line] = bench.confirm(runner(failing={"duel": spoil}))
    assert line["state"] == state


def test_series_that_share_all_but_the_operation_share_a_command(bench):
    stub = runner()
    lines = bench.confirm(stub, [change(0), change(1), change(2)])
    assert stub.commands.count("duel") == 1
    assert [line["state"] for line in lines] == ["slower"] * 3


def test_the_old_environment_has_the_old_pins_and_the_new_tensorproof(bench):
    stub = runner()
    bench.confirm(stub)
    assert (bench.history / FOLDER / f"{digest_of(OLD)}.txt").read_text() == "torch==2.13.0\n"
    assert any(words[-2:] == ["-e", "/src/tensor proof"] for words in stub.full)


def test_same_packages_are_not_measured(bench, tmp_path):
    write_pins(bench.history / night(9), "torch", "2.13.0")
    bench.environments = {"torch": environment(tmp_path, OLD)}
    stub = runner()
    [line] = bench.confirm(stub)
    assert (line["state"], stub.commands) == ("same_packages", [])


def test_an_environment_other_than_the_one_that_was_timed_is_not_measured(bench, tmp_path):
    bench.environments = {"torch": environment(tmp_path, PINS.format(version="2.15.0"))}
    [line] = bench.confirm(runner())
    assert line["state"] == "unconfirmable"
    assert "other packages" in line["message"]


@pytest.mark.parametrize("command", [pytest.param("venv", id="venv"), pytest.param("pip", id="pip")])
def test_an_environment_that_cannot_be_built_is_said(bench, command):
    [line] = bench.confirm(runner(failing={command: lambda words: 1}))
    assert line["state"] == "unconfirmable"
    assert "could not be confirmed" in line["message"]
    assert not (bench.history / FOLDER / digest_of(OLD) / COMPLETE).exists()


def test_a_measurement_without_a_result_is_said(bench):
    [line] = bench.confirm(runner(failing={"duel": lambda words: 3}))
    assert (line["state"], "exit code 3" in line["message"]) == ("unconfirmable", True)


def test_packages_that_were_not_kept_are_said(bench):
    (bench.history / night(8) / "packages_torch.txt").unlink()
    [line] = bench.confirm(runner())
    assert (line["state"], "were not kept" in line["message"]) == ("unconfirmable", True)


@pytest.mark.parametrize(
    "pins",
    [
        pytest.param("--index-url https://evil.example\n", id="option"),
        pytest.param("-r other.txt\n", id="file"),
        pytest.param("-e /elsewhere/x\n", id="editable"),
        pytest.param("torch>=2\n", id="range"),
        pytest.param("torch==2.*\n", id="wildcard"),
        pytest.param("torch\n", id="no version"),
        pytest.param("torch @ file:///elsewhere/x.whl\n", id="folder"),
        pytest.param("torch @ http://evil.example/x.whl\n", id="not encrypted"),
        pytest.param("torch==2.13.0; python_version > '3'\n", id="marker"),
        pytest.param("torch==2.13.0 --global-option=x\n", id="option behind"),
    ],
)
def test_pins_of_a_history_never_reach_pip_as_anything_but_exact_versions(tmp_path, pins):
    stub = runner()
    with pytest.raises(NotBuilt):
        rebuild(tmp_path, f"# python 3.11.9\n{pins}", environment(tmp_path), stub, tmp_path / "log")
    assert stub.commands == []


def test_another_python_is_said(tmp_path):
    with pytest.raises(NotBuilt) as raised:
        rebuild(tmp_path, OLD.replace("3.11.9", "3.10.4"), environment(tmp_path), runner(), tmp_path / "log")
    assert "needs Python 3.10" in raised.value.reason


def test_an_environment_is_built_once_and_again_if_it_was_not_finished(tmp_path):
    stub = runner()
    folder = rebuild(tmp_path, OLD, environment(tmp_path), stub, tmp_path / "log")
    built = len(stub.commands)
    rebuild(tmp_path, OLD, environment(tmp_path), stub, tmp_path / "log")
    assert len(stub.commands) == built
    (folder / COMPLETE).unlink()
    rebuild(tmp_path, OLD, environment(tmp_path), stub, tmp_path / "log")
    assert len(stub.commands) == 2 * built


def test_environments_that_nothing_needs_are_removed_and_nothing_else(tmp_path):
    for name in ("0123456789ab", "ba9876543210", "mine"):
        (tmp_path / FOLDER / name).mkdir(parents=True)
    assert prune(tmp_path, {"0123456789ab"}) == ["ba9876543210"]
    assert sorted(path.name for path in (tmp_path / FOLDER).iterdir()) == ["0123456789ab", "mine"]


def test_no_more_than_the_limit_is_measured_and_the_rest_waits(bench):
    stub = runner()
    lines = bench.confirm(stub, [change(number) for number in range(5)], limit=3)
    assert [line["state"] for line in lines] == ["slower"] * 3 + ["over_limit"] * 2
    # The next night goes on with those, even if the gates no longer see them; what was measured is not measured again.
    stub.full.clear()
    lines = bench.confirm(stub, [], at=10)
    assert [line["state"] for line in lines] == ["slower"] * 5
    [command] = [words for words in stub.full if "duel" in words]
    assert sorted(word for word in command if word.startswith("--op=")) == ["--op=op3", "--op=op4"]


def test_a_confirmed_regression_stays_open_without_measuring_the_same_packages_again(bench):
    bench.confirm(runner())
    stub = runner()
    [line] = bench.confirm(stub, [], at=10)
    assert (line["state"], line["first_alarm"], stub.commands) == ("slower", night(9), [])
    assert "measured on" in line["message"]


def test_new_packages_are_measured_again_and_settle_it(bench, tmp_path):
    bench.confirm(runner())
    bench.environments = {"torch": environment(tmp_path, PINS.format(version="2.15.0"))}
    [line] = bench.confirm(runner(1.0, "same"), [], at=10)
    assert line["state"] == "cleared"
    assert bench.confirm(runner(), [], at=11) == []


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"verdict": "not_resolved"}, id="not resolved"),
        pytest.param({"failing": {"duel": lambda words: 3}}, id="failed"),
    ],
)
def test_an_open_regression_is_not_closed_by_a_measurement_that_says_nothing(bench, tmp_path, options):
    bench.confirm(runner())
    bench.environments = {"torch": environment(tmp_path, PINS.format(version="2.15.0"))}
    [line] = bench.confirm(runner(**options), [], at=10)
    assert (line["state"], line["message"].startswith("still open")) == ("slower", True)


def test_an_accepted_regression_is_settled(bench):
    bench.confirm(runner())
    accepted = [Accepted("torch eager op0 *", night_start(night(9)).date(), "wanted", 1)]
    assert bench.confirm(runner(), [], at=10, accepted=accepted) == []


def test_a_cleared_change_is_shown_and_not_measured_again(bench):
    bench.confirm(runner(1.0, "same"))
    stub = runner()
    [line] = bench.confirm(stub, [change()], at=10)
    assert (line["state"], stub.commands) == ("cleared", [])


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda line: {**line, "last_before": "../../etc"}, id="path"),
        pytest.param(lambda line: {**line, "series": "text"}, id="series"),
        pytest.param(lambda line: {**line, "series": {**line["series"], "mode": 3}}, id="mode"),
        pytest.param(lambda line: {**line, "factor": "x"}, id="factor"),
        pytest.param(lambda line: {"kind": "finding"}, id="empty"),
    ],
)
def test_malformed_findings_of_earlier_nights_are_left_out_and_told(bench, spoil: Callable[[dict], dict]):
    [line] = bench.confirm(runner())
    path = bench.history / night(9) / "verdict.ndjson"
    path.write_text(json.dumps(spoil(line)) + "\n")
    found, [unread] = earlier_findings(bench.history, night(10))
    assert found == []
    assert unread.startswith(f"{night(9)}: history verdict.ndjson: line 1: ")


@pytest.mark.parametrize(
    "lines", [slice(0, 1), slice(0, 2), slice(1, None)], ids=["verdict only", "no closing line", "no verdict"]
)
def test_a_verdict_that_was_changed_or_cut_off_is_not_believed(tmp_path, lines):
    alarm = {"kind": "alarm", "of": "torch", "alarm": "missing", "message": "there is no record"}
    write_verdict(tmp_path, [{"kind": "verdict", "night": night(0), "headline": "1 alarm"}, alarm])
    path = tmp_path / "verdict.ndjson"
    whole = path.read_text().splitlines(keepends=True)
    assert [line["kind"] for line in read_verdict(path)] == ["verdict", "alarm"]
    path.write_text("".join(whole[lines]))
    with pytest.raises(UsageError, match=r"its closing line is missing|it was changed"):
        read_verdict(path)


def test_words_of_a_duel_carry_its_interval():
    assert verdict_of({"ratio": 1.1, "low": 1.08, "high": 1.12, "verdict": "slower"}) == (
        "slower",
        "new/old 1.100 (1.080 to 1.120)",
    )


def test_series_of_a_finding(bench):
    [line] = bench.confirm(runner())
    assert series_of(line) == series(0)


@pytest.mark.parametrize(
    ("text", "build", "processor", "kept"),
    [
        pytest.param("torch==2.13.0", "a", "one", True, id="nothing"),
        pytest.param("torch==2.14.0", "a", "one", False, id="packages"),
        pytest.param("torch==2.13.0", "b", "one", False, id="another build of the same version"),
        pytest.param("torch==2.13.0", "a", "two", False, id="machine"),
    ],
)
def test_compiled_programs_are_emptied_where_something_has_changed(tmp_path, text, build, processor, kept):
    def environment(backend: str, text: str, build: str = "") -> Environment:
        return Environment(backend, tmp_path / "python", "python3.11", text, build=build)

    def programs(stage: str) -> list[Path]:
        return [tmp_path / "compiled" / stage / backend / "program" for backend in ("torch", "jax")]

    jax = environment("jax", "jax==0.10.2")
    for stage in ("conformance", "timings"):
        found = compiled_programs(tmp_path, stage, [environment("torch", "torch==2.13.0", "a"), jax], {"processor": "one"})
        for program in programs(stage):
            program.parent.mkdir(parents=True)
            program.touch()
    again = compiled_programs(tmp_path, "timings", [jax, environment("torch", text, build)], {"processor": processor})
    assert again == found
    assert [program.exists() for program in programs("timings")] == [kept, processor == "one"]
    assert all(program.exists() for program in programs("conformance"))
