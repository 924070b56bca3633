import json
import math

import numpy as np
import pytest

from tensorproof.conformance import verdict
from tensorproof.conformance.verdict import FAILED, NOT_MEANINGFUL, PASSED, Judgement, error_map, judge

FMAX = float(np.finfo(np.float32).max)


def judged(y, r, e, dtype="float32", **keywords):
    r = np.asarray(r)
    e = np.broadcast_to(np.asarray(e, np.float64), r.shape)
    keywords = {"output_dtype": dtype, "expected_dtype": dtype, **keywords}
    return judge("op sample float32 y", np.asarray(y), r, e, dtype, **keywords)


def outcome(*args, **keywords):
    verdict = judged(*args, **keywords)
    return verdict.outcome, verdict.reason


ONES = np.ones(20)


def test_shape_and_dtype_come_first():
    assert outcome(np.ones((2, 3)), np.ones((3, 2)), 1e-7) == (FAILED, "shape")
    assert outcome(np.ones(()), np.ones(1), 1e-7) == (FAILED, "shape")
    assert outcome(ONES, ONES, 1e-7, output_dtype="float64") == (FAILED, "dtype")
    assert outcome(ONES, ONES, 1e-7, output_dtype="float64", expected_dtype=None) == (PASSED, "bars")
    assert outcome(np.ones((0, 3)), np.ones((0, 3)), 0.0) == (PASSED, "empty")
    assert outcome(np.ones((3, 0)), np.ones((0, 3)), 0.0) == (FAILED, "shape")
    assert outcome(np.ones((0, 3)), np.ones((0, 3)), 0.0, output_dtype="float16") == (FAILED, "dtype")


def test_integers_and_booleans_are_equal():
    free = {"output_dtype": "int32", "expected_dtype": None}
    assert outcome(np.array([1, 2]), np.array([1, 2]), 0.0, **free) == (PASSED, "exact")
    assert outcome(np.array([1.0, 2.0]), np.array([1, 2]), 0.0, **free) == (PASSED, "exact")
    verdict = judged(np.array([1, 2, 4]), np.array([1, 3, 3]), 0.0, **free)
    assert (verdict.outcome, verdict.index, verdict.got, verdict.expected, verdict.outside) == (FAILED, (1,), 2.0, 3.0, 2)
    assert outcome(np.array([True]), np.array([False]), 0.0, **free) == (FAILED, "exact")


def test_exact_results_are_equal():
    r = np.array([1.0, -2.0, 0.0, np.nan, -np.inf])
    assert outcome(r, r, 0.0) == (PASSED, "bars")
    assert outcome(-r[2:3], r[2:3], 0.0) == (PASSED, "bars")
    assert outcome(r + np.array([2**-23, 0, 0, 0, 0]), r, 0.0) == (FAILED, "exact")
    assert outcome(np.array([1.0, -2.0, 0.0, 0.0, -np.inf]), r, 0.0) == (FAILED, "exact")
    assert outcome(np.array([np.float32(0.1)]), np.array([0.1]), 0.0) == (PASSED, "bars")  # a constant between two numbers
    assert outcome(np.array([np.float32(0.1) + 2**-26]), np.array([0.1]), 0.0) == (FAILED, "exact")


def test_the_sign_of_zero_counts_where_asked():
    r = np.array([-0.0, 1.0])
    assert outcome(np.abs(r), r, 0.0) == (PASSED, "bars")
    assert outcome(r, r, 0.0, sign_of_zero=True) == (PASSED, "bars")
    assert outcome(np.abs(r), r, 0.0, sign_of_zero=True) == (FAILED, "sign of zero")
    assert outcome(np.abs(r), r, [0.0, 1e-7], sign_of_zero=True) == (FAILED, "sign of zero")


def test_nan_stands_where_the_reference_has_it():
    r = np.where(np.arange(20) == 3, np.nan, 1.0)
    e = np.where(np.isnan(r), 0.0, 1e-7)
    assert outcome(r, r, e) == (PASSED, "bars")
    assert outcome(ONES, r, e) == (FAILED, "nan")
    assert outcome(r, ONES, 1e-7) == (FAILED, "nan")
    assert outcome(r, ONES, np.where(np.isnan(r), np.inf, 1e-7)) == (PASSED, "bars")  # nothing is known of that element


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_overflow(sign):
    def one(y, r, e):
        return outcome(np.append(ONES, sign * y), np.append(ONES, sign * r), np.append(1e-7 * ONES, e))

    margin = FMAX * 1e-6
    assert one(np.inf, np.inf, 0.0) == (PASSED, "bars")
    assert one(FMAX, np.inf, 0.0) == (FAILED, "overflow")
    assert one(-np.inf, np.inf, 0.0) == (FAILED, "overflow")
    assert one(np.inf, 2 * FMAX, margin) == (PASSED, "bars")
    assert one(FMAX, 2 * FMAX, margin) == (FAILED, "overflow")
    assert one(-np.inf, 2 * FMAX, margin) == (FAILED, "overflow")
    assert one(np.inf, FMAX / 2, margin) == (FAILED, "overflow")
    assert one(np.inf, FMAX - margin, margin) == (PASSED, "bars")  # near the end of the range either will do
    assert one(FMAX - margin, FMAX + margin, margin) == (PASSED, "bars")
    assert one(-np.inf, FMAX - margin, margin) == (FAILED, "overflow")


@pytest.mark.parametrize(
    ("y", "r", "e", "fact"),
    [
        (np.nan, 1.0, 1e-7, "NaN where the reference is finite"),
        (np.nan, -np.inf, 0.0, "NaN where the reference is -inf"),
        (1.0, np.nan, 0.0, "finite where the reference is NaN"),
        (np.inf, np.nan, 0.0, "inf where the reference is NaN"),
        (np.inf, 3e38, 1e30, "overflowed to inf where the reference is finite"),
        (FMAX, -np.inf, 0.0, "finite where the reference is -inf"),
        (-np.inf, np.inf, 0.0, "-inf where the reference is inf"),
        (FMAX, 2 * FMAX, 1e30, "finite where the reference exceeds the largest float32"),
        (np.inf, -2 * FMAX, 1e30, "inf where the reference is below the lowest float32"),
    ],
)
def test_a_message_names_the_fact(y, r, e, fact):
    line = judged(np.append(ONES, y), np.append(ONES, r), np.append(1e-7 * ONES, e)).line
    assert line.startswith(f"op sample float32 y: {fact} at [20]: got ")
    assert "inf ulp" not in line


def test_a_message_of_an_exact_result_names_the_fact():
    assert (
        ": differs from the exact reference at [1]: got 1, expected 2 ± 0; 1 of 2 outside; "
        in judged([1.0, 1.0], [1.0, 2.0], 0.0).line
    )
    assert ": finite where the reference is NaN at [0]: got 0" in judged([0.0, 1.0], [np.nan, 1.0], 0.0).line
    assert ": 0 where the reference is -0 at [0]: got 0, expected -0" in judged([0.0], [-0.0], 0.0, sign_of_zero=True).line


def test_the_largest_distance():
    y = np.ones((10, 10))
    y[2, 3] = 1 + 9.9e-6
    verdict = judged(y, np.ones((10, 10)), 1e-6)
    assert (verdict.outcome, verdict.index) == (PASSED, (2, 3))
    assert np.isclose(verdict.largest_z, 9.9)
    assert np.isclose(verdict.share, 0.99)
    y[2, 3] = 1 + 1.01e-5
    verdict = judged(y, np.ones((10, 10)), 1e-6)
    assert (verdict.outcome, verdict.outside) == (FAILED, 1)
    assert verdict.share > 1
    assert outcome([1.0, 1.0 + 1e-7], [1.0, 1.0], [1e-7, 0.0]) == (FAILED, "bars")


def test_the_root_mean_square_counts_from_sixteen_elements_on():
    e = 1e-7
    assert outcome(np.ones(15) + 3 * e, np.ones(15), e) == (PASSED, "bars")
    assert outcome(np.ones(16) + 3 * e, np.ones(16), e) == (FAILED, "bars")
    assert outcome(np.ones(16) + 1.9 * e, np.ones(16), e) == (PASSED, "bars")
    r = np.where(np.arange(18) < 3, np.nan, 1.0)  # 15 numbers
    assert outcome(r + 3 * e, r, np.where(np.isnan(r), 0.0, e)) == (PASSED, "bars")


def test_wide_bars_prove_nothing_but_still_bound():
    assert outcome(ONES, ONES, 1.1e-4) == (NOT_MEANINGFUL, "blurred")
    assert outcome(ONES, ONES, 0.9e-4) == (PASSED, "bars")
    assert outcome(ONES, ONES, 0.024, dtype="bfloat16") == (PASSED, "bars")
    assert outcome(ONES, ONES, 0.026, dtype="float16") == (NOT_MEANINGFUL, "blurred")
    assert outcome(ONES + 1.0, ONES, 1.1e-4) == (FAILED, "bars")
    assert outcome(ONES * np.nan, ONES, 1.1e-4) == (FAILED, "nan")
    unbounded = np.where(np.arange(20) < 1, np.inf, 1e-7)
    assert outcome(ONES, ONES, unbounded) == (PASSED, "bars")
    unbounded[1] = np.inf
    assert outcome(ONES, ONES, unbounded) == (NOT_MEANINGFUL, "unbounded")


def test_zero_results_are_judged_by_distance_alone():
    assert outcome(0 * ONES + 1e-9, 0 * ONES, 1e-9) == (PASSED, "bars")
    assert outcome(0 * ONES + 1e-7, 0 * ONES, 1e-9) == (FAILED, "bars")
    noise = ONES * 1e-17
    assert outcome(0 * ONES, noise, 1e-7) == (NOT_MEANINGFUL, "blurred")
    assert outcome(0 * ONES, noise, 1e-7, exact_zero=True) == (PASSED, "bars")
    assert outcome(ONES, noise, 1e-7, exact_zero=True) == (FAILED, "bars")


def test_flushing_of_small_results_is_allowed_by_tiny():
    r = np.append(ONES, 1e-40)
    e = np.append(1e-7 * ONES, 1.2e-38)
    assert outcome(np.append(ONES, 0.0), r, e) == (PASSED, "bars")


def test_only_special_values_leave_nothing_to_measure():
    r = np.full(20, np.nan)
    assert outcome(r, r, 0.0) == (PASSED, "bars")
    r = np.full(20, 1e39)
    assert outcome(np.full(20, np.inf), r, 1e30) == (PASSED, "bars")


def test_the_line_says_it_all():
    r, y = np.full((3, 4), 0.125), np.full((3, 4), 0.125)
    y[1, 2] = 0.1234567
    verdict = judged(y, r, 3e-8)
    assert verdict.line == (
        "op sample float32 y: 5.1e+04 bars from the reference (limit 10) at [1, 2]: got 0.1234567, expected 0.125 ± 3e-08; "
        "rms 1.5e+04 (of 12); 1 of 12 outside; 1e+05 ulp"
    )
    assert verdict.message == verdict.line
    passed = judged(r, r, 3e-8)
    assert passed.message == ""
    assert "0 bars from the reference (0 % of the limit 10)" in passed.line
    assert "not meaningful in float32, 10 bars are 0.008 of the values (limit 0.001)" in judged(r, r, 1e-4).message
    assert "shape (2,), expected (3,)" in judged(np.ones(2), np.ones(3), 0.0).message
    assert "dtype float64, expected float32" in judged(ONES, ONES, 0.0, output_dtype="float64").message


def test_records_are_json():
    r = np.append(ONES, np.nan)
    verdict = judged(np.append(ONES, 1.0), r, 0.0)
    record = json.loads(json.dumps(verdict.to_record(), allow_nan=False))
    assert record["expected"] == "nan"
    assert record["index"] == [20]
    assert isinstance(verdict, Judgement)
    verdict = judged(np.append(ONES, 2.0), np.ones(21), np.append(1e-7 * ONES, 0.0))
    record = json.loads(json.dumps(verdict.to_record(), allow_nan=False))
    assert (record["largest_z"], record["outcome"]) == ("inf", "failed")


def test_bad_bars_are_refused():
    with pytest.raises(ValueError, match="bar"):
        judged(ONES, ONES, -1.0)
    with pytest.raises(ValueError, match="bar"):
        judge("x", ONES, ONES, np.ones(3), "float32", output_dtype="float32", expected_dtype="float32")
    with pytest.raises(ValueError, match="dtype"):
        judged(ONES, ONES, 1.0, dtype="float8")


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_ordinary_numbers_are_judged_as_all_others_are(dtype, monkeypatch):
    """Rules 2 and 3 are skipped where nothing is infinite, NaN or near the largest number: no verdict may differ."""
    source = np.random.default_rng(0)
    cases = []
    for scale in (1.0, 1e-3, 3e4, 1e38):
        r = scale * source.normal(size=(40,))
        e = np.abs(scale) * 10.0 ** source.uniform(-9, -1, size=40)
        cases += [(r + 3 * e * source.normal(size=40), r, e), (r + 60 * e * source.normal(size=40), r, e)]
        cases += [(np.where(source.random(40) < 0.1, special, r), r, e) for special in (np.nan, np.inf, -np.inf)]
    judged = [judge("y", y, r, e, dtype, output_dtype=dtype, expected_dtype=None) for y, r, e in cases]
    monkeypatch.setattr(verdict._Comparison, "_is_ordinary", lambda self: False)
    again = [judge("y", y, r, e, dtype, output_dtype=dtype, expected_dtype=None) for y, r, e in cases]
    assert {item.outcome for item in judged} >= {PASSED, FAILED}
    assert repr(judged) == repr(again)


def test_a_map_shows_where_errors_are_and_how_large():
    reference = np.zeros((2, 3, 4))
    output = reference.copy()
    output[0, 0] = [0.5, 1.0, 5.0, 10.0]  # in bars
    output[0, 1] = [11.0, 1e4, 1e30, math.nan]
    reference[1, 2, 3] = output[1, 2, 3] = math.inf
    found = error_map(output, reference, np.ones_like(reference), "float64")
    assert found == {"rows": 6, "columns": 4, "cells": ["0011", "249n", "0000", "0000", "0000", "0000"]}


def test_no_wrong_element_of_a_large_output_is_lost_in_its_map():
    for place in ((0, 0), (99, 0), (500, 61), (999, 99)):
        output = np.zeros((1000, 100))
        output[place] = 50.0
        found = error_map(output, np.zeros_like(output), np.ones_like(output), "float32")
        assert [len(found["cells"]), {len(row) for row in found["cells"]}] == [12, {24}]
        assert "".join(found["cells"]).count("2") == 1


def test_a_map_of_what_must_be_exact_and_what_has_none():
    assert error_map([1, 2, 3], np.array([1, 2, 4]), np.zeros(3), "float32")["cells"] == ["009"]
    exact = error_map([0.5, 0.25], np.array([0.5, 0.5]), np.zeros(2), "float32")
    assert exact["cells"] == ["09"]
    assert error_map(np.zeros((2, 2)), np.zeros((2, 3)), np.zeros((2, 3)), "float32") is None
    assert error_map(1.0, np.array(2.0), np.array(0.1), "float32") is None
