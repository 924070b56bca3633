"""What is said of planted faults is what was read and found right: of a sample of them here, of all by ``diagnosed.py``."""

import pytest
from diagnosed import kept, record_of, said_of
from faults import ALL

KEPT = kept()
SPOKEN = [key for key, said in KEPT.items() if said]
SILENT = [key for key, said in KEPT.items() if not said]
SAMPLE = (
    "relu-gradient_at_zero_is_one_half",
    "relu-nan_becomes_zero",
    "clip_by_value-clipped_from_above_only",
    "sigmoid-input_clamped_to_15",
    "sigmoid-rational_approximation_to_four_digits",
    "lstm_gates-input_and_forget_gate_exchanged",
)
"""Faults of operations whose checks take little time; of some of them nothing is said."""


def test_the_file_names_the_faults_that_there_are():
    assert set(KEPT) <= set(ALL)
    assert len(KEPT) >= 0.95 * len(ALL), "out of date: python suite/tests/diagnosed.py"


def test_a_diagnosis_speaks_of_a_third_of_the_faults():
    assert 3 * len(SPOKEN) >= len(ALL)


@pytest.mark.parametrize("key", SAMPLE)
def test_what_is_said_of_a_fault_is_what_was_read(key):
    assert said_of(record_of(ALL[key])) == KEPT[key]
