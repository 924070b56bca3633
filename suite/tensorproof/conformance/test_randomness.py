"""Random operations as distributions."""

from tensorproof.conformance.checks import Judge
from tensorproof.conformance.selection.cases import Case


def test_randomness(case: Case, judge: Judge) -> None:
    """Draws are distributed as documented, independent, and repeat from a seed."""
    judge(case)
