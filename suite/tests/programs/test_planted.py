"""Miscompilations planted in a compiler are found within a few programs, blamed on the right operations, and shrunk.

Of all in the table ``measure_planted.py`` tells; these are found early enough to be tried each time.
"""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from faulty import Fault
from made_programs import material
from planted_findings import told, told_of_first
from planted_rewrites import PLANTED
from small_backend import SmallBackend
from small_operations import KNOWN

from tensorproof.programs.judging import Subject
from tensorproof.programs.sources.everything import CHOSEN, CHOSEN_WRITES, all_programs, fixed_programs
from tensorproof.programs.sources.merges import merge_programs
from tensorproof.programs.sources.patterns import pattern_programs
from tensorproof.programs.sources.reported import REPORTED

EARLY = (
    "times_zero_is_zero",
    "exp_of_log_is_nothing",
    "root_of_square_is_nothing",
    "clamp_the_other_way_round",
    "differences_reassociated",
    "branches_swapped_in_the_gradient",
    "buffer_of_two_consumers",
    "residual_in_place",
    "leaky_after_product",
    "operand_not_transposed",
    "crop_off_by_one_after_flatten",
    "log_of_a_product_split",
    "small_summand_dropped",
    "two_factors_added",
)
MERGED = ("flips_of_two_axes_cancel", "crop_undoes_any_padding", "product_of_transposes_exchanged", "tail_of_a_long_sum_dropped")
"""Those that only programs of merges find soon."""
PROGRAMS = 300


@pytest.fixture(scope="module")
def programs():
    """The first programs of a campaign."""
    return list(islice(all_programs(material()), PROGRAMS))


@pytest.mark.parametrize("name", EARLY)
def test_a_miscompilation_is_found_blamed_and_shrunk(name, programs):
    subject, finding = told_of_first(PLANTED[name], programs)
    assert subject.verdict(finding.smallest, "eager").status in ("passed", "not_meaningful", "near_a_branch")


@pytest.fixture(scope="module")
def merges():
    """Long products, and the calls of one kind that compilers merge."""
    return list(islice(merge_programs(material()), 90))


@pytest.mark.parametrize("name", MERGED)
def test_what_is_merged_wrongly_with_some_axes_only_is_found(name, merges):
    told_of_first(PLANTED[name], [item for item in merges if _has_pair(item[1], *PLANTED[name].operations)])


def _has_pair(program, first, second=""):
    """Whether what one operation gives is what another one takes, as any program that fails must have."""
    made = dict(enumerate(program.nodes, start=len(program.inputs)))
    return any(
        node.operation == (second or first) and any(made[number].operation == first for number in node.numbers if number in made)
        for node in program.nodes
    )


def test_numbers_are_written_into_patterns_on_the_side_that_takes_them():
    written = dict(pattern_programs(material()))["gelu with numbers"]
    assert written.text.endswith("v6 = multiply(v0, 0.5); v7 = add(v5, 1.0); v8 = multiply(v6, v7) -> v8")


def test_there_are_more_than_twenty_miscompilations_in_the_table():
    assert len(PLANTED) > 20
    assert set(EARLY) <= set(PLANTED)


def test_the_fixed_set_is_small_and_every_chosen_neighbour_is_in_it():
    labels = [label for label, _ in fixed_programs(replace(material(), writes=True))]
    assert set(CHOSEN) | set(CHOSEN_WRITES) | set(REPORTED) <= set(labels)
    assert len(labels) == len(set(labels)) < 200


def test_long_arrays_are_shrunk_to_the_length_at_which_they_begin_to_fail():
    """A sum that forgets what comes after 100 numbers, in an array of 1,001."""
    wrong = Fault(
        name="forgetful",
        operation="reduce_sum",
        group="compiled",
        mode="compiled",
        function=lambda x, *, axis=None, keepdims=False: np.sum(x[:100], axis=axis, keepdims=keepdims),
    )
    builder = material().builder()
    program = builder.program([builder.call("reduce_sum", {"x": builder.input((1_001,), "positive")}, {"axis": 0})])
    subject = Subject(SmallBackend(wrong), "cpu", KNOWN)
    finding = told(subject, program, subject.verdict(program, "compiled"))
    assert finding.smallest.inputs[0].shape == (101,)
