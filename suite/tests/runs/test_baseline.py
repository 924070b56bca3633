"""What is told before two records are compared."""

import made_lines
import pytest

from tensorproof.errors import UsageError
from tensorproof.runs.baseline import compare, require_comparable
from tensorproof.runs.records import read_record


def test_a_baseline_of_another_device_or_seed_is_refused_and_told_in_comparisons(tmp_path):
    old = read_record(made_lines.write(tmp_path / "a.ndjson", [made_lines.run(), made_lines.check()]))
    header = made_lines.run(seed=1, device="cuda", specification="2")
    new = read_record(made_lines.write(tmp_path / "b.ndjson", [header, made_lines.check()]))
    assert [note.split(":")[0].split(" (")[0] for note in compare(old, new).notes] == [
        "the records are of different devices",
        "the records are of different seeds",
        "the records are of different specifications",
    ]
    for key in ("device", "seed"):
        with pytest.raises(UsageError, match=f"--baseline: a.ndjson is of {key}"):
            require_comparable(old, {**old.header, key: new.header[key]})


def test_a_run_that_is_incomplete_is_told_in_comparisons(tmp_path):
    checks = [made_lines.check(sample=f"s{number}") for number in range(3)]
    whole_one = read_record(made_lines.write(tmp_path / "a", [made_lines.run(planned=3), *checks]))
    killed = read_record(made_lines.write(tmp_path / "b", [made_lines.run(planned=3), checks[0]]))
    out_of_time = [made_lines.run(planned=3), *checks[:2], {**checks[2], "status": "not_run"}]
    late = read_record(made_lines.write(tmp_path / "c", out_of_time))
    words = "the {} run is incomplete: {} of 3 checks were made, and the others are not compared"
    assert compare(whole_one, whole_one).notes == ()
    assert compare(killed, late).notes == (words.format("earlier", 1), words.format("later", 2))
    assert compare(late, whole_one).notes == (words.format("earlier", 2),)
