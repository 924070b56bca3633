"""``tensorproof verified``: which instruction sets are written into a file of declarations, and which records are rejected."""

import tomllib

import pytest

from tensorproof.errors import UsageError
from tensorproof.runs.records import Record
from tensorproof.runs.verified import lines_about_instructions, update_verified

FILE = """# Kept as it is.

[[known_failure]]
operation = "tanh"  # a comment
explanation = "x"

[[unsupported]]
operation = "relu"
reason = "y"
verified = ["avx2"]

[[unsupported]]
operation = "gelu"
reason = "z"
attempt = false
"""


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "declarations.toml"
    file.write_text(FILE, encoding="utf-8")
    return file


def record(*checks, instructions="avx512", **header) -> Record:
    """A whole strict run of these checks: (declaration, status)."""
    tables = tomllib.loads(FILE)
    declarations = [
        {"kind": kind, "source": f"declarations.toml: {kind} {number}", **table}
        for kind, group in tables.items()
        for number, table in enumerate(group, start=1)
    ]
    lines = [
        {"declaration": f"declarations.toml: {name}", "status": status, "stale": False, "operation": "relu", "command": "c"}
        for name, status in checks
    ]
    whole = {
        "planned": len(lines),
        "left_out": {"scope": 3},
        "options": {"strict_declarations": True},
        "declarations": declarations,
        "instructions": {"name": instructions},
    }
    return Record({**whole, **header}, lines, end={"kind": "end"}, name="run.ndjson")


def test_what_a_strict_run_bore_out_is_written_and_the_rest_of_the_file_stays(path):
    update_verified(path, [record(("known_failure 1", "known_failure"), ("unsupported 1", "unsupported"))])
    text = path.read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    assert tables["known_failure"][0]["verified"] == ["avx512"]
    assert tables["unsupported"][0]["verified"] == ["avx2", "avx512"]
    assert text.startswith("# Kept as it is.")
    assert '"tanh"  # a comment' in text


def test_what_passes_there_is_not_verified_and_is_named(path):
    lines = update_verified(path, [record(("unsupported 1", "unsupported"), ("unsupported 1", "passed"))])
    assert tomllib.loads(path.read_text(encoding="utf-8"))["unsupported"][0]["verified"] == ["avx2"]
    assert lines[0] == "declarations.toml: unsupported 1: 1 of 2 checks pass on avx512; limit it with instructions"


@pytest.mark.parametrize(("outcomes", "seen"), [(("failed", "passed"), True), (("passed", "passed"), False)])
def test_a_failure_that_comes_and_goes_is_verified_where_it_came(path, outcomes, seen):
    path.write_text(FILE.replace('explanation = "x"', 'explanation = "x"\nsometimes = true'), encoding="utf-8")
    made = record(*(("known_failure 1", "known_failure") for _ in outcomes))
    made.header["declarations"][0]["sometimes"] = True
    for line, outcome in zip(made.checks, outcomes, strict=True):
        line["findings"] = [{"outcome": outcome}]
    lines = update_verified(path, [made])
    table = tomllib.loads(path.read_text(encoding="utf-8"))["known_failure"][0]
    assert table.get("verified") == (["avx512"] if seen else None)
    assert not [line for line in lines if "limit it" in line]


def test_what_was_not_tried_is_not_verified(path):
    update_verified(path, [record(("unsupported 2", "unsupported"))])
    assert "verified" not in tomllib.loads(path.read_text(encoding="utf-8"))["unsupported"][1]


def test_a_declaration_that_has_changed_since_is_not_verified(path):
    path.write_text(FILE.replace('"tanh"', '"sigmoid"'), encoding="utf-8")
    update_verified(path, [record(("known_failure 1", "known_failure"))])
    assert "verified" not in tomllib.loads(path.read_text(encoding="utf-8"))["known_failure"][0]


@pytest.mark.parametrize("header", [{"options": {}}, {"left_out": {"selection": 1}}, {"left_out": {"shard": 1}}, {"planned": 9}])
def test_a_run_that_was_not_whole_and_strict_verifies_nothing(path, header):
    with pytest.raises(UsageError, match=r"not of a whole run; run pytest --backend=NAME --strict-declarations first"):
        update_verified(path, [record(("known_failure 1", "known_failure"), **header)])
    assert path.read_text(encoding="utf-8") == FILE


@pytest.mark.parametrize(
    "text", ["unsupported = 3", "[unsupported]", "[[unsupported]]\nverified = 3", "[[known_failure]]\nverified = [3]"]
)
def test_a_file_that_is_none_of_declarations_is_refused_and_stays(path, text):
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"declarations file declarations\.toml: \w+(:|) .*must be a list"):
        update_verified(path, [])
    assert path.read_text(encoding="utf-8") == text


def test_nothing_is_said_of_instruction_sets_where_declarations_were_verified():
    assert lines_about_instructions(record(("unsupported 1", "unsupported"), instructions="avx2")) == []
    assert lines_about_instructions(record(("unsupported 1", "unsupported"), instructions="amx"))[0].startswith(
        "this plugin's declarations were verified on avx2 only, not on amx"
    )
