"""Programs of several dtypes: each value has its own precision, and mistakes about casts are found, blamed and shrunk."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from made_programs import material, mixed_material
from planted_casts import PLANTED_CASTS
from planted_findings import told_of_first
from small_backend import SmallBackend
from small_operations import KNOWN

from tensorproof.conformance.selection.cases import Declared
from tensorproof.contract.declarations import Declaration
from tensorproof.contract.description import describe
from tensorproof.programs.building import Builder
from tensorproof.programs.dtypes import PLAIN, casts_of, dtypes_of
from tensorproof.programs.evaluation import expected_of
from tensorproof.programs.judging import Subject
from tensorproof.programs.program import Input, MalformedProgram, Node, Program, from_json, to_json
from tensorproof.programs.shrinking import shrunk
from tensorproof.programs.sources.dtypes.mixed import MIXED, mixed_patterns, mixed_programs
from tensorproof.programs.sources.everything import CHOSEN_CASTS, all_programs, fixed_programs
from tensorproof.programs.sources.random_programs import random_program
from tensorproof_reference.operation import DTYPES
from tensorproof_reference.rounding import round_to, spacing

PROGRAMS = 230
QUIET = {"passed", "not_meaningful", "near_a_branch"}


@pytest.fixture(scope="module")
def programs():
    """The first programs of a campaign."""
    return list(islice(mixed_programs(mixed_material()), PROGRAMS))


def there_and_back(builder: Builder, x: int, dtype: str = "bfloat16") -> int:
    narrow = builder.call("cast", {"x": x}, {"dtype": dtype})
    return builder.call("cast", {"x": narrow}, {"dtype": builder.dtypes[x]})


def rounded_sum() -> Program:
    """Exact inputs, a sum, the sum rounded to bfloat16, and its exponential in float32."""
    builder = Builder(KNOWN, "float32", 0)
    total = builder.call("add", {"a": builder.input((9, 20)), "b": builder.input((9, 20))})
    return builder.program([builder.call("exp", {"x": there_and_back(builder, total)})])


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_right_compiler_gives_no_alarm(dtype):
    subject = Subject(SmallBackend(), "cpu", KNOWN)
    programs = [program for _, program in islice(mixed_programs(mixed_material(dtype, 3)), 50)]
    assert len(programs) == 50
    assert all(casts_of(program, KNOWN) for program in programs[:20])
    assert {subject.verdict(program, mode).status for program in programs for mode in ("eager", "compiled")} <= QUIET


@pytest.mark.parametrize("name", PLANTED_CASTS)
def test_a_miscompilation_of_casts_is_found_blamed_and_shrunk(name, programs):
    planted = PLANTED_CASTS[name]
    subject, finding = told_of_first(planted, programs)
    assert finding.blamed == "only together" or any(word in finding.blamed for word in planted.operations)
    assert subject.verdict(finding.smallest, "eager").status in QUIET


def test_bars_follow_each_value_and_gradients_have_the_dtypes_of_inputs():
    builder = Builder(KNOWN, "float32", 0)
    x, y = builder.input((50,)), builder.input((50,), dtype="bfloat16")
    fine = builder.call("exp", {"x": x})
    coarse = builder.call("cast", {"x": builder.call("exp", {"x": y})}, {"dtype": "float32"})
    program = builder.program([fine, coarse, builder.call("multiply", {"a": fine, "b": coarse})])
    expected = expected_of(program, KNOWN, {}, PLAIN)
    relative = [float(np.median(bar / np.abs(value))) for value, bar in expected.outputs.values()]
    assert relative[0] < 2.0**-22
    assert min(relative[1:]) > 2.0**-9
    assert [expected.dtypes[name] for name in expected.gradients] == ["float32", "bfloat16"]
    gradient, bar = expected.gradients["v1"]
    assert np.median(bar / np.abs(gradient)) > 2.0**-9
    assert Subject(SmallBackend(), "cpu", KNOWN).verdict(program, "compiled").status == "passed"


def test_a_cast_is_exact_unless_two_numbers_are_within_the_bars():
    program = rounded_sum()
    expected = expected_of(program, KNOWN, {}, PLAIN)
    (total, bars), (rounded, left) = expected.values[2:4]
    step = spacing(total, "bfloat16")
    near_a_tie = np.abs(np.abs(total / step - np.floor(total / step)) - 0.5) * step <= 10.0 * bars
    assert not left[~near_a_tie].any()
    assert (left[near_a_tie] > 0).all()
    assert (rounded == round_to(total, "bfloat16"))[~near_a_tie].all()


def test_the_way_back_is_judged_by_the_narrow_numbers():
    """A program whose cast to 16 bits and back is left out differs by thousands of bars, also after a sum."""
    subject = Subject(SmallBackend(PLANTED_CASTS["cast_pair_removed"].fault), "cpu", KNOWN)
    verdict = subject.verdict(rounded_sum(), "compiled")
    assert verdict.status == "failed"
    assert max(item["largest_z"] or 0.0 for item in verdict.judgements) > 1000.0


def declared(backend: SmallBackend, **table: object) -> Declared:
    found = [Declaration("precision", {"operation": "cast", "casts": "wide", "reason": "it keeps digits", **table}, "small.toml")]
    return Declared(found, describe(backend, None), KNOWN, 0)


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        ({"mode": "compiled"}, "passed"),
        ({"mode": "compiled", "keywords": {"dtype": {"any_of": ["bfloat16"]}}}, "passed"),
        ({"mode": "eager"}, "failed"),
        ({"mode": "compiled", "keywords": {"dtype": "float16"}}, "failed"),
    ],
)
def test_a_compiler_may_keep_digits_where_that_is_declared(conditions, status):
    backend = SmallBackend(PLANTED_CASTS["cast_pair_removed"].fault)
    subject = Subject(backend, "cpu", KNOWN, declared(backend, **conditions))
    assert subject.verdict(rounded_sum(), "compiled").status == status


def test_what_keeps_digits_by_declaration_must_not_lose_more():
    backend = SmallBackend(PLANTED_CASTS["cast_moved_past_a_sum"].fault)
    builder = Builder(KNOWN, "float32", 0)
    x = builder.call("cast", {"x": builder.input((30, 40), "positive", "bfloat16")}, {"dtype": "float32"})
    program = builder.program([builder.call("reduce_sum", {"x": x}, {"axis": 0})])
    assert Subject(backend, "cpu", KNOWN, declared(backend)).verdict(program, "compiled").status == "failed"


def test_operands_of_several_dtypes_are_no_program():
    inputs = (Input((2,), "float32"), Input((2,), "bfloat16"))
    program = Program(inputs, (Node("add", (("a", 0), ("b", 1))),), (2,))
    with pytest.raises(MalformedProgram, match="one floating dtype"):
        dtypes_of(program, KNOWN)


def test_a_value_is_written_over_by_one_of_its_dtype():
    cast = Node("cast", (("x", 0),), (("dtype", "bfloat16"),), 0)
    with pytest.raises(MalformedProgram, match="written over"):
        dtypes_of(Program((Input((2,), "float32"),), (cast,), (1,)), KNOWN)


def test_json_goes_round_and_casts_are_counted():
    for _, program in mixed_patterns(mixed_material()):
        assert from_json(to_json(program)) == program
    assert casts_of(rounded_sum(), KNOWN) == ("float32>bfloat16", "bfloat16>float32")


def test_a_cast_that_is_not_needed_is_dropped():
    builder = Builder(KNOWN, "float32", 0)
    x = builder.call("exp", {"x": there_and_back(builder, builder.input((3, 5)))})
    program = builder.program([builder.call("sin", {"x": x})])

    def ask(candidate: Program):
        status = "failed" if [node.operation for node in candidate.nodes][-2:] == ["exp", "sin"] else "passed"
        return replace(Subject(SmallBackend(), "cpu", KNOWN).verdict(candidate, "eager"), status=status, reason="made up")

    smallest = shrunk(program, ("failed", "made up"), ask, dict(KNOWN), {})
    assert [node.operation for node in smallest.nodes] == ["exp", "sin"]


def test_programs_of_one_dtype_are_the_same_whatever_there_is_to_cast_to():
    one, several = material(seed=1), mixed_material(seed=1)
    several = replace(several, available=one.available)
    assert [random_program(one, number) for number in range(10)] == [random_program(several, number) for number in range(10)]
    assert list(islice(all_programs(one), 60)) == list(islice(all_programs(several), 60))


def test_the_fixed_set_has_each_pattern_once_and_the_chosen_casts():
    labels = [label for label, _ in fixed_programs(mixed_material())]
    assert {f"{name} in bfloat16 and float32" for name in MIXED} | set(CHOSEN_CASTS) <= set(labels)
    assert len(labels) == len(set(labels))
    assert len(labels) - len(list(fixed_programs(material()))) == len(MIXED) + len(CHOSEN_CASTS)
