"""Faults of files, each planted: what is damaged is told in a sentence, what stands is not lost, and nobody is named."""

import json
import os
import re
import time
from pathlib import Path

import made_lines
import pytest

from tensorproof import cli
from tensorproof.contract.declarations import DeclarationError, read_declarations
from tensorproof.errors import UsageError, shown
from tensorproof.lines import outputs
from tensorproof.lines.outputs import PAGE_MARK, held, require_place, write_beside, write_page_text
from tensorproof.lines.privacy import scrubbed
from tensorproof.lines.reading import closing_line
from tensorproof.lines.toml import read_toml
from tensorproof.lines.writing import LineFile, UnfitLine, write_lines
from tensorproof.nightly.packages import checked_pins
from tensorproof.runs.recording import open_record
from tensorproof.runs.records import SCHEMA, read_record
from tensorproof.runs.resume import kept_lines
from tensorproof.runs.summary import verdict, verdict_text
from tensorproof.statements.files import read_statement


def whole(path: Path, *checks: dict, **header: object) -> Path:
    """A record as a run writes it."""
    made = checks or (made_lines.check(),)
    counts: dict[str, int] = {}
    for line in made:
        counts[line["status"]] = counts.get(line["status"], 0) + 1
    lines = [made_lines.run(**{"planned": len(made), **header}), *made, made_lines.end(counts)]
    write_lines("-o", path, lines, SCHEMA)
    return path


@pytest.mark.parametrize("text", ["a\u2028b", "a\u2029b", "a\x85b", "a\rb\nc\x00", "\U0001f600"])
def test_no_character_of_a_text_ends_a_line(tmp_path, text):
    path = whole(tmp_path / "r.ndjson", made_lines.check(message=text))
    assert path.read_bytes().isascii()
    assert read_record(path).checks[0]["message"] == text


def test_a_lone_surrogate_is_written_out(tmp_path):
    path = whole(tmp_path / "r.ndjson", made_lines.check(message="bad \udc80 name"))
    assert read_record(path).checks[0]["message"] == "bad \\udc80 name"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (made_lines.check(status="splendid"), "line 2: status"),
        (made_lines.check(hostname="x"), "line 2: Additional properties"),
        (made_lines.check(duration_ns=-1), "line 2: duration_ns"),
        ({"kind": "weather"}, "line 2: no kind of line is called 'weather'"),
        ('{"kind":"check","duration_ns":NaN}\n', "line 2 is no line of a record"),
        ('{"kind":"check","duration_ns":1e999}\n', "line 2 is no line of a record"),
        (made_lines.run(), "line 2 is a second header"),
    ],
)
def test_what_the_schema_does_not_know_is_refused_with_its_line(tmp_path, line, message):
    with pytest.raises(UsageError, match=f"record r.ndjson: {message}"):
        read_record(made_lines.write(tmp_path / "r.ndjson", [made_lines.run(), line, made_lines.check()]))


def test_a_check_that_stands_twice_and_counts_that_differ_are_refused(tmp_path):
    twice = made_lines.write(tmp_path / "a.ndjson", [made_lines.run(planned=2), made_lines.check(), made_lines.check()])
    with pytest.raises(UsageError, match="line 3 is the same check as line 2"):
        read_record(twice)
    other = made_lines.write(tmp_path / "b.ndjson", [made_lines.run(), made_lines.check(), made_lines.end({"failed": 1})])
    with pytest.raises(UsageError, match="its closing line counts other checks"):
        read_record(other)


def test_a_line_that_does_not_fit_is_not_written(tmp_path):
    file = LineFile("--record", tmp_path / "r.ndjson", SCHEMA)
    file.append(made_lines.run())
    before = (tmp_path / "r.ndjson").read_bytes()
    for wrong in (made_lines.check(duration_ns=float("nan")), made_lines.check(placement=object()), {"kind": "check"}):
        with pytest.raises(UnfitLine):
            file.append(wrong)
    assert (tmp_path / "r.ndjson").read_bytes() == before
    file.close()
    assert os.listdir(tmp_path) == ["r.ndjson"]


def test_two_writers_of_one_record_are_told(tmp_path):
    path = tmp_path / "r.ndjson"
    with held("--record", path), pytest.raises(UsageError, match="another process is writing to r"):
        LineFile("--record", path, SCHEMA)


@pytest.mark.parametrize("odd", [{"device": 1}, {"versions": {"numpy": "x" * 2**20}}, {"arithmetic": {"a": float("nan")}}])
def test_what_a_backend_says_of_itself_and_no_record_holds_is_a_usage_error(tmp_path, odd):
    with pytest.raises(UsageError, match=f"what the backend says of itself fits in no record: .*{next(iter(odd))}"):
        open_record(tmp_path / "r.ndjson", SCHEMA, made_lines.run(**odd), None)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("place", [".", "..", "/"])
def test_a_folder_is_no_record(place):
    with pytest.raises(UsageError, match="--record: "):
        LineFile("--record", Path(place), SCHEMA)


@pytest.mark.parametrize(
    "arguments",
    [["report", "a.ndjson", "-o", "a.ndjson"], ["report", "a.ndjson", "b.ndjson"], ["merge", "a.ndjson", "-o", "b.ndjson"]],
)
def test_nothing_that_exists_is_overwritten(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    texts = {name: whole(tmp_path / name).read_bytes() for name in ("a.ndjson", "b.ndjson")}
    assert cli.main(arguments if "-o" in arguments else [*arguments[:2], "-o", arguments[2]]) == 4
    assert "Traceback" not in capsys.readouterr().err
    assert {name: (tmp_path / name).read_bytes() for name in texts} == texts


def test_a_page_replaces_a_page_and_with_force_anything_but_the_record(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole(tmp_path / "a.ndjson")
    for _ in range(2):
        assert cli.main(["report", "a.ndjson", "-o", "a.html"]) == 0
    assert PAGE_MARK in (tmp_path / "a.html").read_bytes()
    (tmp_path / "notes.txt").write_text("mine")
    assert cli.main(["report", "a.ndjson", "-o", "notes.txt"]) == 4
    assert cli.main(["report", "a.ndjson", "-o", "notes.txt", "--force"]) == 0
    assert cli.main(["report", "a.ndjson", "-o", "a.ndjson", "--force"]) == 4


def test_a_link_that_leads_nowhere_is_no_place_for_a_page(tmp_path):
    (tmp_path / "page.html").symlink_to("nowhere/page.html")
    with pytest.raises(UsageError, match=r"--report: page\.html is a link to what is not there; give another name"):
        require_place("--report", tmp_path / "page.html")


@pytest.mark.parametrize(
    "arguments", [["report", "a.ndjson", "--force"], ["export", "a.ndjson", "--force"], ["compare", "a.ndjson", "a.ndjson"]]
)
def test_no_record_is_replaced_not_even_with_force(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    whole(tmp_path / "a.ndjson")
    record = whole(tmp_path / "b.csv")
    before = record.read_bytes()
    assert cli.main([*arguments, "-o", "b.csv"]) == 4
    assert "b.csv is a record, and no record is overwritten" in capsys.readouterr().err
    assert record.read_bytes() == before


def test_a_full_disk_leaves_the_page_that_was_there(tmp_path, monkeypatch):
    page = tmp_path / "page.html"
    page.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(outputs.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_beside(page, "new" * 1000)
    assert page.read_text() == "old"
    assert os.listdir(tmp_path) == ["page.html"]


def test_a_file_that_is_no_record_is_not_gone_on_with(tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("my notes without an end of line")
    with pytest.raises(UsageError, match="line 1 is no line of a record"):
        kept_lines(notes, made_lines.run())
    assert notes.read_text() == "my notes without an end of line"


@pytest.mark.parametrize(
    "changed",
    [
        {"versions": {"numpy": "2.0"}},
        {"seed": 1},
        {"specification": "2"},
        {"instructions": {"name": "avx512", "kernels": {}, "limit": None}},
        {"options": {**made_lines.run()["options"], "op": ["tanh"]}},
        {"device": "cuda"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_record_of_another_run_is_not_gone_on_with(tmp_path, changed):
    path = made_lines.write(tmp_path / "r.ndjson", [made_lines.run(planned=2), made_lines.check()])
    assert len(kept_lines(path, made_lines.run(planned=2))) == 2
    with pytest.raises(UsageError, match=f"r.ndjson is of another run: {next(iter(changed))} differs"):
        kept_lines(path, made_lines.run(planned=2, **changed))


def test_a_declared_reduced_precision_is_in_the_verdicts_word(tmp_path):
    declared = {"kind": "precision", "source": "d.toml: precision 1", "matmul_input_bits": 8, "reason": "fast"}
    judged = verdict(read_record(whole(tmp_path / "r.ndjson", declarations=[declared])))
    assert judged["word"] == "conforms at reduced precision"
    assert "matrix products take their inputs in 8 bits, bfloat16 (1 declaration)" in verdict_text(judged)


@pytest.mark.parametrize(
    "text",
    [
        'keywords = 3\nreason = "x"',
        'versions = ["numpy"]\nreason = "x"',
        'platform = 3\nreason = "x"',
        "reason = 2026-01-01",
        'keywords = { a = nan }\nreason = "x"',
        'given = "x"\nreason = "x"',
        "keywords = " + "[" * 5000,
        "keywords = " + "9" * 5000,
        'keywords = { a = 2026-01-01 }\nreason = "x"',
    ],
)
def test_damaged_declarations_are_a_sentence(tmp_path, text):
    path = tmp_path / "d.toml"
    path.write_text(f"[[unsupported]]\n{text}\n")
    with pytest.raises(DeclarationError, match=r"d\.toml"):
        read_declarations(path, {}, [], {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/ann", "~"),
        ("index https://ann:s3cret@host.org/simple?token=x#y", "index https://host.org/simple"),
        ("file:///home/ann/secret/x.whl", "x.whl"),
        ("in '/home/Ann Lee/My Project/lib.so'", "in 'lib.so'"),
        ("C:\\Users\\ann\\x\\lib.dll", "lib.dll"),
        ("token=abcdef", "token=…"),
        ("ghp_0123456789abcdef0123", "…"),
        ("a/b, 1/2 and AVX512 stay", "a/b, 1/2 and AVX512 stay"),
    ],
)
def test_nobody_is_named(text, expected):
    assert scrubbed(text) == expected


@pytest.mark.parametrize("part", ["x", "a-b.", "sk-", "\\", "/", "/a", "a://", "~/", "C:/", "/home/a b/", "token="])
def test_no_text_takes_longer_than_its_length_asks_for(part):
    """A message of a compiler is long; what tries each place of it up to its end would take hours."""
    text = f"E: {part * (200_000 // len(part))}"
    start = time.process_time()
    assert len(scrubbed(text)) <= len(text)
    assert time.process_time() - start < 5


def test_every_field_of_a_header_is_private(tmp_path):
    told = "built in /home/ann/x by https://ann:t0ken@host.org/y"
    path = whole(
        tmp_path / "r.ndjson", versions={"numpy": told}, arithmetic={"a": told}, defaults={"o": {"k": told}}, reasons={"o": told}
    )
    assert "/ann" not in path.read_text()
    assert "t0ken" not in path.read_text()


def test_histories_hold_exact_versions_only():
    assert checked_pins("# python 3.11\nnumpy==2.4.6\n# from a folder: tensorproof 1\n") == ["numpy==2.4.6"]
    for line in (
        "x @ https://h.org/x.whl",
        "git+https://h.org/x",
        "x>=1",
        "x==1.*",
        "-i https://h.org",
        "# not from an index: x 1",
    ):
        with pytest.raises(ValueError, match=r"no exact version|did not come from an index"):
            checked_pins(line)


def test_no_escape_of_a_record_reaches_the_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    escape = "\x1b]0;owned\x07\x1b[2J\u202e"
    whole(tmp_path / "a.ndjson", versions={"numpy": escape})
    whole(tmp_path / "b.ndjson", made_lines.check(status="failed", message=escape, command=escape), versions={"numpy": escape})
    cli.main(["compare", "a.ndjson", "b.ndjson"])
    cli.main(["merge", "b.ndjson", "-o", "c.ndjson"])
    printed = "".join(capsys.readouterr())
    assert printed.replace("\n", "").isprintable()
    assert shown(f"{escape}\n") == "?]0;owned??[2J?\n"


def test_lines_of_a_killed_run_are_kept(tmp_path):
    path = made_lines.write(tmp_path / "r.ndjson", [made_lines.run(planned=2), made_lines.check(), '{"kind":"che'])
    read = read_record(path)
    assert (len(read.checks), read.complete, verdict(read)["word"]) == (1, False, "incomplete")
    assert json.dumps(read.notes)


@pytest.mark.parametrize(
    ("tail", "found"),
    [
        ("", True),
        ('{"kind":"end"', False),
        ('{"kind":"end","x":1}\n', False),
        ("no line\n", False),
        ('{"kind":"check"}\n', False),
    ],
    ids=["whole", "torn", "with a strange field", "no JSON", "of another kind"],
)
def test_a_closing_line_is_read_alone_and_only_if_it_is_one(tmp_path, tail, found):
    path = made_lines.write(
        tmp_path / "run.ndjson",
        [
            made_lines.run(planned=2),
            made_lines.check(message="x" * 200_000),
            made_lines.end({"passed": 2}),
            *([tail] if tail else []),
        ],
    )
    line = closing_line(path, SCHEMA)
    assert (line is not None) is found
    assert line is None or line["counts"] == {"passed": 2}
    assert closing_line(tmp_path / "absent.ndjson", SCHEMA) is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"failed"', '"passed"', "line 3: it was changed after the run wrote it"),
        ('"word":"does not conform"', '"word":"conforms"', "line 3: it was changed after the run wrote it"),
        (',"ended":"interrupted"', "", "line 3: it was changed after the run wrote it"),
        (',"counts"', ', "counts"', "line 3: it was changed after the run wrote it"),
        (',"sha256":"', ',"sha256":"","sha256":"', "line 3: it was changed after the run wrote it"),
        (',"sha256":".*"', "", 'line 3: "sha256" is a required property'),
    ],
    ids=["a check", "the verdict", "why it ended", "a blank", "the digest twice", "the digest is gone"],
)
def test_a_record_that_was_changed_is_refused(tmp_path, old, new, message):
    closing = made_lines.end({"failed": 1}, ended="interrupted")
    closing["verdict"]["word"] = "does not conform"
    path = tmp_path / "r.ndjson"
    write_lines("-o", path, [made_lines.run(), made_lines.check(status="failed"), closing], SCHEMA)
    assert closing_line(path, SCHEMA)["verdict"]["word"] == "does not conform"
    text = path.read_text()
    path.write_text(re.sub(old, new, text))
    assert path.read_text() != text
    assert closing_line(path, SCHEMA) is None
    with pytest.raises(UsageError, match=message):
        read_record(path)


@pytest.mark.parametrize(
    "read",
    [
        read_record,
        read_statement,
        lambda path: read_toml(path, ""),
    ],
    ids=["record", "statement", "TOML"],
)
@pytest.mark.parametrize("place", ["pipe", "/dev/zero"])
def test_a_pipe_or_a_device_keeps_nobody_waiting(tmp_path, read, place):
    path = tmp_path / place
    if place == "pipe":
        os.mkfifo(path)
    with pytest.raises(UsageError):
        read(path)


def test_a_page_goes_into_a_pipe_that_is_read_and_waits_for_no_reader(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(UsageError, match="--report: pipe cannot be written: No such device"):
        write_page_text("--report", path, "text")
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write_page_text("--report", path, "text")
    assert os.read(reader, 100) == b"text"
    os.close(reader)


@pytest.mark.parametrize("number", ["9" * 400, "-" + "9" * 5000, "1e400"])
def test_a_number_that_no_float_holds_is_refused(tmp_path, number):
    line = json.dumps(made_lines.check()).replace('"duration_ns": 10', f'"duration_ns": {number}')
    with pytest.raises(UsageError, match="line 2 is no line of a record"):
        read_record(made_lines.write(tmp_path / "r.ndjson", [made_lines.run(), f"{line}\n"]))
