"""Training runs of models; their outputs and gradients are checked as those of operations are."""

from tensorproof.conformance.checks import Judge
from tensorproof.conformance.selection.cases import Case


def test_training(case: Case, judge: Judge) -> None:
    """Every step of a training run conforms."""
    judge(case)


def test_fitting(case: Case, judge: Judge) -> None:
    """A whole run on real data conforms: history, accuracy, stopping and predictions."""
    judge(case)
