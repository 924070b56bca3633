"""Vector-Jacobian products with random cotangents."""

from tensorproof.conformance.checks import Judge
from tensorproof.conformance.selection.cases import Case


def test_gradient(case: Case, judge: Judge) -> None:
    """The gradient to every differentiable input conforms."""
    judge(case)


def test_subset(case: Case, judge: Judge) -> None:
    """So does the gradient to each input alone."""
    judge(case)
