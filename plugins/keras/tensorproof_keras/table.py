"""The table of operations, and what is not asked of Keras here."""

from tensorproof.backend import OperationTable
from tensorproof_reference.registry import basic_operations

operations = OperationTable()

ELSEWHERE = "Keras has it, and the plugin of TensorFlow checks it there; this plugin leaves it out"
REASONS = {
    "optimizer": ELSEWHERE,
    "schedule": ELSEWHERE,
    "clipping": ELSEWHERE,
    "initializer": ELSEWHERE,
    "sequence": ELSEWHERE,
    "image": ELSEWHERE,
    "metric": ELSEWHERE,
}
"""Why operations of a family are unsupported, unless the plugin registers a function for one."""


def declare_the_rest() -> None:
    """Say of each operation without a function why there is none."""
    for name, operation in basic_operations().items():
        if name not in operations.implementations and operation.family in REASONS:
            operations.unsupported(name, REASONS[operation.family])
