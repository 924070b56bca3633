"""The gates: nearly no candidates without a change, and changes of 5 and 10 % found."""

import numpy as np
import pytest
from nightly_records import history_of, night, noise

from tensorproof.nightly import gates
from tensorproof.nightly.gates import Change, Unchanged, breaks, change_of, gate

NIGHTS, COUNT = 60, 200


def candidates(logs: np.ndarray) -> list[int]:
    histories = [history_of(np.exp(row), number) for number, row in enumerate(logs)]
    gated = gate(histories, night(logs.shape[1] - 1))
    assert gated.tested + gated.too_little_history == len(logs)
    return [int(change.history.series.operation.removeprefix("op")) for change in gated.candidates]


@pytest.mark.parametrize("degrees", [pytest.param(np.inf, id="normal"), pytest.param(4.0, id="heavy tails")])
def test_without_a_change_there_are_hardly_any_candidates(degrees):
    found = [len(candidates(noise(np.random.default_rng(seed), NIGHTS, COUNT, degrees))) for seed in range(10)]
    # 2,000 series; a threshold of 5 % would have found 100 of them, each night anew.
    assert sum(found) <= (1 if np.isinf(degrees) else 6)


def test_without_the_second_gate_there_would_be_many(monkeypatch):
    monkeypatch.setattr("scipy.stats.false_discovery_control", lambda p_values, method: np.zeros_like(p_values))
    monkeypatch.setattr(gates, "SMALLEST", 0.0)
    assert len(candidates(noise(np.random.default_rng(0), NIGHTS, COUNT))) >= 3


@pytest.mark.parametrize(
    ("step", "after", "share"),
    [
        pytest.param(0.10, 1, 0.7, id="10 % on the first night"),
        pytest.param(0.10, 2, 0.9, id="10 % on the second night"),
        pytest.param(0.05, 3, 0.6, id="5 % on the third night"),
        pytest.param(0.05, 5, 0.8, id="5 % on the fifth night"),
        pytest.param(-0.10, 2, 0.9, id="10 % faster on the second night"),
    ],
)
def test_a_step_is_found(step, after, share):
    changed = 10
    found, false = 0, 0
    for seed in range(3):
        logs = noise(np.random.default_rng(seed), NIGHTS, COUNT)
        logs[:changed, -after:] += np.log1p(step)
        numbers = candidates(logs)
        found += sum(number < changed for number in numbers)
        false += sum(number >= changed for number in numbers)
    assert found >= share * 3 * changed
    assert false <= 0.15 * max(1, found)


def test_the_change_is_placed_and_sized():
    logs = noise(np.random.default_rng(1), NIGHTS, 1)[0] / 3
    logs[-3:] += np.log(1.2)
    change = change_of(history_of(np.exp(logs)))
    assert isinstance(change, Change)
    assert (change.since, change.last_before) == (night(NIGHTS - 3), night(NIGHTS - 4))
    assert change.factor == pytest.approx(1.2, rel=0.02)
    assert (change.nights_before, change.nights_after) == (NIGHTS - 3, 3)


def test_changes_under_3_percent_are_never_candidates():
    generator = np.random.default_rng(0)
    logs = generator.normal(scale=0.001, size=(20, NIGHTS))
    logs[:, -3:] += np.log(1.025)
    histories = [history_of(np.exp(row), number) for number, row in enumerate(logs)]
    gated = gate(histories, night(NIGHTS - 1))
    assert gated.changes == 20
    assert gated.candidates == ()


@pytest.mark.parametrize("count", [1, 3, 5])
def test_few_nights_are_too_little_history(count):
    ratios = [1.0] * (count - 1) + [9.0]
    gated = gate([history_of(ratios)], night(count - 1))
    assert (gated.tested, gated.too_little_history, gated.candidates) == (0, 1, ())


def test_six_nights_are_enough_for_a_large_change():
    assert isinstance(change_of(history_of([1.0, 1.01, 0.99, 1.0, 1.01, 2.0])), Change)


def test_a_level_that_is_older_than_the_last_nights_is_no_news():
    logs = noise(np.random.default_rng(2), NIGHTS, 1)[0] / 5
    logs[-12:] += np.log(1.3)
    assert change_of(history_of(np.exp(logs))) is Unchanged.NO_CHANGE


def test_a_change_is_seen_beside_an_older_one():
    """The level before is that of the nights just before, not of the whole history."""
    logs = noise(np.random.default_rng(3), NIGHTS, 1)[0] / 5
    logs[:30] += np.log(1.5)
    logs[-2:] += np.log(1.1)
    change = change_of(history_of(np.exp(logs)))
    assert isinstance(change, Change)
    assert change.factor == pytest.approx(1.1, rel=0.02)
    assert change.nights_before == 28


def test_one_bad_night_is_set_aside():
    logs = noise(np.random.default_rng(4), NIGHTS, 1)[0] / 5
    logs[-2] += np.log(1.5)
    assert change_of(history_of(np.exp(logs))) is Unchanged.NO_CHANGE
    logs[-1] += np.log(1.5)
    assert isinstance(change_of(history_of(np.exp(logs))), Change)


def test_two_steps_within_the_last_nights_are_one_change_from_the_level_before():
    logs = noise(np.random.default_rng(5), NIGHTS, 1)[0] / 10
    logs[-5:] += np.log(1.2)
    logs[-2:] += np.log(1.2)
    change = change_of(history_of(np.exp(logs)))
    assert isinstance(change, Change)
    assert change.factor == pytest.approx(1.44, rel=0.02)
    assert change.last_before == night(NIGHTS - 6)


def test_a_series_that_was_not_measured_tonight_is_not_tested():
    gated = gate([history_of([1.0] * 10)], night(10))
    assert (gated.tested, gated.too_little_history) == (0, 0)


def test_equal_numbers_have_no_change_and_no_warning():
    assert breaks(np.zeros(30)) == [30]
    assert change_of(history_of([0.5] * 30)) is Unchanged.NO_CHANGE


def test_no_series_is_no_error():
    assert gate([], night(0)).tested == 0
