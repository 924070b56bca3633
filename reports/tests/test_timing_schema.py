"""The schema of records of timings: what the suite writes fits, and what it does not know is refused."""

import json
from importlib.resources import files

import jsonschema_rs
import made_lines
import pytest


@pytest.fixture(name="validator", scope="module")
def validator_fixture() -> jsonschema_rs.Draft202012Validator:
    schema = json.loads((files("tensorproof.timing.results") / "timing_record.schema.json").read_text())
    jsonschema_rs.meta.validate(schema)
    return jsonschema_rs.Draft202012Validator(schema)


def test_every_line_of_a_synthetic_record_fits(make, validator):
    for line in made_lines.text_of(make.large(300).lines()).splitlines():
        validator.validate(json.loads(line))


def test_series_that_was_not_measured_needs_no_numbers(make, validator):
    line = make.timing(status="crashed", message="signal 11", traceback="")
    for name in ("clocks", "anchor", "compile", "memory", "work", "rates", "error", "trust", "overhead_ns"):
        del line[name]
    validator.validate(line)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"hostname": "x"}, id="unknown-field"),
        pytest.param({"status": "splendid"}, id="unknown-status"),
        pytest.param({"clocks": {}}, id="measured-without-a-clock"),
        pytest.param({"clocks": {"stopwatch hot": {}}}, id="unknown-clock"),
        pytest.param({"trust": {}}, id="measured-without-checks"),
        pytest.param({"error": {"outcome": "passed", "largest_bars": "few", "rms_bars": None, "line": ""}}, id="bars-as-a-word"),
        pytest.param({"memory": {"peak_bytes": -1, "method": ""}}, id="negative-memory"),
        pytest.param({"workload": "XL"}, id="unknown-workload"),
    ],
)
def test_schema_refuses_a_series(make, validator, changed):
    validator.validate(make.timing())
    with pytest.raises(jsonschema_rs.ValidationError):
        validator.validate(make.timing(**changed))


@pytest.mark.parametrize("name", ["median_ns", "quantiles_ns", "rounds"])
def test_clock_must_be_whole(make, validator, name):
    line = make.timing()
    del line["clocks"]["throughput hot"][name]
    with pytest.raises(jsonschema_rs.ValidationError):
        validator.validate(line)


@pytest.mark.parametrize("changed", [{"ratio": 0}, {"ratio": -1.0}, {"verdict": "green"}, {"launches": 0}], ids=str)
def test_schema_refuses_a_duel(make, validator, changed):
    validator.validate(make.duel())
    with pytest.raises(jsonschema_rs.ValidationError):
        validator.validate(make.duel(**changed))
