"""Records of the shards of one run of timings become one, and what is missing is said."""

import made_lines
import pytest

from tensorproof import cli
from tensorproof.errors import UsageError
from tensorproof.lines.reading import DIGEST
from tensorproof.timing.results.merge import lines_of, merge_timing_records
from tensorproof.timing.results.records import TimingRecord, read_timing_record


def shard(index, count=3, *, series=2, end=True, spread=0.01, **header):
    """The record of a shard as it is read."""
    lines = [made_lines.timing(operation=f"operation{index}.{number}", contender="numpy eager") for number in range(series)]
    ending = {**made_lines.timing_end({"measured": series}), "finished": f"2026-11-2{index}T03:00:00Z"}
    ending["seconds"] = {"total": 2.0, "measuring": 1.0, "own": 0.25}
    return TimingRecord(
        made_lines.timing_run(**{"planned": 2, "options": {"op": [], "shard": f"{index}/{count}"}, **header}),
        made_lines.limits(
            gemm_flops_per_s={"float32": 1e9 * index}, resolution={"ratio_low": 0.99, "ratio_high": 1.01, "spread": spread}
        ),
        lines,
        name=f"part{index}.ndjson",
        end=ending if end else None,
    )


def test_all_series_of_all_shards_are_in_it_once():
    merged = merge_timing_records([shard(1), shard(2, spread=0.03), shard(3)])
    assert merged.complete
    assert len(merged.timings) == merged.header["planned"] == 6
    assert merged.header["options"] == {"op": [], "shard": None}
    assert merged.limits["resolution"]["spread"] == 0.03
    assert merged.end["seconds"] == {"total": 6.0, "measuring": 3.0, "own": 0.75}
    assert merged.end["finished"] == "2026-11-23T03:00:00Z"
    assert merged.end["counts"] == {"measured": 6}


def test_what_is_written_is_read_again(tmp_path):
    merged = merge_timing_records([shard(1), shard(2), shard(3)])
    again = read_timing_record(made_lines.write(tmp_path / "merged.ndjson", lines_of(merged)))
    digest = {DIGEST: again.end[DIGEST]}
    whole = (merged.header, merged.limits, merged.timings, merged.end | digest)
    assert (again.header, again.limits, again.timings, again.end) == whole


@pytest.mark.parametrize(
    ("given", "note"),
    [
        pytest.param([shard(1), shard(3)], "shard 2/3 is missing", id="missing"),
        pytest.param([shard(1), shard(2, end=False), shard(3)], "part2.ndjson was killed or is short", id="killed"),
        pytest.param([shard(1), shard(2, series=1), shard(3)], "part2.ndjson was killed or is short", id="short"),
    ],
)
def test_what_is_missing_is_said_and_leaves_it_incomplete(given, note):
    merged = merge_timing_records(given)
    assert not merged.complete
    assert merged.end is None
    assert merged.notes == [f"incomplete: {note}"]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        pytest.param(shard(1), "shard 1 of 3 is given more than once", id="twice"),
        pytest.param(shard(2, count=4), "part2.ndjson is shard 2/4, part1.ndjson is shard 1/3", id="other count"),
        pytest.param(shard(2, machine={"cpu": "two"}), "not of one run: machine differs", id="machine"),
        pytest.param(shard(2, threads=2), "not of one run: threads differs", id="threads"),
        pytest.param(shard(2, options={"op": ["relu"], "shard": "2/3"}), "not of one run: options differs", id="options"),
        pytest.param(shard(2, options=["2/3"]), "not of one run: options differs", id="no options"),
        pytest.param(shard(2, options={"op": [], "shard": "two"}), "expected I/N", id="no numbers"),
    ],
)
def test_what_are_no_shards_of_one_run_are_refused(second, message):
    with pytest.raises(UsageError, match=message):
        merge_timing_records([shard(1), second])


def test_series_that_are_in_two_shards_are_refused():
    second = shard(2)
    second.timings[0] = shard(1).timings[0]
    with pytest.raises(UsageError, match="1 series are in more than one record"):
        merge_timing_records([shard(1), second])


def test_the_command_merges_shards_of_timings_and_refuses_a_mixture(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for record in (shard(1, 2), shard(2, 2)):
        made_lines.write(tmp_path / record.name, lines_of(record))
    assert cli.main(["merge", "part1.ndjson", "part2.ndjson", "-o", "whole.ndjson"]) == 0
    assert "4 series: 4 measured" in capsys.readouterr().out
    assert read_timing_record(tmp_path / "whole.ndjson").complete
    assert cli.main(["merge", "part1.ndjson", "-o", "half.ndjson"]) == 1
    assert "incomplete: shard 2/2 is missing" in capsys.readouterr().out
    made_lines.write(tmp_path / "checks.ndjson", [made_lines.run()])
    assert cli.main(["merge", "part1.ndjson", "checks.ndjson", "-o", "both.ndjson"]) == 4
    assert "tensorproof report takes both" in capsys.readouterr().err
