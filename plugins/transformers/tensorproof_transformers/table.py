"""The table of operations, and what is not asked of Transformers here."""

from tensorproof.backend import OperationTable
from tensorproof_reference.catalogue import known_operations

operations = OperationTable()

ELSEWHERE = "Transformers takes it from PyTorch, whose plugin checks it"


def declare_the_rest() -> None:
    """Say of each operation without a function why there is none."""
    for name in known_operations():
        if name not in operations.implementations:
            operations.unsupported(name, ELSEWHERE)
