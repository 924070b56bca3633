"""Operations: declared, right in value, pure, and right beside a neighbour."""

from tensorproof.conformance.checks import Judge
from tensorproof.conformance.selection.cases import Case


def test_adapter(case: Case, judge: Judge) -> None:
    """Arrays come back from the framework as they were."""
    judge(case)


def test_declared(case: Case, judge: Judge) -> None:
    """Every operation is implemented or declared unsupported."""
    judge(case)


def test_forward(case: Case, judge: Judge) -> None:
    """Outputs conform."""
    judge(case)


def test_purity(case: Case, judge: Judge) -> None:
    """Inputs stay as they were, and the same call gives the same result."""
    judge(case)


def test_fused(case: Case, judge: Judge) -> None:
    """``tanh(op(a·x))`` and its gradient conform."""
    judge(case)
