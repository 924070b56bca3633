"""What is said of planted faults is what was read and found right: of a sample of them here, of all by ``diagnosed.py``."""

import pytest
from diagnosed import kept, record_of, said_of
from faults import ALL

KEPT = kept()
SPOKEN = [key for key, said in KEPT.items() if said]
SILENT = [key for key, said in KEPT.items() if not said]
QUICK = {
    "binary_accuracy",
    "clip_by_norm",
    "clip_by_value",
    "cosine_schedule",
    "dense",
    "embedding",
    "flatten",
    "gelu",
    "hinge",
    "l1_penalty",
    "leaky_relu",
    "log_softmax",
    "lstm_gates",
    "mean_squared_error",
    "pad_sequences",
    "relu",
    "rescale",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
}
"""Operations whose checks take little time."""
SAMPLE = [key for keys in (SPOKEN, SILENT) for key in [key for key in keys if ALL[key].operation in QUICK][::5]]


def test_the_file_names_the_faults_that_there_are():
    assert set(KEPT) <= set(ALL)
    assert len(KEPT) >= 0.99 * len(ALL), "out of date: python suite/tests/diagnosed.py"


def test_a_diagnosis_speaks_of_a_third_of_the_faults():
    assert 3 * len(SPOKEN) >= len(ALL)


@pytest.mark.parametrize("key", SAMPLE)
def test_what_is_said_of_a_fault_is_what_was_read(key):
    assert said_of(record_of(ALL[key])) == KEPT[key]
