"""Examples a second of models: from the batch of the specification, and never of what nobody can tell."""

import pytest

from tensorproof_reports.page import page
from tensorproof_reports.timing_data import ModelSpeed, model_speeds
from tensorproof_reports.timings import row_of


def told(*lines):
    """The speeds of some lines."""
    return model_speeds([row_of(line) for line in lines], lines)


def test_steps_of_a_model_stand_in_one_row_with_examples_a_second(make):
    found = told(
        make.timing(operation="mnist_cnn", median=1e9),
        make.timing(operation="mnist_cnn", median=2e9, direction="forward+backward"),
        make.timing(operation="mnist_cnn_training", median=4e9),
        make.timing("jax jit", operation="mnist_cnn", workload="S", median=0.5e9),
    )
    speeds = {"forward": (64.0, True), "forward+backward": (32.0, True), "training step": (16.0, True)}
    assert found == [
        ModelSpeed("mnist_cnn", 1, "float32", "jax jit", {"forward": (2.0, True)}),
        ModelSpeed("mnist_cnn", 64, "float32", "torch eager", speeds),
    ]


@pytest.mark.parametrize(
    "changed",
    [
        {"operation": "softmax"},
        {"operation": "nobody_knows"},
        {"operation_version": 99},
        {"workload": "X"},
        {"status": "crashed"},
    ],
    ids=lambda changed: str(next(iter(changed.values()))),
)
def test_what_has_no_batch_or_no_time_has_no_speed(make, changed):
    assert told(make.timing(**{"operation": "mnist_cnn", **changed})) == []


def test_what_is_not_trusted_is_marked_and_what_was_not_timed_is_empty(make):
    doubt = {"output": {"ok": False, "value": 1.0, "message": "no"}}
    text = page([], [make.record([make.timing(operation="mnist_cnn", median=1e9, trust=doubt)])])
    row = text.partition("<caption>Models:")[2].partition("<tbody>")[2].partition("</tr>")[0]
    assert row.count("⚠ 64.0") == 1
    assert row.count('<td class="number"></td>') == 2
