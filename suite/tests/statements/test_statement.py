"""A statement holds what a record says, in allow-listed fields only, and its page and badge escape what others supply."""

import json
from importlib.resources import files
from pathlib import Path

import jsonschema_rs
import made_lines
import pytest

from tensorproof.cli import main
from tensorproof.errors import UsageError
from tensorproof.runs.records import Record
from tensorproof.statements.files import read_statement, text_of
from tensorproof.statements.known_faults import known_faults, noticed_by
from tensorproof.statements.statement import digest_of, operations_in, sentence, statement_of
from tensorproof.statements.verification import contradictions
from tensorproof_reports.statement_page import badge_words, statement_badge, statement_page

SCHEMA = json.loads((files("tensorproof.statements") / "statement.schema.json").read_text(encoding="utf-8"))


def check(sample: str, status: str = "passed", **changes):
    plain = {"operation": "relu", "inputs": "ab", "duration_ns": 1}
    return made_lines.check(**{**plain, "sample": sample, "status": status, **changes})


def record_of(*checks, **changes) -> Record:
    header = made_lines.run(backend="mine", specification="1.1", seed=1, **{"planned": len(checks), **changes})
    return Record(header, list(checks), end=made_lines.end({}), name="run.ndjson")


def test_counts_and_conforming_dtypes_are_those_of_the_checks():
    operation = operations_in(record_of(check("a"), check("b"), check("c", "failed", dtype="float64", required=False)))["relu"]
    assert operation["required"] == {"passed": 2}
    assert operation["optional"] == {"failed": 1}
    assert operation["conforms"] == ["float32"]


def test_an_operation_with_a_failure_conforms_in_no_dtype_that_has_it():
    operation = operations_in(record_of(check("a"), check("b", "failed"), check("a", dtype="float64")))["relu"]
    assert operation["conforms"] == ["float64"]


def test_checks_of_the_adapter_have_dtypes_that_no_operation_conforms_in():
    arrays = [
        check("none", check="adapter", operation="adapter", dtype=dtype, mode="none") for dtype in ("float32", "int64", "bool")
    ]
    statement = statement_of(record_of(check("a"), *arrays))
    jsonschema_rs.Draft202012Validator(SCHEMA).validate(statement)
    assert statement["operations"]["adapter"]["conforms"] == ["float32"]


def test_digests_change_with_an_outcome_and_with_an_input_and_not_with_the_order():
    first = operations_in(record_of(check("a"), check("b")))["relu"]
    assert operations_in(record_of(check("b"), check("a")))["relu"] == first
    assert operations_in(record_of(check("a"), check("b", "failed")))["relu"]["checks"] != first["checks"]
    assert operations_in(record_of(check("a"), check("b", inputs="cd")))["relu"]["inputs"] != first["inputs"]


def test_a_statement_keeps_to_its_schema():
    declarations = [
        {
            "kind": "precision",
            "source": "d.toml: precision 1",
            "operation": ["matmul"],
            "matmul_input_bits": 11,
            "reason": "TF32",
        },
        {"kind": "convention", "source": "d", "operation": "gelu", "keywords": {"approximation": "tanh"}, "reason": "x"},
        {"kind": "unsupported", "source": "d", "reason": "x"},
    ]
    statement = statement_of(record_of(check("a"), check("b", "failed"), declarations=declarations))
    jsonschema_rs.Draft202012Validator(SCHEMA).validate(statement)
    assert statement["precision"] == [{"operation": ["matmul"], "matmul_input_bits": 11}]
    assert statement["conventions"] == [{"operation": "gelu", "keywords": {"approximation": "tanh"}}]
    assert statement["verdict"] == "does not conform"


@pytest.mark.parametrize("declared", [True, False])
def test_a_reduced_precision_is_in_the_verdict_and_only_if_it_is_declared(tmp_path, declared):
    precision = {"kind": "precision", "source": "d.toml: precision 1", "matmul_input_bits": 8, "reason": "fast"}
    statement = statement_of(record_of(check("a"), declarations=[precision]))
    assert statement["verdict"] == "conforms at reduced precision"
    path = tmp_path / "statement.json"
    path.write_text(text_of({**statement, "precision": statement["precision"] if declared else []}))
    said = [line for line in contradictions(read_statement(path)) if line.startswith("verdict: ")]
    assert bool(said) is not declared


def test_no_file_of_a_statement_is_written_where_another_cannot_be(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made_lines.write(Path("r.ndjson"), [made_lines.run(), made_lines.check(), made_lines.end({"passed": 1})])
    Path("page.html").write_text("mine")
    assert main(["statement", "r.ndjson", "-o", "s.json", "--page=page.html"]) == 4
    assert main(["statement", "r.ndjson", "-o", "s.json", "--badge=s.json"]) == 4
    assert not Path("s.json").exists()


def test_folders_and_messages_do_not_reach_a_statement():
    record = record_of(check("a", "error", message="secret", traceback="secret"), versions={"mine": "1.0 built in /home/me/mine"})
    text = text_of(statement_of(record))
    assert "/home" not in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"left_out": {"selection": 3}}, "not of a whole run"),
        ({"left_out": {"shard": 3}}, "not of a whole run"),
        ({"options": {"profile": "core", "quick": True}}, "not of a whole run"),
        ({"planned": 9}, "the run did not end"),
    ],
)
def test_a_part_of_a_run_makes_no_statement(changes, expected):
    with pytest.raises(UsageError, match=expected):
        statement_of(record_of(check("a"), **changes))


def test_the_sentence_says_what_passes_of_what_and_where():
    statement = statement_of(record_of(check("a"), check("b", "failed"), check("c", required=False)))
    text = sentence(statement)
    assert text.startswith(
        "mine 1.0 on cpu (avx2): core, not frozen (1.1): required 1 of 2 pass, 1 fail or are missing in 1 causes"
    )
    assert "optional 1 of 1; float32; matmul_input_bits 24" in text
    assert text.endswith("placement verified: not conforming")


def test_the_share_of_faults_grows_with_the_dtypes_that_were_checked():
    of_relu = [dtypes for operation, dtypes in known_faults("core").values() if operation == "relu"]
    one, two, four = (
        noticed_by({"relu": set(dtypes)}, "core")["noticed"]
        for dtypes in (["float64"], ["float32", "float64"], ["float32", "float64", "bfloat16", "float16"])
    )
    assert len(of_relu) == four >= two >= one > 0


@pytest.mark.parametrize("profile", ["core", "extended"])
def test_the_faults_that_ship_are_those_of_the_page(profile):
    from write_fault_table import PAGES, TABLES, dtypes_named_in

    assert TABLES[profile].read_text(encoding="utf-8") == dtypes_named_in(PAGES[profile].read_text(encoding="utf-8"))


def test_the_faults_of_all_profiles_are_those_of_each():
    assert known_faults("all") == {**known_faults("core"), **known_faults("extended")}
    assert noticed_by({"relu": {"float32"}}, "somebody_elses") == {"known": 0, "noticed": 0}


def test_what_is_written_is_read_back(tmp_path: Path):
    statement = statement_of(record_of(check("a")))
    path = tmp_path / "statement.json"
    path.write_text(text_of(statement), encoding="utf-8")
    assert read_statement(path) == statement


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"hostname": "x"}, "hostname"),
        ({"required": {"passed": -1}}, "required.passed"),
        ({"verdict": "perfect"}, "verdict"),
        ({"backend": "--record=x"}, "backend"),
        ({"operations": {"relu": {}}}, "operations.relu"),
        ({"versions": {"mine": "x" * 200}}, "versions.mine"),
        ({"format": 2}, "written in format 2, this tensorproof reads 1; upgrade tensorproof"),
        ({"format": 0}, "written in format 0, this tensorproof reads 1; run again"),
        ({"format": "1"}, "format"),
    ],
)
def test_a_statement_that_breaks_the_schema_is_refused_with_the_field(tmp_path: Path, change, expected):
    path = tmp_path / "statement.json"
    path.write_text(json.dumps({**statement_of(record_of(check("a"))), **change}), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_statement(path)
    assert expected in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000])
def test_what_is_no_statement_is_refused(tmp_path: Path, text):
    path = tmp_path / "statement.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="is no JSON"):
        read_statement(path)


def test_page_and_badge_escape_what_others_supply():
    statement = statement_of(record_of(check("a"), versions={"mine": "<script>1</script>"}, device="<b>npu"))
    for text in (statement_page(statement), statement_badge({**statement, "profile": "<b>x"})):
        assert "<script>" not in text
        assert "<b>" not in text


def test_a_badge_never_rounds_up_to_all():
    statement = statement_of(record_of(check("a")))
    some = {**statement, "verdict": "does not conform", "required": {"passed": 9_999, "failed": 1}}
    assert badge_words(statement)[1] == "conforms"
    assert badge_words(some)[1] == "99 % of 10,000"


def test_lines_are_digested_in_order():
    assert digest_of(["a", "b"]) != digest_of(["a", "c"])
