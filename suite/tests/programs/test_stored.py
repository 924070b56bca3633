"""Casts to 8 bits in programs: their range, what is beyond it, and the compilers that get them wrong."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from made_programs import mixed_material, stored_material
from planted_casts import PLANTED_STORED
from planted_findings import told_of_first
from small_backend import SmallBackend
from small_operations import KNOWN

from tensorproof.programs.building import Builder
from tensorproof.programs.dtypes import PLAIN, casts_of, dtypes_of
from tensorproof.programs.evaluation import expected_of
from tensorproof.programs.judging import Subject
from tensorproof.programs.program import MalformedProgram, Program, from_json, to_json
from tensorproof.programs.sources.dtypes.mixed import mixed_programs
from tensorproof.programs.sources.dtypes.stored import STORED_PATTERNS, stored_patterns, stored_programs
from tensorproof.programs.sources.everything import CHOSEN_STORED, fixed_programs
from tensorproof_reference.errorbars.array import with_bars
from tensorproof_reference.rounding import STORED

QUIET = {"passed", "not_meaningful", "near_a_branch"}
EIGHT = "float8_e4m3fn"


@pytest.fixture(scope="module")
def programs():
    return list(islice(stored_programs(stored_material()), 40))


def stored(dtype: str = EIGHT, factor: float = 1.0) -> Program:
    """Numbers stored and read again, times a factor."""
    builder = Builder(KNOWN, "float32", 0)
    narrow = builder.call("cast", {"x": builder.input((4, 6))}, {"dtype": dtype})
    read = builder.call("cast", {"x": narrow}, {"dtype": "float32"})
    return builder.program([builder.call("multiply", {"a": read, "b": builder.number(factor)})])


def test_a_right_compiler_gives_no_alarm(programs):
    subject = Subject(SmallBackend(), "cpu", KNOWN)
    assert {subject.verdict(program, mode).status for _, program in programs[:24] for mode in ("eager", "compiled")} <= QUIET
    assert all(any(dtype in STORED for dtype in dtypes_of(program, KNOWN)) for _, program in programs)


@pytest.mark.parametrize("name", PLANTED_STORED)
def test_a_miscompilation_of_casts_to_8_bits_is_found_and_shrunk(name, programs):
    subject, finding = told_of_first(PLANTED_STORED[name], programs)
    assert len(finding.smallest.nodes) <= 3
    assert any(dtype in STORED for dtype in dtypes_of(finding.smallest, KNOWN))
    assert subject.verdict(finding.smallest, "eager").status in QUIET


def test_what_is_stored_is_exact_and_known_in_json():
    program = stored()
    assert from_json(to_json(program)) == program
    assert casts_of(program, KNOWN) == ("float32>float8_e4m3fn", "float8_e4m3fn>float32")
    expected = expected_of(program, KNOWN, {}, PLAIN)
    value, bar = expected.values[2]
    assert not bar.any()
    assert len(np.unique(np.abs(value))) < 24
    assert expected.dtypes["v2"] == EIGHT


@pytest.mark.parametrize(("saturate", "beyond"), [(True, 448.0), (False, np.nan)])
def test_a_gradient_beyond_the_range_follows_the_convention_of_cast(saturate, beyond):
    """The gradient of the second cast is cast to 8 bits: 1,000 times what comes in."""
    program = stored(factor=1000.0)
    expected = expected_of(program, KNOWN, {"cast": {"saturate": saturate}}, PLAIN)
    gradient, bar = expected.gradients["v0"]
    large = np.abs(1000.0 * expected.cotangents[0]) > 480.0
    assert large.any()
    np.testing.assert_array_equal(np.abs(gradient[large]), beyond)
    assert not bar[large].any()


def test_nothing_is_known_of_a_number_that_may_be_beyond_the_range_or_not():
    x = with_bars(np.array([463.0, 465.0, 300.0, 600.0]), PLAIN.precisions["float32"], np.array([1.0, 1.0, 0.1, 0.1]))
    held = PLAIN.cast(x, EIGHT)
    np.testing.assert_array_equal(held.bar, [np.inf, np.inf, 0.0, 0.0])
    np.testing.assert_array_equal(held.value[2:], [288.0, np.nan])
    np.testing.assert_array_equal(PLAIN.cast(x, EIGHT, saturate=True).value, [448.0, 448.0, 288.0, 448.0])


def test_nothing_but_a_cast_takes_8_bits():
    builder = Builder(KNOWN, "float32", 0)
    narrow = builder.call("cast", {"x": builder.input((4,))}, {"dtype": EIGHT})
    with pytest.raises(MalformedProgram, match="nothing is computed in float8_e4m3fn"):
        builder.call("exp", {"x": narrow})


def test_mixed_programs_store_where_the_backend_holds_8_bits_and_others_stay_the_same():
    plain = mixed_material()
    holding = replace(plain, stored=tuple(STORED))
    both = [list(islice(mixed_programs(made), 60)) for made in (plain, holding)]
    stores = [[any(dtype in STORED for dtype in dtypes_of(program, KNOWN)) for _, program in made] for made in both]
    assert not any(stores[0])
    assert any(stores[1])
    kept = [program for (_, program), other in zip(both[1], stores[1], strict=True) if not other]
    assert kept == [program for _, program in both[0]][: len(kept)]


def test_patterns_have_both_dtypes_and_some_are_in_the_fixed_set():
    labels = [label for label, _ in stored_patterns(stored_material())]
    assert len(labels) == 2 * len(STORED_PATTERNS)
    assert set(CHOSEN_STORED) <= {label for label, _ in fixed_programs(stored_material())}
