"""Records as other programs read them: right numbers, and nothing that a record says is a formula, markup or a tag."""

import csv
import io
import re
from xml.etree import ElementTree

import made_lines
import pytest

from tensorproof.cli import main
from tensorproof.errors import UsageError
from tensorproof.runs.records import Record
from tensorproof_reports.exports import badge_text, code, csv_text, junit_text, markdown_text, write_export

HEADER = made_lines.run(backend="torch", versions={"torch": "2.13"})
CHECK = made_lines.check(
    operation="softmax", sample="plain_rows", message="fine", duration_ns=2_000_000,
    command="tensorproof check torch --op=softmax",
    findings=[{"output": "y", "outcome": "passed", "largest_z": 1.5, "rms_z": 0.5, "line": ""}],
)  # fmt: skip
WRONG = {"output": "y", "outcome": "failed", "reason": "nan", "got": 0.0, "expected": "nan", "line": "y: NaN", "size": 4}


def record(*checks, planned=None, **header):
    lines = [{**CHECK, "sample": f"sample_{number}", **check} for number, check in enumerate(checks)]
    return Record({**HEADER, "planned": planned or len(lines), **header}, lines, end={"kind": "end"}, name="run.ndjson")


def test_csv_of_checks_has_a_line_for_each():
    rows = list(csv.DictReader(io.StringIO(csv_text([record({}, {"status": "failed", "findings": []})], []))))
    assert [(row["backend"], row["status"], row["largest_bars"], row["rms_bars"]) for row in rows] == [
        ("torch", "passed", "1.5", "0.5"), ("torch", "failed", "", ""),
    ]  # fmt: skip


def test_csv_of_timings_has_a_line_for_each(make):
    doubted = make.timing("jax jit", median=1e6)
    doubted["trust"]["threads"] = {"ok": False, "value": 2.0, "message": "2 cores"}
    rows = list(csv.DictReader(io.StringIO(csv_text([], [make.record([make.timing(), doubted])]))))
    assert [(row["contender"], row["median_ns"], row["not_trusted"]) for row in rows] == [
        ("torch eager", "812000.0", ""), ("jax jit", "1000000.0", "threads"),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1+2", "@x"])
def test_no_cell_begins_a_formula(text):
    rows = list(csv.reader(io.StringIO(csv_text([record({"message": text, "operation": text})], []))))
    assert not [cell for cell in rows[1] if cell.startswith(text)]


@pytest.mark.parametrize(
    ("status", "tag"),
    [("failed", "failure"), ("fell_back", "failure"), ("error", "error"), ("crashed", "error"), ("timed_out", "error"),
     ("out_of_memory", "error"), ("known_failure", "skipped"), ("unsupported", "skipped"), ("not_meaningful", "skipped"),
     ("not_run", "skipped")],
)  # fmt: skip
def test_junit_tells_each_status_from_a_pass(status, tag):
    root = ElementTree.fromstring(junit_text([record({"status": status}, {})], []))
    cases = root.findall("testsuite/testcase")
    assert [child.tag for child in cases[0]] == [tag]
    assert cases[0][0].get("type") == status
    assert len(cases[1]) == 0


def test_junit_counts_and_merges_runs():
    runs = [record({"status": "failed"}, {}), record({}, backend="jax")]
    suites = ElementTree.fromstring(junit_text(runs, [])).findall("testsuite")
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in suites] == [
        ("torch on cpu", "2", "1"), ("jax on cpu", "1", "0"),
    ]  # fmt: skip


def test_junit_tells_of_checks_that_were_not_made():
    suite = ElementTree.fromstring(junit_text([record({}, planned=7)], [])).find("testsuite")
    assert suite.get("errors") == "1"
    assert suite[-1].get("name") == "6 checks that were not run"


def test_summary_reads_as_plain_text():
    text = markdown_text([record({"status": "failed", "findings": [WRONG], "sample": "nan_each_lane"}, {})], [])
    assert "✗ `torch on cpu` does not conform" in text
    assert "softmax: NaN becomes 0" in text
    assert "      tensorproof check torch --op=softmax" in text
    assert "&#" not in text
    assert "\\_" not in text


@pytest.mark.parametrize("hostile", ["<img src=x>", "@everyone", "[a](http://b)", "a|b", "`c`", "# h", "x\n\n# y"])
def test_what_a_record_says_is_no_markup_in_a_summary(hostile):
    text = markdown_text([record({"status": "error", "operation": hostile, "mode": hostile, "traceback": hostile})], [])
    # Outside of code there is nothing of it.
    outside = re.sub(r"`[^`]*`|^      .*$", "", text, flags=re.M)
    for part in ("<img", "@every", "](http", "# h", "# y"):
        assert part not in outside.replace("# Conformance", "")


def test_code_cannot_be_left():
    assert code("a ` b\n``` c").count("`") == 2


@pytest.mark.parametrize(
    ("runs", "word"),
    [
        pytest.param([{"planned": 1}], "conforms · 1/1", id="conforms"),
        pytest.param([{"planned": 9}], "incomplete · 1/1", id="incomplete"),
        pytest.param(
            [
                {
                    "declarations": [
                        {"kind": "precision", "source": "d.toml: precision 1", "matmul_input_bits": 8, "reason": "fast"}
                    ]
                }
            ],
            "conforms at reduced precision · 1/1",
            id="reduced precision",
        ),
    ],
)
def test_badge_says_the_verdict(runs, word):
    root = ElementTree.fromstring(badge_text([record({}, **header) for header in runs], []))
    assert root.get("aria-label") == f"tensorproof torch: {word}"


def test_badge_of_several_runs_says_the_worst():
    text = badge_text([record({}), record({"status": "failed"}, backend="<jax>")], [])
    assert "does not conform" in text
    assert "&lt;jax&gt;" in text


@pytest.mark.parametrize("maker", [junit_text, badge_text])
def test_control_characters_of_a_record_make_no_malformed_xml(maker):
    hostile = "a\x00b\x1b[31m\ud800"
    ElementTree.fromstring(maker([record({"status": "failed", "message": hostile, "operation": hostile}, backend=hostile)], []))


def test_other_suffix_says_what_to_type(tmp_path):
    with pytest.raises(UsageError, match=r"ends in \.csv, \.xml, \.md, \.svg"):
        write_export([record({})], [], tmp_path / "x.pdf")


def test_malformed_record_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"run\.ndjson"):
        write_export([record({"status": 3})], [], tmp_path / "x.xml")


def test_timings_alone_make_no_badge(make):
    with pytest.raises(UsageError, match="of records of conformance"):
        badge_text([], [make.record([make.timing()])])


def test_command_writes_what_the_name_asks_for(tmp_path, capsys):
    run = made_lines.write(tmp_path / "run.ndjson", [HEADER, CHECK, made_lines.end({"passed": 1})])
    assert main(["export", str(run), "-o", str(tmp_path / "out.csv")]) == 0
    assert (tmp_path / "out.csv").read_text().startswith("backend,device,operation")


def test_command_tells_of_a_run_that_was_killed(tmp_path, capsys):
    run = made_lines.write(tmp_path / "run.ndjson", [HEADER, CHECK])
    assert main(["export", str(run), "-o", str(tmp_path / "out.csv")]) == 0
    assert "run.ndjson: incomplete; the run was killed, or part of it is missing" in capsys.readouterr().out
