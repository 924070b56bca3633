"""The table of operations, and what ONNX Runtime has no operator for."""

from tensorproof.backend import OperationTable
from tensorproof_reference.registry import basic_operations

operations = OperationTable()

REASONS = {
    "optimizer": "ONNX Runtime runs trained models: its inference builds have no optimizers",
    "schedule": "ONNX Runtime runs trained models: it has no learning rates",
    "clipping": "ONNX Runtime runs trained models: it has no gradients to clip",
    "initializer": "ONNX Runtime runs trained models: weights come with the model",
    "sequence": "ONNX Runtime has no pipeline of data",
    "image": "ONNX Runtime has no augmentation of images",
}
"""Why operations of a family are unsupported, unless the plugin registers a function for one."""


def declare_the_rest() -> None:
    """Say of each operation without a function why there is none."""
    for name, operation in basic_operations().items():
        if name not in operations.implementations and operation.family in REASONS:
            operations.unsupported(name, REASONS[operation.family])
