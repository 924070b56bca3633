"""Diagnoses: what is said of a planted fault is right, and nothing is said where no known mistake fits, or several do."""

from typing import Any

import pytest
from faults import ALL
from faulty import checks_of
from plain_options import OPTIONS

from tensorproof.conformance.checks import run_check
from tensorproof.runs.causes.cause import causes_of
from tensorproof.runs.records import Record
from tensorproof.runs.run import result_to_record

EXPECTED = {
    "adadelta-weight_decay_ignored": "weight_decay is ignored",
    "adam-no_bias_correction": "no bias correction",
    "average_pool2d-count_padding_ignored": "count_padding=False in place of True",
    "average_pool2d-padding_always_counted": "count_padding=True in place of False",
    "batch_norm-epsilon_ignored": "epsilon is ignored",
    "batch_norm-epsilon_added_to_the_deviation": "epsilon added outside the root",
    "batch_norm-nan_spreads_to_all_channels": "",
    "batch_norm-variance_in_one_pass": "variance in one pass, as E[x²] - E[x]²",
    "conv2d-fourier_transform_loses_four_digits": "",
    "conv2d-kernel_flipped": "kernel flipped",
    "conv2d-missing_bias_is_one": "missing bias taken for 1",
    "conv2d-padding_sides_exchanged": "sides of padding exchanged",
    "conv2d-stride_axes_exchanged": "axes of stride exchanged",
    "max_pool2d-ceil_mode_ignored": "ceil_mode is ignored",
    "relu-nan_becomes_zero": "NaN taken for 0, as by max(x, 0)",
    "sigmoid-one_percent_too_large": "1.01 times what is expected",
    "sigmoid-rational_approximation_to_four_digits": "",
    "softmax-axis_ignored": "axis is ignored",
}
"""What is said of faults; nothing of those that no known mistake explains."""


def record_of(key: str, dtypes: tuple[str, ...]) -> Record:
    fault = ALL[key]
    session, cases = checks_of(fault.backend(fault), fault.operation)
    forward = [case for case in cases if case.by_default and case.mode == "eager" and case.check == "forward"]
    chosen = [case for case in forward if case.dtype in dtypes]
    return Record({}, [result_to_record(run_check(session, case), OPTIONS) for case in chosen])


@pytest.mark.parametrize("key", EXPECTED)
def test_a_diagnosis_is_right_or_silent(key):
    found = {cause["diagnosis"] for cause in causes_of(record_of(key, ("float64",)))}
    assert found - {""} == {EXPECTED[key]} - {""}


def failed(record: Record) -> list[dict[str, Any]]:
    return [item for check in record.checks for item in check["findings"] if item.get("outcome") == "failed"]


def test_a_failure_shows_its_input_shapes_and_keywords():
    findings = failed(record_of("sigmoid-input_clamped_to_15", ("float64",)))
    assert findings
    for finding in findings:
        assert finding["line"].endswith(f"; x = {float(finding['input']['x']):.17g}")
        assert list(finding["shapes"]) == ["x"]
        assert finding["keywords"] == {}


def test_a_diagnosis_of_nan_and_infinity_raises_nothing():
    record = record_of("sigmoid-float64_computed_in_float32", ("float64",))
    assert {check["status"] for check in record.checks} <= {"passed", "failed", "not_meaningful"}


def test_one_sample_is_not_enough():
    record = record_of("adam-no_bias_correction", ("float64",))
    first = next(check for check in record.checks if check["status"] == "failed")
    assert all(not cause["diagnosis"] for cause in causes_of(Record({}, [first])))


def test_two_mistakes_that_fit_are_none():
    record = record_of("adam-no_bias_correction", ("float64",))
    for finding in failed(record):
        if "fits" in finding:
            finding["fits"] = [*finding["fits"], "another"]
    assert all(not cause["diagnosis"] for cause in causes_of(record))


def test_a_mistake_that_cannot_be_computed_changes_no_verdict(monkeypatch):
    def broken(*arguments: Any) -> Any:
        raise IndexError("no formula was written for this")

    right = record_of("relu-saturates_at_six", ("float64",))
    for place in ("_explains", "_fits"):
        monkeypatch.setattr(f"tensorproof.conformance.diagnosis.fits.{place}", broken)
        record = record_of("relu-saturates_at_six", ("float64",))
        assert [check["status"] for check in record.checks] == [check["status"] for check in right.checks]
        assert all("failed" not in check["message"] for check in record.checks)
