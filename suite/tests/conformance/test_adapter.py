"""The check of the adapter: each way of handing arrays over wrongly is noticed, and told once."""

import json
from importlib.resources import files

import jsonschema_rs
import numpy as np
import pytest
from faulty import Fault, checks_of
from plain_options import OPTIONS
from small_backend import SmallBackend, Value, to_dtype
from small_operations import SPECIFICATION

from tensorproof.conformance.checks import run_check
from tensorproof.conformance.selection.cases import adapter_cases
from tensorproof.contract.description import describe
from tensorproof.runs.causes.cause import causes_of, causes_text
from tensorproof.runs.records import Record
from tensorproof.runs.run import result_to_record


class OtherDtype(SmallBackend):
    def from_numpy(self, array, dtype, device):
        return (
            super().from_numpy(array.astype(np.float32), "float32", device)
            if dtype == "float64"
            else super().from_numpy(array, dtype, device)
        )


class NameOfDtype(SmallBackend):
    def dtype_of(self, value):
        return f"small.{value.dtype}"


class Transposed(SmallBackend):
    def from_numpy(self, array, dtype, device):
        return super().from_numpy(array.T.reshape(array.shape), dtype, device)


class ScalarsBecomeVectors(SmallBackend):
    def from_numpy(self, array, dtype, device):
        return super().from_numpy(np.atleast_1d(array), dtype, device)


class EmptyLost(SmallBackend):
    def to_numpy(self, value):
        return value.array if value.array.size else np.zeros(0)


class EmptyRaises(SmallBackend):
    def from_numpy(self, array, dtype, device):
        array.max()
        return super().from_numpy(array, dtype, device)


class OtherDevice(SmallBackend):
    def device_of(self, value):
        return "accelerator"


class StridesIgnored(SmallBackend):
    def from_numpy(self, array, dtype, device):
        return super().from_numpy(array.ravel(order="K").reshape(array.shape), dtype, device)


class OffsetIgnored(SmallBackend):
    def from_numpy(self, array, dtype, device):
        if array.base is not None and array.base.flags.c_contiguous and array.strides[-1:] == (2 * array.itemsize,):
            array = np.lib.stride_tricks.as_strided(array.base.reshape(-1), array.shape, array.strides).copy()
        return super().from_numpy(array, dtype, device)


class ValuesThroughFloat32(SmallBackend):
    def to_numpy(self, value):
        return value.array.astype(np.float32).astype(np.float64) if value.dtype == "float64" else value.array


class BfloatRoundedToSixBits(SmallBackend):
    def from_numpy(self, array, dtype, device):
        if dtype == "bfloat16":
            array = to_dtype(np.asarray(array, np.float64), "bfloat16")
            array = (array.view(np.uint32) & np.uint32(0xFFFC0000)).view(np.float32)
        return super().from_numpy(array, dtype, device)


class BytesInOtherOrder(SmallBackend):
    def to_numpy(self, value):
        return value.array.byteswap()


class IntegersThroughFloat32(SmallBackend):
    def from_numpy(self, array, dtype, device):
        return super().from_numpy(array.astype(np.float32).astype(np.int64) if dtype == "int64" else array, dtype, device)


class BooleansBecomeIntegers(SmallBackend):
    def to_numpy(self, value):
        return value.array.astype(np.int8) if value.array.dtype == bool else value.array


class NanLost(SmallBackend):
    def to_numpy(self, value):
        return (
            np.nan_to_num(value.array, nan=0.0, posinf=np.inf, neginf=-np.inf) if value.array.dtype.kind == "f" else value.array
        )


class SignOfZeroLost(SmallBackend):
    def to_numpy(self, value):
        return value.array + 0.0 if value.array.dtype.kind == "f" else value.array


class OneBufferForAll(SmallBackend):
    def from_numpy(self, array, dtype, device):
        buffers = self.__dict__.setdefault("buffers", {})
        buffer = buffers.setdefault((array.shape, dtype), np.zeros_like(array, order="C"))
        buffer[...] = array
        return Value(buffer, dtype, device, self)


class SingleAxesSqueezed(SmallBackend):
    def from_numpy(self, array, dtype, device):
        return super().from_numpy(np.squeeze(array) if array.size else array, dtype, device)


FLOATING = ("float64", "float32", "bfloat16", "float16")
EVERY = (*FLOATING, "int64", "bool")
FAULTS = {
    OtherDtype: ({"dtype"}, ("float64",)),
    NameOfDtype: ({"dtype"}, EVERY),
    Transposed: ({"arrays", "transposed arrays", "sliced arrays"}, EVERY),
    ScalarsBecomeVectors: ({"scalars"}, EVERY),
    EmptyLost: ({"empty arrays"}, EVERY),
    EmptyRaises: ({"empty arrays"}, EVERY),
    OtherDevice: ({"device"}, EVERY),
    StridesIgnored: ({"transposed arrays"}, EVERY),
    OffsetIgnored: ({"sliced arrays"}, EVERY),
    ValuesThroughFloat32: (
        {"arrays", "scalars", "axes of length 1", "transposed arrays", "sliced arrays", "special values"},
        ("float64",),
    ),
    BfloatRoundedToSixBits: ({"arrays", "scalars"}, ("bfloat16",)),
    BytesInOtherOrder: ({"arrays"}, EVERY[:-1]),
    IntegersThroughFloat32: ({"arrays"}, ("int64",)),
    BooleansBecomeIntegers: ({"arrays"}, ("bool",)),
    NanLost: ({"special values"}, FLOATING),
    SignOfZeroLost: ({"special values"}, FLOATING),
    OneBufferForAll: ({"arrays"}, EVERY),
    SingleAxesSqueezed: ({"axes of length 1", "arrays"}, EVERY),
}
"""Backends that hand arrays over wrongly, with kinds of arrays that must be found wrong, and the dtypes that are."""


def adapter_lines(backend):
    session, _ = checks_of(backend, "relu")
    return [result_to_record(run_check(session, case), OPTIONS) for case in adapter_cases(describe(backend, None), ())]


@pytest.mark.parametrize("backend", FAULTS, ids=lambda backend: backend.__name__)
def test_a_wrong_adapter_is_noticed(backend):
    kinds, dtypes = FAULTS[backend]
    lines = adapter_lines(backend())
    assert [line["dtype"] for line in lines if line["status"] == "failed"] == list(dtypes)
    for line in lines:
        failed = {item["output"] for item in line["findings"] if item["outcome"] == "failed"}
        assert kinds <= failed if line["dtype"] in dtypes else not failed


def test_a_right_adapter_passes_and_its_lines_fit_the_schema():
    validator = jsonschema_rs.Draft202012Validator(json.loads((files("tensorproof.runs") / "record.schema.json").read_text()))
    for line in adapter_lines(SmallBackend()) + adapter_lines(EmptyRaises()):
        validator.validate(line)
    assert {line["status"] for line in adapter_lines(SmallBackend())} == {"passed"}


def test_the_adapter_is_checked_first_and_once_for_each_dtype():
    keys = [case.key for case in adapter_cases(describe(SmallBackend(), None), ())]
    assert len(set(keys)) == len(EVERY)


def record_of(backend, *operations):
    lines = adapter_lines(backend)
    for operation in operations:
        session, cases = checks_of(backend, operation)
        asked = [case for case in cases if case.by_default and case.mode in ("none", "eager")]
        chosen = [case for case in asked if case.dtype in ("none", "float64", "float32")]
        lines += [result_to_record(run_check(session, case), OPTIONS) for case in chosen]
    return Record({}, lines)


@pytest.mark.parametrize(
    "backend", [Transposed, OtherDtype, EmptyLost, ScalarsBecomeVectors, OtherDevice], ids=lambda item: item.__name__
)
def test_a_wrong_adapter_is_one_cause_and_the_rest_follow(backend):
    record = record_of(backend(), "matmul", "softmax", "mean_squared_error")
    causes = causes_of(record)
    assert [cause["name"].startswith("adapter-") for cause in causes] == [True]
    assert causes[0]["consequences"]
    assert causes_text(causes_of(record))[0].startswith("1 cause")


def test_another_defect_is_not_taken_for_a_consequence():
    fault = Fault(name="planted", operation="relu", group="plain", function=lambda x: 1.01 * np.maximum(x, 0.0))
    record = record_of(EmptyLost(fault), "relu")
    assert {cause["name"] for cause in causes_of(record)} == {"adapter-empty-arrays", "relu-wrong"}


def test_integers_that_come_back_wrong_blame_only_what_takes_integers():
    record = record_of(IntegersThroughFloat32(), "relu", "embedding")
    assert all(cause["name"].startswith("adapter-") for cause in causes_of(record))


def test_the_specification_has_no_operation_of_the_adapters_name():
    assert "adapter" not in SPECIFICATION
