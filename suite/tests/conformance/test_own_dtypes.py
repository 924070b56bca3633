"""Arrays with a dtype of their own: how they are rounded, handed over and judged, and what a backend without the dtype gets."""

from dataclasses import replace

import numpy as np
import pytest
from faulty import Fault, checks_of
from small_backend import SmallBackend, Value, to_dtype
from small_operations import KNOWN

from tensorproof.conformance.checks import run_check
from tensorproof.conformance.expectation import Expectation, arguments_of, is_floating
from tensorproof.conformance.reference_process.encoding import key_of
from tensorproof.conformance.selection.cases import adapter_cases, all_cases, own_dtypes, samples_of
from tensorproof.contract.description import describe
from tensorproof_reference import trees
from tensorproof_reference.errorbars.rules import precision_of
from tensorproof_reference.operation import Sample
from tensorproof_reference.rounding import round_to
from tensorproof_reference.sample_classes import class_of

FLOAT32 = precision_of("float32")
THIRDS = np.array([1 / 3, -2 / 3, 7.1])
CAST = KNOWN["cast"]


def expected(operation, inputs, **others):
    return Expectation(KNOWN[operation], Sample(name="plain", inputs=inputs, **others), "float32", 0, FLOAT32)


def test_each_input_is_rounded_to_its_own_dtype():
    own = {"parameters": "bfloat16", "parameters.1": "float64", "m": "float16"}
    inputs = {"parameters": [THIRDS, THIRDS], "m": [THIRDS], "v": THIRDS, "count": np.arange(3)}
    leaves = arguments_of(CAST, Sample(name="plain", inputs=inputs, own_dtypes=own), "float32").leaves
    dtypes = {"parameters.0": "bfloat16", "parameters.1": "float64", "m.0": "float16", "v": "float32"}
    for path, dtype in dtypes.items():
        np.testing.assert_array_equal(leaves[path], round_to(THIRDS, dtype))
    assert leaves["count"].dtype == np.int64


def test_dtypes_change_what_is_known_of_arguments_only_where_there_are_some():
    # As the digest of these inputs was before samples could name dtypes.
    plain = arguments_of(KNOWN["relu"], Sample(name="plain", inputs={"x": np.arange(3.0)}), "float32")
    assert plain.digest == "f6fa2c6dc10eb6e3"
    named = arguments_of(
        KNOWN["relu"], Sample(name="plain", inputs={"x": np.arange(3.0)}, own_dtypes={"y": "float16"}), "float32"
    )
    assert named.digest != plain.digest
    keys = {key_of(expected("cast", {"x": THIRDS}, own_dtypes={"y": dtype})) for dtype in ("float16", "bfloat16")}
    assert len(keys) == 2


def test_bars_are_those_of_each_array():
    """x of 16 bits, a scale of float32, and a product that has 16 bits: one rounding of 16 bits, and a gradient of 32."""
    x, scale = round_to(THIRDS, "bfloat16"), round_to(THIRDS, "float32")
    one = expected("multiply", {"a": x, "b": scale}, own_dtypes={"a": "bfloat16", "y": "bfloat16"})
    y, bar = one.outputs["y"]
    assert np.all((bar > 0.9 * 2.0**-8 * np.abs(y)) & (bar < 1.1 * 2.0**-8 * np.abs(y)))
    (da, da_bar), (db, db_bar) = one.gradients["a"], one.gradients["b"]
    assert np.all(da_bar > 0.9 * 2.0**-8 * np.abs(da))
    assert np.all(db_bar < 1.1 * 2.0**-8 * np.abs(db))
    wide = expected("multiply", {"a": x, "b": scale}, own_dtypes={"a": "bfloat16"})
    assert np.all(wide.outputs["y"][1] < 1.1 * 2.0**-24 * np.abs(y))
    assert np.all(wide.gradients["b"][1] < 1.1 * 2.0**-24 * np.abs(db))
    np.testing.assert_array_equal(one.cotangents["y"], round_to(wide.cotangents["y"], "bfloat16"))


def test_what_is_exact_is_rounded_to_the_dtype_and_stays_exact():
    y, bar = expected(
        "where", {"condition": np.array([True, False, True]), "a": THIRDS, "b": -THIRDS}, own_dtypes={"y": "float16"}
    ).outputs["y"]
    np.testing.assert_array_equal(y, round_to(round_to(THIRDS, "float32") * [1, -1, 1], "float16"))
    assert not bar.any()


def wrong_cast(dtype):
    """A cast that gives the dtype in place of the one that was asked for, and numbers that both have."""

    def function(x, **keywords):
        return Value(to_dtype(round_to(x, "float16"), dtype), dtype)

    return Fault(name="other_dtype", operation="cast", group="plain", function=function)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_a_result_in_another_dtype_than_its_own_is_noticed(dtype):
    session, cases = checks_of(SmallBackend(wrong_cast(dtype)), "cast")
    (case,) = [
        case
        for case in cases
        if (case.sample, case.dtype, case.mode, case.check) == ("zero_float16", "float32", "eager", "forward")
    ]
    result = run_check(session, case)
    assert (result.status, result.message) == (
        "failed",
        f"cast zero_float16 float32 y (float16): dtype {dtype}, expected float16",
    )


def test_an_integer_of_another_width_is_noticed():
    def function(x, *, dtype="float16", **keywords):
        return Value(CAST.function(x, dtype=dtype), "int64")

    session, cases = checks_of(SmallBackend(Fault(name="wide", operation="cast", group="plain", function=function)), "cast")
    (case,) = [
        case
        for case in cases
        if (case.sample, case.dtype, case.mode, case.check) == ("optional_int8", "float32", "eager", "forward")
    ]
    assert "dtype int64, expected int8" in run_check(session, case).message


class Narrow(SmallBackend):
    """It holds no float of 8 bits."""

    def held_dtypes(self, device):
        return ("int8",)


def test_a_backend_without_the_dtype_is_not_asked_for_it():
    session, cases = checks_of(Narrow(), "cast")
    found = {
        case.sample: (run_check(session, case), case.required)
        for case in cases
        if case.dtype == "float32" and case.check == "forward" and case.mode == "eager"
    }
    for sample, (result, required) in found.items():
        lacks = any(word in sample for word in ("float8", "int32", "uint8")) or sample.startswith(
            ("convention_infinity", "convention_beyond_the")
        )
        assert (result.status, required) == (("unsupported", False) if lacks else ("passed", True)), (sample, result.message)
    assert found["optional_float8_e5m2"][0].message == "it has no arrays of float8_e5m2 on cpu"


def test_arrays_of_named_dtypes_come_back_as_they_were():
    backend = SmallBackend()
    description = describe(backend, None)
    named = own_dtypes({"cast": CAST}, 0)
    cases = list(adapter_cases(description, named))
    assert {case.dtype for case in cases} >= {"float8_e4m3fn", "float8_e5m2", "int8", "uint8", "int32"}
    session, _ = checks_of(backend, "cast")
    assert {run_check(session, case).status for case in cases} == {"passed"}
    assert own_dtypes({"relu": KNOWN["relu"]}, 0) == frozenset()


def test_no_sample_of_the_core_names_a_dtype():
    for operation in KNOWN.values():
        if operation.profile == "core" and operation.model is None:
            assert not any(sample.own_dtypes for sample in samples_of(operation, 0).values()), operation.name


def test_a_plugin_that_names_no_dtype_there_is_gets_told():
    class Wrong(SmallBackend):
        def held_dtypes(self, device):
            return ("float8",)

    with pytest.raises(Exception, match="held_dtypes: no dtype is called 'float8'"):
        describe(Wrong(), None)


def test_a_sample_is_fused_where_its_neighbour_computes_in_the_dtype_of_its_result():
    description = describe(SmallBackend(), None)
    plain = next(iter(samples_of(CAST, 0).values()))

    def checks(dtype):
        operation = replace(
            CAST, samples=lambda stream: iter([replace(plain, own_dtypes={"y": dtype}, keywords={"dtype": dtype})])
        )
        return {case.check for case in all_cases(description, {"cast": operation}, 0)}

    assert "fused" in checks("bfloat16")
    assert "fused" not in checks("float8_e5m2")


@pytest.mark.parametrize("operation", ["mixed_matmul", "mixed_layer_norm", "mixed_rms_norm", "master_adamw", "dequantize"])
def test_bars_of_each_array_are_as_large_as_the_errors_of_its_own_rounding(operation):
    """Computed in float32 from inputs of each dtype, and each result rounded once to its own."""
    errors: dict[str, list] = {}
    for sample in samples_of(KNOWN[operation], 0).values():
        if class_of(sample) not in ("plain", "size", "width", "optional"):
            continue
        one = Expectation(KNOWN[operation], sample, "float32", 0, FLOAT32)
        inputs = trees.replace_leaves(
            one.arguments.inputs, lambda path, leaf: leaf.astype(np.float32) if is_floating(leaf) else leaf
        )
        found = trees.leaves_by_name(KNOWN[operation].outputs, KNOWN[operation].function(**inputs, **sample.keywords))
        expected = dict(one.outputs)
        if KNOWN[operation].vjp is not None and sample.gradient:
            (dy,) = one.cotangents.values()
            gradients = dict(trees.leaves(KNOWN[operation].vjp(dy.astype(np.float32), **inputs, **sample.keywords)))
            found |= {f"d_{path}": gradients[path] for path in one.gradients}
            expected |= {f"d_{path}": pair for path, pair in one.gradients.items()}
        for name, (value, bar) in expected.items():
            dtype = one.dtype_at(name.removeprefix("d_"))
            y = round_to(found[name], dtype)
            inexact = bar > 0
            np.testing.assert_array_equal(y[~inexact], round_to(value, dtype)[~inexact])
            errors.setdefault(dtype, []).append(np.abs(y - value)[inexact] / bar[inexact])
    for dtype, parts in errors.items():
        pooled = np.concatenate(parts)
        assert pooled.max() < 10, dtype
        assert 0.1 < np.sqrt(np.mean(np.square(pooled))) < 1.5, dtype
