"""Miscompilations planted in a compiler are found within a few programs, blamed on the right operations, and shrunk.

Of all in the table ``measure_planted.py`` tells; these are found early enough to be tried each time.
"""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from faulty import Fault
from made_programs import material
from planted_rewrites import PLANTED, told, told_of_first
from small_backend import SmallBackend
from small_operations import KNOWN

from tensorproof.programs.judging import Subject
from tensorproof.programs.sources.everything import CHOSEN, CHOSEN_WRITES, all_programs, fixed_programs
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
)
PROGRAMS = 160


@pytest.fixture(scope="module")
def programs():
    """The first programs of a campaign."""
    return list(islice(all_programs(material()), PROGRAMS))


@pytest.mark.parametrize("name", EARLY)
def test_a_miscompilation_is_found_blamed_and_shrunk(name, programs):
    subject, finding = told_of_first(PLANTED[name], programs)
    assert subject.verdict(finding.smallest, "eager").status in ("passed", "not_meaningful", "near_a_branch")


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
