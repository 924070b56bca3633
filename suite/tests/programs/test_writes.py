"""Programs that write over values: what is read again, what shares memory, and the compilers that get it wrong."""

from dataclasses import replace
from itertools import count, islice

import numpy as np
import pytest
from made_programs import material
from planted_findings import told
from planted_writes import PLANTED_WRITES
from small_backend import SmallBackend
from small_operations import KNOWN

from tensorproof.backend import Unsupported
from tensorproof.programs.building import Builder
from tensorproof.programs.dtypes import PLAIN
from tensorproof.programs.judging import Subject, Verdict
from tensorproof.programs.memory import expected_after_writes, unwritten
from tensorproof.programs.program import Input, MalformedProgram, Node, Program, from_json, to_json
from tensorproof.programs.sources.everything import all_programs
from tensorproof.programs.sources.memory.writes import with_random_writes, write, written_compositions
from tensorproof.programs.sources.random_programs import random_program

WRITTEN = replace(material(), writes=True)
SOME = 24


@pytest.fixture(scope="module")
def programs():
    """Some of the compositions, and random programs."""
    random = (with_random_writes(random_program(WRITTEN, number), WRITTEN, number) for number in count())
    return [*(program for _, program in islice(written_compositions(WRITTEN), SOME)), *islice(filter(None, random), SOME // 2)]


def part_doubled() -> Program:
    """Every other number of a sum's flattened view is doubled; then the sum is read again."""
    builder = Builder(KNOWN, "float32", 0)
    x = builder.call("add", {"a": builder.input((2, 3)), "b": builder.input((3,))})
    flat = builder.call("reshape", {"x": x}, {"shape": (-1,)})
    part = builder.call("strided_slice", {"x": flat}, {"start": (1,), "stop": (None,), "step": (2,)})
    write(builder, builder.call("add", {"a": part, "b": part}), part)
    return builder.program([builder.call("negative", {"x": x}), x])


def test_a_program_with_writes_goes_through_json_and_reads_as_one():
    program = part_doubled()
    assert from_json(to_json(program)) == program
    assert "v5 = add(v4, v4); v4[...] = v5; v6 = negative(v2)" in program.text


def test_the_program_without_writes_computes_what_numpy_computes_in_place():
    program = part_doubled()
    plain = unwritten(program, KNOWN, {}, {3: 2, 4: 3})
    assert not plain.program.writes
    first, second = (item.array for item in program.inputs)
    expected = first + second
    expected.reshape(-1)[1::2] *= 2.0
    negative, total = Subject(SmallBackend(), "cpu", KNOWN).expected(program, "eager").outputs.values()
    np.testing.assert_array_equal(total[0], expected)
    np.testing.assert_array_equal(negative[0], -expected)


def test_gradients_of_a_program_with_writes_agree_with_finite_differences():
    program = part_doubled()
    plain = unwritten(program, KNOWN, {}, {3: 2, 4: 3})
    expected = expected_after_writes(program, plain, KNOWN, {}, PLAIN)

    def total(first, second):
        y = first + second
        y.reshape(-1)[1::2] *= 2.0
        negative, changed = expected.cotangents
        return float(np.sum(-y * negative) + np.sum(y * changed))

    arrays = [item.array for item in program.inputs]
    for place, name in enumerate(("v0", "v1")):
        for at in np.ndindex(arrays[place].shape):
            ends = []
            for step in (-0.5, 0.5):
                moved = [array.copy() for array in arrays]
                moved[place][at] += step
                ends.append(total(*moved))
            np.testing.assert_allclose(expected.gradients[name][0][at], ends[1] - ends[0], rtol=1e-12)


def test_what_is_no_view_leaves_its_operand_alone():
    plain = unwritten(part_doubled(), KNOWN, {}, {4: 3})
    assert "scatter_set" in plain.program.text
    assert plain.last[2] == plain.made[2]


def test_a_value_that_shares_memory_and_is_no_view_is_refused():
    with pytest.raises(MalformedProgram, match="shares memory with its operand, and is no view"):
        unwritten(part_doubled(), KNOWN, {}, {2: 0})


def test_a_number_cannot_be_written_over():
    x, number = Input((2,), "float32"), Input((), "float32", "number", values=(1.0,))
    with pytest.raises(MalformedProgram, match="a number cannot be written over"):
        Program((x, number), (Node("exp", (("x", 0),), (), 1),), (2,))


def test_a_right_compiler_gives_no_alarm(programs):
    subject = Subject(SmallBackend(), "cpu", KNOWN)
    for mode in ("eager", "compiled"):
        assert {subject.verdict(program, mode).status for program in programs} <= {"passed", "not_meaningful"}


@pytest.mark.parametrize(
    ("name", "blamed"),
    [
        ("argument_not_copied_back", "an argument), after"),
        ("view_not_copied_back", ", after"),
        ("read_before_the_write", ""),
    ],
)
def test_a_miscompiled_write_is_found_shrunk_and_told(name, blamed, programs):
    subject = Subject(SmallBackend(PLANTED_WRITES[name]), "cpu", KNOWN)
    found = ((program, subject.verdict(program, "compiled")) for program in programs)
    program, verdict = next((program, verdict) for program, verdict in found if verdict.status == "failed")
    finding = told(subject, program, verdict)
    assert len(finding.smallest.nodes) <= 4
    assert sum(node.over is not None for node in finding.smallest.nodes) == 1
    assert blamed in finding.blamed
    assert subject.verdict(finding.smallest, "eager").status == "passed"


def twice_negated() -> Program:
    builder = Builder(KNOWN, "float32", 0)
    x = builder.input((3,))
    y = builder.call("negative", {"x": builder.call("negative", {"x": x})})
    write(builder, builder.call("tanh", {"x": y}), y)
    return builder.program([y, builder.call("sin", {"x": x})])


def test_an_alias_for_a_copy_is_noticed_where_it_is_written_over():
    verdict = Subject(SmallBackend(PLANTED_WRITES["alias_for_a_copy"]), "cpu", KNOWN).verdict(twice_negated(), "compiled")
    assert verdict.status == "failed"
    assert {item["label"] for item in verdict.judgements if item["outcome"] == "failed"} >= {"v0 after the call"}


def test_an_alias_for_a_copy_is_noticed_where_nothing_is_written_over():
    program = replace(twice_negated(), nodes=tuple(replace(node, over=None) for node in twice_negated().nodes), outputs=(2,))
    right, wrong = (Subject(SmallBackend(fault), "cpu", KNOWN) for fault in (None, PLANTED_WRITES["alias_for_a_copy"]))
    assert right.verdict(program, "compiled").status == "passed"
    verdict = wrong.verdict(program, "compiled")
    assert (verdict.status, verdict.reason) == ("failed", "memory")
    assert verdict.message == "v2 and v0 share memory in mode compiled, and not in mode eager"
    assert wrong.verdicts([program, program], "compiled") == [None, None]
    finding = told(wrong, program, verdict)
    assert finding.smallest.calls == "v1 = negative(v0); v2 = negative(v1) -> v2"
    assert finding.blamed == "what shares memory"


class Spoiling(SmallBackend):
    """A compiler whose sine writes over its argument."""

    def call(self, operation: str, *first: object, **others: object) -> object:
        result = super().call(operation, *first, **others)
        if operation == "sin" and self.mode == "compiled" and "x" in others:
            others["x"].array[...] = 0.0
        return result


def test_an_argument_that_a_compiler_writes_over_by_itself_is_noticed():
    builder = Builder(KNOWN, "float32", 0)
    program = builder.program([builder.call("sin", {"x": builder.input((3,))})])
    verdict = Subject(Spoiling(), "cpu", KNOWN).verdict(program, "compiled")
    assert verdict.status == "failed"
    assert verdict.message.startswith("v0 after the call")


class Unwritable(SmallBackend):
    """A framework whose arrays are values."""

    def write(self, target: object, value: object) -> None:
        raise Unsupported("arrays are values here")


def test_a_framework_without_writes_says_so_and_is_given_none_unless_asked():
    subject = Subject(Unwritable(), "cpu", KNOWN)
    assert subject.verdict(part_doubled(), "compiled") == Verdict("unsupported", "arrays are values here")
    few = material(available=("negative", "tanh", "sin", "cos", "softmax", "add", "permute", "reshape", "strided_slice"))
    for writes in (True, False):
        some = islice(all_programs(replace(few, writes=writes)), 80)
        assert any(program.writes for _, program in some) == writes
