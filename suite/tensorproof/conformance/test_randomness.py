"""Random operations as distributions."""

from tensorproof.conformance.cases import Case
from tensorproof.conformance.checks import Judge


def test_randomness(case: Case, judge: Judge) -> None:
    """Draws are distributed as documented, independent, and repeat from a seed."""
    judge(case)
