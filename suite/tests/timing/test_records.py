"""Records of timings: what is torn, newer or of another kind is told, and a run that was killed anywhere can be gone on with."""

import contextlib
import json
import time
from pathlib import Path
from types import SimpleNamespace

import made_lines
import pytest

from tensorproof.errors import UsageError
from tensorproof.timing import session as sessions
from tensorproof.timing.engine import Seconds
from tensorproof.timing.plan import Contender, Group
from tensorproof.timing.results.records import FORMAT, KIND, METHOD, is_timing_record, read_timing_record

MODES = ("eager", "jit")
LIMITS = made_lines.limits()


def contender(mode: str, environment: str = "") -> Contender:
    return Contender(0, f"{environment} small".strip(), "small", environment, "cpu", mode)


TOGETHER = tuple(
    Group(operation, "S", direction, "float32", tuple(contender(mode) for mode in MODES))
    for operation in ("relu", "softmax")
    for direction in ("forward", "forward+backward")
)
APART = tuple(
    Group(operation, "S", "forward", "float32", (contender(mode, "old"), contender(mode, "new")))
    for operation in ("relu", "softmax")
    for mode in MODES
)
"""Environments are compared mode by mode, so groups of one operation share all but their contenders."""


def header(**changed) -> dict:
    return made_lines.timing_run(**{"kind": KIND, "format": FORMAT, "method": METHOD, **changed})


def series(group: Group, name: str) -> dict:
    named = {"operation": group.operation, "workload": group.workload, "direction": group.direction, "dtype": group.dtype}
    return {**named, "contender": name}


class FakeEngine:
    """Writes what an engine would."""

    def __init__(self) -> None:
        self.seconds = Seconds()
        self.began = time.perf_counter()

    def measure(self, group: Group):
        for item in group.contenders:
            yield made_lines.timing(**series(group, item.name))
        for item in group.contenders[1:]:
            yield made_lines.duel(**series(group, item.name), reference=group.contenders[0].name)


@pytest.fixture
def go(monkeypatch, tmp_path):
    """Run (or resume) with an engine that takes no time; returns what is in the record afterwards."""
    monkeypatch.setattr(sessions, "machine_limits", lambda session: dict(LIMITS))
    monkeypatch.setattr(sessions, "engine_of", lambda session, found: FakeEngine())

    def run(path: Path, groups=TOGETHER, resume=True, **changed):
        @contextlib.contextmanager
        def opened(options):
            yield SimpleNamespace(options=options, groups=list(groups), header=header(**changed))

        monkeypatch.setattr(sessions, "opened", opened)
        sessions.run(SimpleNamespace(resume=resume), path, lambda *_: None)
        return contents(path)

    return run


def contents(path: Path) -> list[str]:
    record = read_timing_record(path)
    assert not record.notes
    assert record.end is not None
    assert record.end["counts"] == {"measured": 8}
    lines = [*record.timings, *record.duels]
    return sorted("/".join(str(line[key]) for key in ("kind", *sessions_key(line))) for line in lines)


def sessions_key(line: dict) -> list[str]:
    return [key for key in ("operation", "workload", "direction", "dtype", "contender", "reference") if key in line]


@pytest.mark.parametrize("groups", [TOGETHER, APART], ids=["together", "environments"])
def test_a_run_cut_anywhere_is_gone_on_with_to_the_same_series(groups, go, tmp_path):
    whole = tmp_path / "whole.ndjson"
    expected = go(whole, groups, resume=False)
    assert len(expected) == 12
    text = whole.read_bytes()
    ends = [place + 1 for place, byte in enumerate(text) if byte == 10]
    cuts = [0, *ends[:-1]]  # the last line says that the run has ended
    cuts += [end - 1 for end in ends] + [end - 9 for end in ends]
    for cut in cuts:
        path = tmp_path / f"{cut}.ndjson"
        path.write_bytes(text[:cut])
        assert go(path, groups) == expected, f"cut at byte {cut}: {text[:cut][-80:]!r}"


def test_what_had_been_measured_is_kept(go, tmp_path):
    path = tmp_path / "r.ndjson"
    go(path, resume=False)
    lines = path.read_text().splitlines(keepends=True)
    marked = [line.replace('"seconds":0.5', '"seconds":7.5') for line in lines]
    path.write_text("".join(marked[:6]))  # header, limits, and the first group's three lines and one of the second's
    go(path)
    kept = [line for line in read_timing_record(path).timings if line["seconds"] == 7.5]
    assert len(kept) == 2


def test_a_run_that_has_ended_is_not_gone_on_with(go, tmp_path):
    path = tmp_path / "r.ndjson"
    go(path, resume=False)
    with pytest.raises(UsageError, match=r"--resume: r\.ndjson has ended already"):
        go(path)


@pytest.mark.parametrize(
    "changed",
    [
        {"machine": {**made_lines.MACHINE, "cores": 4}},
        {"tensorproof": "1"},
        {"specification": "2"},
        {"seed": 1},
        {"threads": 2},
        {"launches": 1},
        {"rounds": 5},
        {"contenders": [{"name": "o", "backend": "o", "environment": "", "device": "cpu", "mode": "m"}]},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_record_of_another_run_is_not_gone_on_with(changed, go, tmp_path):
    path = tmp_path / "r.ndjson"
    go(path, resume=False)
    before = b"".join(path.read_bytes().splitlines(keepends=True)[:-1])
    path.write_bytes(before)
    with pytest.raises(UsageError, match=f"--resume: r.ndjson is of another run: {next(iter(changed))} differs"):
        go(path, **changed)
    assert path.read_bytes() == before


def test_a_record_is_never_overwritten(go, tmp_path):
    path = tmp_path / "r.ndjson"
    path.write_text("precious\n")
    with pytest.raises(UsageError, match=r"--record: r\.ndjson exists already; records are never overwritten"):
        go(path, resume=False)
    assert path.read_text() == "precious\n"


def test_a_folder_that_cannot_be_written_is_told(go, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"--record: r\.ndjson cannot be written"):
        go(tmp_path / "file" / "r.ndjson", resume=False)


def test_a_record_in_the_default_folder_is_kept_out_of_version_control(go, tmp_path):
    go(tmp_path / ".tensorproof" / "r.ndjson", resume=False)
    assert (tmp_path / ".tensorproof" / ".gitignore").read_text() == "*\n"


def written(tmp_path: Path, *lines) -> Path:
    path = tmp_path / "r.ndjson"
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return path


def test_a_torn_last_line_is_told_and_what_is_before_it_read(tmp_path):
    record = read_timing_record(written(tmp_path, header(), LIMITS, made_lines.timing(), '{"kind":"tim'))
    assert len(record.timings) == 1
    assert record.notes == ["the last line is torn: the run was killed while writing it"]
    assert not record.complete


def test_a_kind_of_line_that_is_not_known_is_refused(tmp_path):
    with pytest.raises(UsageError, match="line 2: no kind of line is called 'weather'"):
        read_timing_record(written(tmp_path, header(), {"kind": "weather"}))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([header(format=FORMAT + 1)], f"written in format {FORMAT + 1}, this tensorproof reads {FORMAT}; upgrade"),
        ([header(kind="run")], "the first line is no header of a record"),
        ([header(format="1")], "line 1: format: 2 was expected"),
        ([{"kind": "timing"}], "the first line is no header of a record"),
        ([header(), "no json\n"], "line 2 is no line of a record"),
        ([header(), "[1]\n"], "line 2 is no line of a record"),
        ([header(), "{}\n"], "line 2: no kind of line is called None"),
        ([header(), "[" * 100000 + "\n"], "line 2 is no line of a record"),
        ([], "the file is empty"),
        (['{"kind":"timing_run"'], "line 1 is no line of a record"),
    ],
    ids=["newer", "other_kind", "format", "no_header", "no_json", "list", "no_kind", "deep", "empty", "torn_header"],
)
def test_what_is_no_record_is_refused(lines, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        read_timing_record(written(tmp_path, *lines))


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "r.ndjson"
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(UsageError, match="line 1 is no line of a record"):
        read_timing_record(path)
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_timing_record(tmp_path / "none.ndjson")


def test_a_record_of_timings_is_told_from_others(tmp_path):
    assert is_timing_record(written(tmp_path, header()))
    assert not is_timing_record(written(tmp_path, header(kind="run")))
    assert not is_timing_record(written(tmp_path, "nonsense\n"))
    assert not is_timing_record(tmp_path / "none")
