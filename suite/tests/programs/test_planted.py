"""Miscompilations planted in a compiler are found within a few programs, blamed on the right operations, and shrunk.

Of all in the table ``measure_planted.py`` tells; these are found early enough to be tried each time.
"""

from itertools import islice

import pytest
from made_programs import material
from planted_rewrites import PLANTED, first_found, told
from small_backend import KNOWN, SmallBackend

from tensorproof.programs.judging import Subject
from tensorproof.programs.sources.everything import all_programs

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
    planted = PLANTED[name]
    subject = Subject(SmallBackend(planted.fault), "cpu", KNOWN)
    found = first_found(subject, planted, programs)
    assert found is not None
    _, program, verdict = found
    finding = told(subject, program, verdict)
    operations = [node.operation for node in finding.smallest.nodes]
    assert len(operations) <= 4
    assert set(planted.operations) <= set(operations)
    assert subject.verdict(finding.smallest, "eager").status in ("passed", "not_meaningful", "near_a_branch")


def test_there_are_more_than_twenty_miscompilations_in_the_table():
    assert len(PLANTED) > 20
    assert set(EARLY) <= set(PLANTED)
