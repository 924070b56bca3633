"""Records: what is written fits the schema, survives a kill, names nobody, and is read without harm."""

import getpass
import json
import platform
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from importlib.resources import files
from pathlib import Path

import jsonschema_rs
import pytest

from tensorproof.errors import UsageError
from tensorproof.lines.privacy import scrubbed
from tensorproof.runs.records import read_record


def schema() -> dict[str, object]:
    loaded: dict[str, object] = json.loads((files("tensorproof.runs") / "record.schema.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("record") / "run.ndjson"
    command = [sys.executable, "-m", "tensorproof", "check", "numpy", "--op=softmax", "--op=gelu", f"--record={path}"]
    subprocess.run(command, cwd=path.parent, capture_output=True, check=False)
    return path


def test_every_line_fits_the_schema(record):
    validator = jsonschema_rs.Draft202012Validator(schema())
    lines = [json.loads(text) for text in record.read_text().splitlines()]
    for line in lines:
        validator.validate(line)
    assert [line["kind"] for line in (lines[0], lines[1], lines[-1])] == ["run", "check", "end"]
    kinds = Counter(line["kind"] for line in lines)
    assert kinds["check"] == lines[0]["planned"]
    assert set(kinds) <= {"run", "check", "cause", "end"}


def test_schema_refuses_what_it_does_not_know(record):
    header = json.loads(record.read_text().splitlines()[0])
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.Draft202012Validator(schema()).validate({**header, "hostname": "x"})


def test_record_names_no_host_user_or_folder(record):
    text = record.read_text()
    folders = re.findall(r"(?<![\w.:/])/(?:[\w.-]+/)+", text)
    assert folders == []
    if len(platform.node()) > 3:
        assert platform.node() not in text
    if len(getpass.getuser()) > 4:
        assert getpass.getuser() not in text


def test_a_kill_loses_at_most_the_check_in_flight(tmp_path):
    path = tmp_path / "run.ndjson"
    command = [sys.executable, "-m", "tensorproof", "check", "numpy", "-n0", f"--record={path}"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and (not path.exists() or path.read_bytes().count(b"\n") < 50):
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    record = read_record(path)
    assert len(record.checks) >= 40
    assert not record.complete
    assert record.end is None


def test_torn_last_line_is_noted_and_the_rest_is_kept(record, tmp_path):
    torn = tmp_path / "torn.ndjson"
    torn.write_text("\n".join(record.read_text().splitlines()[:5]) + '\n{"kind": "che')
    read = read_record(torn)
    assert len(read.checks) == 4
    assert "torn" in read.notes[0]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "the file is empty"),
        (b"\x80\x81\xff", "line 1 is no line of a record"),
        (b"not json\n{}\n", "line 1 is no line of a record"),
        (b'{"kind": "check"}\n', "the first line is no header"),
        (b'{"kind": "run", "format": 99}\n', "written in format 99"),
        (b"[" * 100_000 + b"\n", "line 1 is no line of a record"),
    ],
)
def test_unreadable_and_newer_records_are_usage_errors(tmp_path, content, expected):
    path = tmp_path / "bad.ndjson"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=expected):
        read_record(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cannot open '/home/me/x/lib.so'", "cannot open 'lib.so'"),
        (r"in C:\Users\me\x\lib.dll", "in lib.dll"),
        ("a/b stays, and so does 1/2", "a/b stays, and so does 1/2"),
        ("https://example.org/a/b stays", "https://example.org/a/b stays"),
    ],
)
def test_folders_are_taken_out_of_messages(text, expected):
    assert scrubbed(text) == expected
