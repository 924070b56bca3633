"""Inputs that do not lie contiguous: what is handed over, what frameworks keep, and the compilers that get it wrong."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from faulty import Fault
from made_programs import material, strided_material
from planted_findings import first_found, told, told_of_first
from planted_rewrites import PLANTED
from planted_strides import MADE, PLANTED_STRIDES
from small_backend import SmallBackend
from small_operations import KNOWN

from tensorproof.backend import numpy_strides
from tensorproof.contract.strides import MEMORIES, as_shared, in_memory, is_shared, text_of
from tensorproof.programs.building import Builder, alone
from tensorproof.programs.campaigns.declared import programs_of
from tensorproof.programs.judging import Subject
from tensorproof.programs.program import Input, MalformedProgram, Program, from_json, from_plain, is_known_as, to_json
from tensorproof.programs.sources.everything import CHOSEN_STRIDES, all_programs, fixed_programs
from tensorproof.programs.sources.memory.strides import lying, strided_neighbours, strided_programs, strided_writes

QUIET = {"passed", "not_meaningful", "near_a_branch"}


@pytest.fixture(scope="module")
def programs():
    """All neighbours, in the order in which campaigns have them."""
    return list(strided_neighbours(strided_material()))


def tanh_of(memory: str, shape: tuple[int, ...] = (3, 4)) -> Program:
    builder = Builder(KNOWN, "float32", 0)
    program = builder.program([builder.call("tanh", {"x": builder.input(shape)})])
    made = lying(program, {0: memory}, KNOWN)
    assert made is not None
    return made


@pytest.mark.parametrize("memory", MEMORIES)
def test_an_array_in_memory_is_the_same_array(memory):
    """Also with few axes; and none is contiguous that need not be."""
    for shape in ((), (5,), (1, 1), (4, 6), (2, 3, 5), (3, 2, 4, 2)):
        array = as_shared(np.arange(1.0, 1.0 + np.prod(shape, dtype=int)).reshape(shape), memory)
        laid = in_memory(array, memory, np.nan)
        np.testing.assert_array_equal(laid, array)
        assert np.shares_memory(laid, np.asarray(laid if laid.base is None else laid.base))
        if len(shape) > 2:
            assert numpy_strides(laid) != numpy_strides(np.zeros(shape))
        again = eval(text_of(laid, lambda item: f"np.array({item.tolist()!r})"), {"np": np, "nan": np.nan})
        np.testing.assert_array_equal(again, array)
        assert numpy_strides(again) == numpy_strides(laid)


def test_elements_of_one_place_are_one_number():
    for memory in filter(is_shared, MEMORIES):
        array = as_shared(np.arange(24.0).reshape(2, 3, 4), memory)
        laid = in_memory(array, memory)
        laid[...] = np.arange(24.0).reshape(2, 3, 4)
        np.testing.assert_array_equal(laid, as_shared(laid.copy(), memory))
        assert laid.base.size < laid.size
        np.testing.assert_array_equal(as_shared(array, memory), array)


def test_a_program_tells_how_its_inputs_lie_and_others_keep_their_names():
    program = tanh_of("sliced")
    plain = replace(program, inputs=tuple(item.contiguous for item in program.inputs))
    assert program.text == "v0: float32[3, 4] sliced; v1 = tanh(v0) -> v1"
    assert from_json(to_json(program)) == program
    assert len({program.name, plain.name}) == len({program.form, plain.form}) == 2
    assert "memory" not in to_json(plain)
    # The name that this program had before inputs lay in any way.
    assert plain.name == "2c003d6d4e78"
    assert [is_known_as(item, program.text) for item in (program, plain)] == [True, False]
    assert is_known_as(plain, plain.text)


def test_a_declared_program_is_made_with_inputs_that_lie_so():
    text = tanh_of("expanded_first").text
    made = programs_of(text, KNOWN)
    assert {program.text for program in made} == {text}
    assert all(program.inputs[0].memory == "expanded_first" for program in made)
    np.testing.assert_array_equal(made[0].inputs[0].array[0], made[0].inputs[0].array[1])


def test_what_lies_in_no_known_way_is_no_program():
    inputs = [{"shape": [2], "dtype": "float32", "memory": "upside_down"}]
    nodes = [{"operation": "tanh", "operands": [["x", 0]], "keywords": []}]
    with pytest.raises(MalformedProgram, match="memory: expected contiguous or one of transposed"):
        from_plain({"inputs": inputs, "nodes": nodes, "outputs": [1], "seed": 0})


def test_elements_of_one_place_are_not_written_over():
    program = tanh_of("expanded_first")
    with pytest.raises(MalformedProgram, match="share a place in memory cannot be written over"):
        replace(program, nodes=(replace(program.nodes[0], over=0),))


def test_a_right_compiler_gives_no_alarm(programs):
    subject = Subject(SmallBackend(), "cpu", KNOWN)
    some = [*islice(strided_programs(strided_material()), 40), *programs[-20:]]
    assert {subject.verdict(program, mode).status for _, program in some for mode in ("eager", "compiled")} <= QUIET
    assert all(program.memories for _, program in some)
    assert {memory for _, program in programs for _, memory in program.memories} == set(MEMORIES)


def test_writes_over_arguments_in_any_way_give_no_alarm():
    subject = Subject(SmallBackend(), "cpu", KNOWN)
    some = list(islice(strided_writes(replace(strided_material(), writes=True)), 20))
    assert all(program.writes and program.memories for _, program in some)
    assert {subject.verdict(program, "compiled").status for _, program in some} <= QUIET


@pytest.mark.parametrize("name", PLANTED_STRIDES)
def test_a_miscompilation_of_strides_is_found_blamed_and_shrunk(name, programs):
    subject, finding = told_of_first(PLANTED_STRIDES[name], programs)
    smallest = finding.smallest
    assert len(smallest.nodes) == 1
    (number, memory), *others = smallest.memories
    assert not others
    assert finding.blamed == f"{MADE[name].operation} alone, where v{number} lies {memory}"
    assert memory in (MADE[name].shown_by or MEMORIES)
    assert subject.verdict(smallest, "eager").status in QUIET
    plain = replace(smallest, inputs=tuple(item.contiguous for item in smallest.inputs))
    assert subject.verdict(plain, "compiled").status in QUIET


def test_without_strided_inputs_none_of_them_is_found():
    plain = list(islice(all_programs(material()), 100))
    for name in ("strides_ignored", "offset_taken_for_zero", "gradient_summed_in_an_expanded_axis"):
        planted = PLANTED_STRIDES[name]
        assert first_found(Subject(SmallBackend(planted.fault), "cpu", KNOWN), planted, plain) is None


def test_a_finding_that_needs_no_strides_has_none():
    planted = PLANTED["sum_dropped_before_normalization"]
    subject = Subject(SmallBackend(planted.fault), "cpu", KNOWN)
    builder = Builder(KNOWN, "float32", 0)
    total = builder.call("add", {"a": builder.input((3, 5)), "b": builder.input((3, 5))})
    program = lying(builder.program([builder.call("layer_norm", {"x": total})]), {0: "sliced", 1: "expanded_first"}, KNOWN)
    assert program is not None
    finding = told(subject, program, subject.verdict(program, "compiled"))
    assert not finding.smallest.memories
    assert "lies" not in finding.blamed


def test_only_the_input_that_matters_stays_as_it_lay():
    planted = PLANTED_STRIDES["offset_taken_for_zero"]
    subject = Subject(SmallBackend(planted.fault), "cpu", KNOWN)
    builder = Builder(KNOWN, "float32", 0)
    x, y = builder.input((3, 5)), builder.input((3, 5))
    program = builder.program([builder.call("add", {"a": builder.call("softmax", {"x": x}), "b": y})])
    program = lying(program, {0: "offset", 1: "transposed"}, KNOWN)
    finding = told(subject, program, subject.verdict(program, "compiled"))
    assert finding.smallest.memories == ((0, "offset"),)


class Flat(SmallBackend):
    """A framework whose arrays have no strides. So none is handed over to see what it keeps of them."""

    def from_numpy(self, array, dtype, device):
        assert array.flags.c_contiguous
        return super().from_numpy(array, dtype, device)

    def strides(self, value):
        return None


class Forward(SmallBackend):
    """One that keeps what is not stored backwards."""

    def from_numpy(self, array, dtype, device):
        forward = min(array.strides, default=0) >= 0
        return super().from_numpy(array if forward else np.array(array, order="C"), dtype, device)


class Batched(SmallBackend):
    """One that has a mode which hands copies over."""

    def copies_arguments(self, mode):
        return mode == "compiled"


def test_what_a_framework_does_not_keep_is_unsupported_and_not_made():
    program = tanh_of("reversed")
    for backend, mode, message in (
        (Flat(), "eager", "arrays of float32 keep none of their strides"),
        (Forward(), "eager", "arrays of float32 keep no strides that are reversed"),
        (Batched(), "compiled", "mode compiled hands copies of the arguments over, which are contiguous"),
    ):
        subject = Subject(backend, "cpu", KNOWN)
        verdict = subject.verdict(program, mode)
        assert (verdict.status, verdict.message) == ("unsupported", message)
        assert subject.verdicts([program, program], mode) == [None, None]
    assert Subject(Flat(), "cpu", KNOWN).memories("float32", "eager") == ()
    assert set(Subject(Forward(), "cpu", KNOWN).memories("float32", "eager")) == set(MEMORIES) - {"reversed"}
    assert Subject(SmallBackend(), "cpu", KNOWN).memories("bfloat16", "eager") == tuple(MEMORIES)


def test_all_and_the_fixed_set_have_strided_inputs_where_they_are_kept():
    for made, expected in ((strided_material(), True), (material(), False)):
        assert any(program.memories for _, program in islice(all_programs(made), 200)) == expected
        assert any(program.memories for _, program in fixed_programs(made)) == expected
    labels = [label for label, _ in fixed_programs(strided_material())]
    assert set(CHOSEN_STRIDES) <= set(labels)
    chosen = [program for label, program in fixed_programs(strided_material()) if label in CHOSEN_STRIDES]
    assert {memory for program in chosen for _, memory in program.memories} == set(MEMORIES)


def test_an_operation_alone_is_asked_with_its_argument_as_it_lay():
    program = tanh_of("sliced")
    values = [np.zeros((3, 4)), np.zeros((3, 4))]
    assert alone(program, values, ("float32", "float32"), 1).memories == ((0, "sliced"),)


def test_shrinking_keeps_the_numbers_of_what_shared_a_place():
    item = Input((3, 4), "float32", memory="windows")
    np.testing.assert_array_equal(item.contiguous.array, item.array)
    assert item.contiguous.memory == "contiguous"


def test_what_lies_between_elements_is_no_number():
    """A kernel that adds up the gaps gives NaN, not the sum."""
    wrong = Fault(
        name="with_the_gaps",
        operation="reduce_sum",
        group="compiled",
        mode="compiled",
        function=lambda x, *, axis=None, keepdims=False: np.sum(x if x.base is None else x.base, keepdims=keepdims),
    )
    builder = Builder(KNOWN, "float32", 0)
    program = builder.program([builder.call("reduce_sum", {"x": builder.input((3, 4))}, {"axis": None})])
    subject = Subject(SmallBackend(wrong), "cpu", KNOWN)
    for memory, status in (("sliced", "failed"), ("transposed", "passed")):
        made = lying(program, {0: memory}, KNOWN)
        assert made is not None
        assert subject.verdict(made, "compiled").status == status
