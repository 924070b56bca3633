"""The self-test of a run: what it says of a calm machine, of one that was disturbed for a while, and of one that never rests."""

import random
from types import SimpleNamespace

import pytest

from tensorproof.timing import session as sessions

ROUNDS = 12
"""The fewest of a self-test's parts."""


class Anchors:
    """Two workers whose times differ wildly for some rounds."""

    def __init__(self, disturbed: int) -> None:
        self.asked = 0
        self._disturbed = disturbed
        self._draw = random.Random(0)

    def ask(self, place, do, seconds, **request):
        self.asked += 1
        wild = (self.asked - 1) // 2 < self._disturbed
        return {"ns": 1000.0 * self._draw.uniform(*((0.7, 1.4) if wild else (0.999, 1.001)))}


@pytest.mark.parametrize(
    ("disturbed", "parts", "says"),
    [(0, 1, True), (ROUNDS, 3, True), (10**6, sessions.SELF_TESTS, False)],
    ids=["calm", "disturbed for a while", "never calm"],
)
def test_a_self_test_goes_on_while_it_says_too_little(monkeypatch, disturbed, parts, says):
    monkeypatch.setattr(sessions, "SELF_TEST_SECONDS", 0.0)
    anchors = Anchors(disturbed)
    found = sessions.self_test(SimpleNamespace(anchors=anchors))
    assert anchors.asked == 2 * ROUNDS * parts
    assert (found["spread"] <= 0.02) == says
