"""Every operation, model and training step, forward and with gradients, in every mode: one test for each series."""

from tensorproof.timing.front_door import Replay, Timed


def test_timing(timed: Timed, replay: Replay) -> None:
    """How long one series takes."""
    replay(timed)
