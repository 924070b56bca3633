"""The history: what it reads of records, that it reads them without harm, and that classes of machine stay apart."""

import json
from pathlib import Path

import made_lines
import pytest
from nightly_records import MACHINE, header, night, series, timing, write_timings

from tensorproof.nightly import history as history_module
from tensorproof.nightly.history import is_night, nights, read_history
from tensorproof.nightly.series import machine_class


def test_a_series_has_one_point_for_each_night(tmp_path):
    for index, ratio in enumerate((0.5, 0.6, 0.7)):
        write_timings(tmp_path / night(index), {series(0): ratio, series(1): 2 * ratio})
    measured = read_history(nights(tmp_path))
    digest = machine_class(header()).digest
    history = measured.histories[series(0), digest]
    assert [point.ratio for point in history.points] == [0.5, 0.6, 0.7]
    assert [point.night for point in history.points] == [night(0), night(1), night(2)]
    assert history.points[0].median_ns == pytest.approx(200_000)
    assert history.points[0].low_ns < history.points[0].median_ns < history.points[0].high_ns
    assert history.points[0].versions == (("torch", "2.13.0"),)
    assert measured.notes == []


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"machine": {**MACHINE, "processor": "Other CPU"}}, id="processor"),
        pytest.param({"machine": {**MACHINE, "cores": 4}}, id="cores"),
        pytest.param({"machine": {**MACHINE, "architecture": "aarch64"}}, id="architecture"),
        pytest.param({"machine": {**MACHINE, "system": "Darwin"}}, id="system"),
        pytest.param({"threads": 2}, id="threads"),
        pytest.param({"affinity": None}, id="affinity"),
        pytest.param({"affinity": [0, 1]}, id="two processors"),
        pytest.param({"method": 1}, id="method"),
    ],
)
def test_classes_of_machine_are_never_mixed(tmp_path, changes):
    write_timings(tmp_path / night(0), {series(0): 0.5})
    write_timings(tmp_path / night(1), {series(0): 5.0}, **changes)
    measured = read_history(nights(tmp_path))
    assert sorted(len(history.points) for history in measured.histories.values()) == [1, 1]
    assert measured.machines[night(0)].isdisjoint(measured.machines[night(1)])


def test_a_history_begins_with_the_latest_version_of_the_operation(tmp_path):
    for index, (ratio, version) in enumerate(((5.0, 1), (0.6, 2), (0.7, 2))):
        lines = [header(), timing(series(0), ratio, operation_version=version)]
        made_lines.write(tmp_path / night(index) / "timings.ndjson", lines)
    (history,) = read_history(nights(tmp_path)).histories.values()
    assert [point.ratio for point in history.points] == [0.6, 0.7]


def test_release_python_and_processor_number_do_not_part_machines():
    other = {**header(machine={**MACHINE, "release": "6.2", "python": "3.11.10"}), "affinity": [1]}
    assert machine_class(other) == machine_class(header())


def test_two_records_of_a_night_on_two_machines_stay_apart(tmp_path):
    write_timings(tmp_path / night(0), {series(0): 0.5}, name="timings_torch")
    write_timings(tmp_path / night(0), {series(0, "jax"): 0.5}, name="timings_jax", threads=2)
    measured = read_history(nights(tmp_path))
    assert len(measured.machines[night(0)]) == 2
    assert len(measured.histories) == 2


def test_a_torn_last_line_costs_only_itself(tmp_path):
    path = write_timings(tmp_path / night(0), {series(0): 0.5}, ended=False)
    with path.open("ab") as file:
        file.write(json.dumps(timing(series(2), 0.7)).encode()[:100])
    measured = read_history(nights(tmp_path))
    assert [found.operation for found, _ in measured.histories] == ["op0"]


@pytest.mark.parametrize(
    "foreign",
    [b"not json", b"[1, 2]", b'"text"', b"7", b"\xff\xfe\x80", b"[" * 5000, b'{"kind":"timing"}', b"", b'{"kind":"weather"}'],
    ids=["no json", "list", "text", "number", "bytes", "deep", "empty line of a series", "nothing", "kind"],
)
def test_a_record_with_a_foreign_line_is_left_out_and_told(tmp_path, foreign):
    path = write_timings(tmp_path / night(0), {series(0): 0.5}, ended=False)
    with path.open("ab") as file:
        file.write(foreign + b"\n" + json.dumps(timing(series(1), 0.6)).encode() + b"\n")
    write_timings(tmp_path / night(1), {series(0): 0.5})
    measured = read_history(nights(tmp_path))
    assert [point.night for history in measured.histories.values() for point in history.points] == [night(1)]
    [note] = measured.notes
    assert note.startswith(f"{night(0)}: record timings.ndjson: line 4")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"anchor": 7}, id="anchor is a number"),
        pytest.param({"anchor": {"ratio": "fast"}}, id="ratio is a word"),
        pytest.param({"anchor": {"ratio": -1}}, id="negative"),
        pytest.param({"anchor": {"ratio": 0}}, id="zero"),
        pytest.param({"anchor": {"ratio": "NaN"}}, id="NaN"),
        pytest.param({"anchor": {"ratio": "Infinity"}}, id="infinity"),
        pytest.param({"anchor": None}, id="none"),
        pytest.param({"clocks": [1]}, id="clocks are a list"),
        pytest.param({"clocks": {"throughput hot": {"median_ns": {}}}}, id="median is an object"),
        pytest.param({"clocks": {}}, id="no clock"),
        pytest.param({"status": "error"}, id="status"),
        pytest.param({"status": {"a": 1}}, id="status is an object"),
    ],
)
def test_a_line_that_is_no_measurement_gives_no_point(tmp_path, changes):
    made_lines.write(tmp_path / night(0) / "timings.ndjson", [header(), timing(series(0), 0.5, **changes)])
    assert read_history(nights(tmp_path)).histories == {}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("quote's \" and ; DROP TABLE x; --", id="quotes"),
        pytest.param("[abc] * ? {a,b}", id="patterns"),
        pytest.param("a*c", id="star"),
        pytest.param("a[b]c", id="brackets"),
        pytest.param("ü \N{GREEK SMALL LETTER ALPHA}", id="letters"),
    ],
)
def test_names_of_folders_are_never_read_as_anything_else(tmp_path, name):
    history = tmp_path / name
    write_timings(history / night(0), {series(0): 0.5})
    write_timings(tmp_path / "abc" / night(0), {series(1): 0.5})
    assert [found.operation for found, _ in read_history(nights(history)).histories] == ["op0"]


def test_values_with_quotes_stay_values(tmp_path):
    name = "'; DROP TABLE x; -- \" | `rm` $(rm)"
    made_lines.write(tmp_path / night(0) / "timings.ndjson", [header(), {**timing(series(0), 0.5), "operation": name}])
    assert [found.operation for found, _ in read_history(nights(tmp_path)).histories] == [name]


def test_other_files_and_folders_are_not_read(tmp_path):
    write_timings(tmp_path / "environments", {series(0): 0.5})
    write_timings(tmp_path / "2026-13-45T030000Z", {series(0): 0.5})
    write_timings(tmp_path / night(0), {series(0): 0.5}, name="duel_torch_abc")
    assert read_history(nights(tmp_path)).histories == {}
    assert not is_night("2026-13-45T030000Z")


def test_a_record_without_a_header_is_left_out_and_said(tmp_path):
    made_lines.write(tmp_path / night(0) / "timings.ndjson", [timing(series(0), 0.5)])
    measured = read_history(nights(tmp_path))
    assert measured.histories == {}
    assert "the first line is no header" in measured.notes[0]


def test_a_record_with_a_series_twice_is_left_out_and_told(tmp_path):
    lines = [header(), timing(series(0), 0.5), timing(series(0), 0.8)]
    made_lines.write(tmp_path / night(0) / "timings.ndjson", lines)
    measured = read_history(nights(tmp_path))
    assert measured.histories == {}
    assert "line 3 is the same timing as line 2" in measured.notes[0]


def test_environments_of_a_confirmation_are_no_history(tmp_path):
    made_lines.write(tmp_path / night(0) / "timings.ndjson", [header(), timing(series(0), 0.5, environment="old")])
    assert read_history(nights(tmp_path)).histories == {}


def test_no_history_is_no_error(tmp_path: Path):
    assert nights(tmp_path / "absent") == []
    assert read_history([]).histories == {}


def test_long_queries_write_nothing_to_the_terminal():
    with history_module._connection() as connection:
        assert connection.execute("SELECT current_setting('enable_progress_bar')").fetchall() == [(False,)]
