"""The table of operations, and what is not asked of Keras here."""

from tensorproof.backend import OperationTable
from tensorproof_reference.registry import basic_operations

operations = OperationTable()

ELSEWHERE = "Keras has it, and the plugin of TensorFlow checks it there; this plugin leaves it out"
FAMILIES = ("optimizer", "schedule", "clipping", "initializer", "sequence", "image", "metric")
"""The families of operations that are left out, unless the plugin registers a function for one."""


def declare_the_rest() -> None:
    """Say of each operation without a function why there is none."""
    for name, operation in basic_operations().items():
        if name not in operations.implementations and operation.family in FAMILIES:
            operations.unsupported(name, ELSEWHERE)
