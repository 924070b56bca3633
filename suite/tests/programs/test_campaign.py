"""``tensorproof fuzz``: findings are told once, workers may die, records go on, and exit codes are those of conformance."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import made_lines
import pytest
from made_programs import material

from tensorproof.errors import UsageError
from tensorproof.programs.campaigns.batches import Judging
from tensorproof.programs.campaigns.records import SCHEMA, kept_lines, read_campaign
from tensorproof.programs.judging import Verdict
from tensorproof.programs.sources.random_programs import random_program

PREAMBLE = """
import os, time
import numpy as np
from tensorproof.backend import Backend, OperationTable, hookimpl
from tensorproof_numpy import NumpyBackend
from tensorproof_reference.primitives import arithmetic_of_one, arithmetic_of_two, exponentials
from tensorproof_reference.operations import tanh

operations = OperationTable()
operations.native(tanh.tanh)
operations.native(arithmetic_of_two.add)
operations.native(arithmetic_of_two.multiply)
operations.native(arithmetic_of_one.cos)
"""
END = """

class Fake(NumpyBackend):
    name = "fake"
    operations = operations

@hookimpl
def tensorproof_backend():
    return Fake()
"""
RIGHT = "operations.native(arithmetic_of_one.sin)"
WRONG = """
@operations.native
def sin(x):
    return np.cos(x)
"""
CRASHING = """
@operations.native
def sin(x):
    os.abort()
"""
HANGING = """
@operations.native
def sin(x):
    time.sleep(3600)
"""
HUNGRY = """
@operations.native
def sin(x):
    raise MemoryError("no more")
"""

Plugin = Callable[..., Path]


@pytest.fixture
def fuzz(plugin: Plugin, tensorproof, tmp_path: Path):
    """Runs a campaign of a made-up backend; what the command printed and returned, and its record."""

    def run(source: str, *options: str):
        folder = tmp_path / "plugins"
        if not folder.exists():
            plugin("fake", source + END, PREAMBLE)
        record = tmp_path / "campaign.ndjson"
        source_option = [] if any("--source" in option for option in options) else ["--source=random"]
        done = tensorproof("fuzz", "fake", f"--record={record}", *source_option, *options, path=folder)
        return done, read_campaign(record) if record.exists() else None

    return run


def test_a_right_backend_passes_and_the_verdict_comes_last(fuzz):
    done, record = fuzz(RIGHT, "--programs=30")
    assert done.code == 0, done.text
    assert done.text.splitlines()[-1] == "fake eager float32: no finding in 30 programs (30 passed)"
    assert "16 of 30 programs, 0 failed" in done.text
    assert len(record.programs) == 30
    assert record.end["counts"] == {"passed": 30}
    assert record.end["coverage"]["sin>add"] > 0


def test_a_wrong_operation_is_one_finding_with_its_script(fuzz, tmp_path):
    done, record = fuzz(WRONG, "--programs=12", f"--dump={tmp_path / 'scripts'}")
    assert done.code == 1, done.text
    (finding,) = record.findings
    assert finding["blamed"] == "sin alone"
    assert len(finding["programs"]) > 1
    assert "np.cos(v0)" in finding["script"]
    (script,) = (tmp_path / "scripts").iterdir()
    assert "tensorproof" not in script.read_text()
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=100)
    assert ran.returncode == 1, ran.stderr
    assert "bars at" in ran.stdout


TRUNCATING = """
@operations.native
def cast(x, *, dtype="float16", saturate=False, overflow="saturates"):
    y = x.astype(dtype)
    return np.where(np.abs(y) > np.abs(x), np.nextafter(y, y.dtype.type(0)), y)
"""


def test_a_cast_that_truncates_is_found_with_its_script_and_casts_are_counted(fuzz, tmp_path):
    source = f"NumpyBackend.dtypes = lambda self, device: ('float64', 'float32', 'float16')\n{TRUNCATING}"
    done, record = fuzz(source, "--source=mixed", "--programs=12", f"--dump={tmp_path / 'scripts'}")
    assert done.code == 1, done.text
    assert all("cast" in finding["text"] for finding in record.findings)
    assert "cast alone" in {finding["blamed"] for finding in record.findings}
    assert record.end["casts"]["float32>float16"] > 0
    assert all(set(line["casts"]) <= set(record.end["casts"]) for line in record.programs)
    for script in (tmp_path / "scripts").iterdir():
        ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=100)
        assert ran.returncode == 1, ran.stderr


DECLARED = """
[[known_program]]
program = ["v0: float32[3, 4]; v1 = cos(v0) -> v1", "v0: float32[9]; v1 = sin(v0) -> v1"]
mode = "MODE"
explanation = "its sine is a cosine"
"""


def declaring(plugin: Plugin, source: str, declared: str) -> None:
    """Install a made-up backend of two modes with declarations."""
    declarations = "\nFake.declarations = __import__('pathlib').Path(__file__).with_name('fake.toml')\n"
    folder = plugin("fake", source + END + declarations + "Fake.modes = {'eager': 'all', 'other': 'all'}\n", PREAMBLE)
    (folder / "fake.toml").write_text(declared)


@pytest.mark.parametrize(("mode", "code", "status"), [("eager", 0, "known_failure"), ("other", 1, "failed")])
def test_a_declared_program_is_no_finding_in_the_mode_that_is_declared(plugin, fuzz, mode, code, status):
    declaring(plugin, WRONG, DECLARED.replace("MODE", mode))
    done, record = fuzz(WRONG, "--programs=4")
    assert done.code == code, done.text
    assert {line["status"] for line in record.programs} == {"passed", status}
    known = [line for line in record.programs if line["status"] == "known_failure"]
    assert all(line["message"].startswith("declared: its sine is a cosine [v") for line in known)
    assert len(record.findings) == code


def test_a_declared_program_that_passes_is_stale_and_one_that_fails_is_not(plugin, fuzz, tmp_path):
    declaring(plugin, WRONG, DECLARED.replace("MODE", "eager"))
    stale = "stale declaration: fake.toml: known_program 1: v0: float32[3, 4]; v1 = cos(v0) -> v1 passes"
    done, record = fuzz(WRONG, "--programs=2")
    assert done.code == 0, done.text
    assert [line for line in done.text.splitlines() if line.startswith("stale")] == [stale]
    assert [line["status"] for line in record.declared] == ["passed", "known_failure"]
    done, record = fuzz(WRONG, "--programs=4", "--resume", "--strict-declarations")
    assert done.code == 1, done.text
    assert stale in done.text
    assert [line["status"] for line in record.declared] == ["passed", "known_failure"]


@pytest.mark.parametrize("option", ["--mode=other", "--dtype=float64"])
def test_a_declared_program_of_another_mode_or_dtype_is_not_tried(plugin, fuzz, option):
    declaring(plugin, RIGHT, DECLARED.replace("MODE", "eager"))
    done, record = fuzz(RIGHT, "--programs=2", "--strict-declarations", option)
    assert done.code == 0, done.text
    assert record.declared == []


SIGNED = """
@operations.native
def sin(x):
    return np.where(np.isfinite(x), np.sin(x) if np.all(x < 200) else np.cos(x), np.nan)
"""


def test_a_declared_program_is_tried_with_several_kinds_of_inputs(plugin, fuzz):
    """This sine is wrong of large numbers only."""
    declaring(plugin, SIGNED, DECLARED.replace("MODE", "eager"))
    done, record = fuzz(SIGNED, "--programs=1")
    assert [line["status"] for line in record.declared] == ["passed", "known_failure"], done.text


def test_what_is_declared_and_no_program_is_a_usage_error(plugin, fuzz):
    declaring(plugin, RIGHT, DECLARED.replace("MODE", "eager").replace("v1 = sin(v0)", "v1 = sin(v0, v9)"))
    done, _ = fuzz(RIGHT, "--programs=1")
    assert done.code == 4, done.text
    assert "fake.toml: known_program 1: program: 'v0: float32[9]; v1 = sin(v0, v9) -> v1' is no program" in done.text


def test_a_campaign_has_a_page_and_its_record_gives_the_same(fuzz, tensorproof, tmp_path):
    done, _ = fuzz(WRONG, "--programs=2", "--report=page.html")
    assert done.code == 1, done.text
    assert "report: page.html" in done.text
    page = (tmp_path / "page.html").read_text()
    assert "fake eager float32: 1 finding in 2 programs" in page
    assert "sin alone" in page
    again = tensorproof("report", "campaign.ndjson", "-o", "again.html")
    assert again.code == 0, again.text
    assert (tmp_path / "again.html").read_text() == page
    (tmp_path / "notes.html").write_text("mine")
    done, record = fuzz(WRONG, "--programs=3", "--resume", "--report=notes.html")
    assert done.code == 4
    assert "--report: notes.html is no page of tensorproof" in done.text
    assert len(record.programs) == 2


def test_scripts_replace_nothing_and_their_folder_is_looked_at_first(fuzz, tmp_path):
    scripts, edited = tmp_path / "scripts", "# edited by hand"
    fuzz(WRONG, "--programs=1", f"--dump={scripts}")
    (script,) = scripts.iterdir()
    text = script.read_text()
    script.write_text(edited)
    for programs in (2, 3):
        fuzz(WRONG, f"--programs={programs}", "--resume", f"--dump={scripts}")
        assert sorted(path.read_text() for path in scripts.iterdir()) == sorted([edited, text])
    done, record = fuzz(WRONG, "--programs=4", "--resume", f"--dump={script}")
    assert done.code == 4
    assert "--dump" in done.text
    assert len(record.programs) == 3


def test_a_program_that_is_judged_again_stands_in_its_finding_once(fuzz, tmp_path):
    """A kill between the two lines of a program leaves its finding only."""
    fuzz(WRONG, "--programs=3")
    path = tmp_path / "campaign.ndjson"
    lines = path.read_text().splitlines(keepends=True)
    assert [json.loads(line)["kind"] for line in lines[-3:]] == ["finding", "program", "end"]
    path.write_text("".join(lines[:-2]))
    done, record = fuzz(WRONG, "--programs=3", "--resume")
    assert done.code == 1, done.text
    assert [item["programs"] for item in record.findings] == [[0, 1, 2]]


@pytest.mark.parametrize(
    ("source", "status", "options"),
    [(CRASHING, "crashed", ()), (HANGING, "timed_out", ("--timeout=1",)), (HUNGRY, "out_of_memory", ())],
    ids=["crash", "hang", "memory"],
)
def test_what_becomes_of_a_worker_is_told_apart(fuzz, source, status, options):
    done, record = fuzz(source, "--programs=1", "--seed=2", *options)
    assert done.code == 1, done.text
    assert {item["status"] for item in record.findings} == {status}
    assert record.findings[0]["blamed"] == "sin alone"
    assert len(record.programs) == 1


def test_a_campaign_goes_on_where_it_was(fuzz):
    fuzz(RIGHT, "--programs=5")
    done, record = fuzz(RIGHT, "--programs=9", "--resume")
    assert done.code == 0, done.text
    assert [line["number"] for line in record.programs] == list(range(9))
    done, _ = fuzz(RIGHT, "--programs=9", "--resume", "--seed=1")
    assert done.code == 4
    assert "seed differs" in done.text


def test_a_record_with_a_program_twice_other_counts_or_of_another_machine_is_refused(fuzz, tmp_path):
    fuzz(RIGHT, "--programs=2")
    path = tmp_path / "campaign.ndjson"
    header, first, second, end = map(json.loads, path.read_text().splitlines())
    end.pop("sha256")
    with pytest.raises(UsageError, match="line 3 is the same program as line 2"):
        read_campaign(made_lines.write(path, [header, first, first]))
    with pytest.raises(UsageError, match="its closing line counts other programs than it has"):
        read_campaign(made_lines.write(path, [header, first, end]))
    assert len(read_campaign(made_lines.write(path, [header, first, second, end])).programs) == 2
    with pytest.raises(UsageError, match=r"machine differs \(processor was .*, is another\)"):
        kept_lines(path, {**header, "machine": {**header["machine"], "processor": "another"}})


def test_a_record_is_not_overwritten(fuzz):
    fuzz(RIGHT, "--programs=1")
    done, _ = fuzz(RIGHT, "--programs=1")
    assert done.code == 4
    assert "--resume goes on with one" in done.text


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--mode=compiled",), "--mode: fake has no 'compiled'"),
        (("--programs=0",), "--programs: expected a number of at least 1"),
        (("--dtype=bfloat16",), "--dtype: fake has no 'bfloat16'"),
    ],
)
def test_what_does_not_exist_is_a_usage_error(fuzz, options, why):
    done, _ = fuzz(RIGHT, *options)
    assert done.code == 4
    assert why in done.text


def test_a_limit_of_time_ends_a_campaign(fuzz):
    done, record = fuzz(RIGHT, "--minutes=0.02")
    assert done.code == 0, done.text
    assert record.programs


def test_a_time_that_no_program_fits_into_proves_nothing(fuzz):
    done, record = fuzz(RIGHT, "--minutes=0")
    assert done.code == 3, done.text
    assert "ended early: no program was judged; give more --minutes" in done.text
    assert record.end["ended"]


def test_patterns_and_neighbours_are_sources(fuzz):
    _, record = fuzz(RIGHT, "--source=neighbours")
    assert {"tanh then sin", "sin then tanh", "residual then cos"} <= {line["label"] for line in record.programs}


def test_every_line_fits_the_schema(fuzz):
    _, record = fuzz(WRONG, "--programs=3")
    for line in (record.header, *record.declared, *record.programs, *record.findings, record.end):
        assert SCHEMA.problem(json.loads(json.dumps(line))) == ""


COMPILED = """

class Fake(NumpyBackend):
    name = "fake"
    operations = operations
    modes = {"eager": "all", "compiled": "all"}

    def forward(self, function, mode):
        return function

@hookimpl
def tensorproof_backend():
    return Fake()
"""


def test_where_programs_are_compiled_as_one_only_those_that_fail_are_findings(plugin, tensorproof, tmp_path):
    folder = plugin("fake", WRONG + COMPILED, PREAMBLE)
    record = tmp_path / "campaign.ndjson"
    done = tensorproof("fuzz", "fake", "--mode=compiled", "--source=random", "--programs=8", f"--record={record}", path=folder)
    assert done.code == 1, done.text
    lines = read_campaign(record).programs
    assert [line["number"] for line in lines] == list(range(8))
    assert {line["status"] for line in lines} == {"failed", "passed"}


TOGETHER = """

class Fake(NumpyBackend):
    name = "fake"
    operations = operations
    modes = {"eager": "all", "compiled": "all"}

    def forward(self, function, mode):
        if mode == "compiled" and len(function.primal_paths) > 9:
            return lambda primals, constants: tuple([1.5 * item for item in part] for part in function(primals, constants))
        return function

@hookimpl
def tensorproof_backend():
    return Fake()
"""


def test_what_is_wrong_only_where_programs_are_compiled_as_one_is_a_finding(plugin, tensorproof, tmp_path):
    folder = plugin("fake", RIGHT + TOGETHER, PREAMBLE)
    record = tmp_path / "campaign.ndjson"
    options = ("--mode=compiled", "--source=random", "--programs=3", f"--record={record}")
    done = tensorproof("fuzz", "fake", *options, path=folder)
    assert done.code == 1, done.text
    lines = read_campaign(record)
    assert {line["status"] for line in lines.programs} == {"passed"}
    (finding,) = lines.findings
    assert finding["status"] == "failed"
    assert finding["programs"] == [0, 1, 2]
    assert finding["eager"] == "passed"


class Talkative:
    """A worker whose script is longer than a record takes."""

    timeout = 1.0

    def ask(self, do: str, seconds: float, **request: object) -> dict:
        return {"script": "#" * 300_000, "why": ""}


def test_a_script_that_is_too_long_is_left_out_and_says_so():
    program = random_program(material(), 0)
    judging = Judging(Talkative(), "eager", {}, set())
    assert judging._script(program, Verdict("failed")) == {
        "why": "its arrays are too long to be written down: 300,000 characters"
    }
