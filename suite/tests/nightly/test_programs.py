"""The programs of a night: which campaigns are asked for, and what is told of their findings."""

from pathlib import Path

import made_lines
from nightly_records import write_conformance

from tensorproof.nightly.night import readable_records
from tensorproof.nightly.programs import campaigns, told_of_programs
from tensorproof.programs.campaigns.records import FORMAT, SCHEMA, read_campaign
from tensorproof.runs.recording import open_record

HEADER = {
    "kind": "campaign",
    "format": FORMAT,
    "tensorproof": "0.1.0",
    "specification": "0" * 12,
    "started": made_lines.MOMENT,
    "backend": "torch",
    "device": "cpu",
    "mode": "compile",
    "dtype": "float32",
    "seed": 0,
    "source": "fixed",
    "planned": None,
    "versions": {"torch": "2.13.0"},
    "instructions": "",
    "machine": made_lines.run()["machine"],
}


def finding(key: str) -> dict:
    """One finding."""
    value = {"shape": [2], "dtype": "float32", "kind": "normal", "seed": 0, "values": None}
    node = {"operation": "exp", "operands": [["x", 0]], "keywords": []}
    return {
        "kind": "finding",
        "key": key,
        "status": "failed",
        "reason": "value bars",
        "message": "v1: 20 bars",
        "program": {"inputs": [value], "nodes": [node], "outputs": [1], "seed": 0},
        "text": f"v1 = {key}(v0)",
        "blamed": "exp alone",
        "eager": "passed",
        "script": "",
        "no_script": "",
        "programs": [0],
    }


def end(**more: str) -> dict:
    """The last line."""
    seconds = {"total": 1.0, "workers": 0.5}
    return {"kind": "end", "finished": made_lines.MOMENT, "counts": {}, "coverage": {}, "seconds": seconds, **more}


def write(folder: Path, *keys: str, last: dict | None = None, backend: str = "torch") -> Path:
    """A night's campaign."""
    folder.mkdir(exist_ok=True)
    file, _ = open_record(folder / f"programs_{backend}_compile.ndjson", SCHEMA, HEADER | {"backend": backend}, None)
    for line in (*map(finding, keys), last or end()):
        file.append(line)
    file.close()
    return folder


def test_each_compiled_mode_has_a_campaign(tmp_path):
    assert list(campaigns(tmp_path, "torch")) == []
    write_conformance(tmp_path, "torch", ["passed"])
    assert list(campaigns(tmp_path, "torch")) == []
    path = tmp_path / "conformance_torch.ndjson"
    made_lines.write(path, [made_lines.run(backend="torch", modes={"eager": "all", "compile": "spread"})])
    (asked,) = campaigns(tmp_path, "torch")
    assert asked.stage == "programs of torch compile"
    assert {"--mode=compile", "--source=fixed"} <= set(asked.arguments)


def test_what_was_found_before_is_not_new(tmp_path):
    earlier, tonight = write(tmp_path / "1", "one"), write(tmp_path / "2", "one", "two")
    alarms, notes = told_of_programs(tonight, [earlier], "torch")
    assert alarms == [("new failure", "new: programs of torch compile: failed: v1 = two(v0): v1: 20 bars")]
    assert not notes


def test_of_many_new_findings_ten_are_shown_and_the_others_counted(tmp_path):
    earlier, tonight = write(tmp_path / "1"), write(tmp_path / "2", *map(str, range(13)))
    alarms, _ = told_of_programs(tonight, [earlier], "torch")
    assert [kind for kind, _ in alarms] == ["new failure"] * 11
    assert alarms[-1][1] == "programs of torch compile: 3 more new findings"


def test_the_first_night_has_nothing_to_compare_with(tmp_path):
    alarms, notes = told_of_programs(write(tmp_path / "1", "one"), [tmp_path / "0"], "torch")
    assert not alarms
    assert notes == ["programs of torch compile: findings, with no earlier night to compare with: 1"]


def test_a_campaign_that_ended_early_is_incomplete_and_not_compared_with(tmp_path):
    whole, early = write(tmp_path / "1", "one"), write(tmp_path / "2", last=end(ended="interrupted"))
    assert told_of_programs(write(tmp_path / "3", "one"), [whole, early], "torch") == ([], [])
    alarms, _ = told_of_programs(early, [whole], "torch")
    assert alarms == [("incomplete", "programs of torch compile: 0 programs were judged, not all")]


def test_a_campaign_that_an_earlier_night_had_is_missing(tmp_path):
    (tmp_path / "2").mkdir()
    alarms, _ = told_of_programs(tmp_path / "2", [write(tmp_path / "1")], "torch")
    assert alarms == [("missing", "programs_torch_compile: there is no record")]
    (tmp_path / "2" / "programs_torch_compile.ndjson").write_text("no record\n")
    ((kind, _),), _ = told_of_programs(tmp_path / "2", [tmp_path / "1"], "torch")
    assert kind == "missing"


def test_a_backend_has_no_findings_of_one_whose_name_begins_with_its_name(tmp_path):
    night = write(tmp_path / "1", "one", backend="torch_xpu")
    assert told_of_programs(night, [], "torch") == ([], [])
    assert told_of_programs(night, [], "torch_xpu")[1]


def test_a_stale_declaration_is_a_note(tmp_path):
    declared = {"kind": "declared", "source": "d.toml: known_program 1", "text": "v0: float32[9]; v1 = sin(v0) -> v1"}
    lines = [{**declared, "explanation": "wrong", "status": status, "message": ""} for status in ("passed", "failed")]
    path = write(tmp_path / "1") / "programs_torch_compile.ndjson"
    made_lines.write(path, [HEADER, *lines, end()])
    notes = told_of_programs(tmp_path / "1", [tmp_path / "1"], "torch")[1]
    assert notes == [
        "programs of torch compile: stale declaration: d.toml: known_program 1: v0: float32[9]; v1 = sin(v0) -> v1 passes"
    ]


def test_the_page_of_a_night_has_its_campaigns_that_can_be_read(tmp_path):
    night = write(tmp_path / "1", "one")
    (night / "programs_torch_vmap.ndjson").write_text("no record\n")
    found = readable_records(night, "programs_*.ndjson", read_campaign)
    assert list(found) == [night / "programs_torch_compile.ndjson"]
