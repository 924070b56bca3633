"""The groups of operations that people read: the folders of the specification, in order, with their headings."""

from tensorproof_reference.operation import Operation

GROUPS = {
    "operations": "Operations",
    "losses": "Losses",
    "optimizers": "Optimizers, schedules and clipping",
    "data": "Data preparation and accuracy",
    "initializers": "Initialisers and random operations",
    "primitives": "Functions of one and two numbers",
    "reductions": "Reductions",
    "arrays": "Shapes, places and order",
    "activations": "Activations",
    "windows": "Convolution and pooling",
    "images": "Images",
    "normalizations": "Normalizations",
    "attention": "Attention",
    "sequences": "Sequences of several lengths",
    "blocks": "Blocks and small networks",
    "metrics": "Metrics",
    "mixed": "Several dtypes in one call",
    "models": "Models, training and fitting",
}
OTHER = "other"
"""The group of operations from outside."""


def group_of(operation: Operation) -> str:
    """The group of an operation: its folder; ``models`` for all that is made of a model, ``other`` for one from outside."""
    if operation.model is not None:
        return "models"
    package, folder, *_ = [*operation.function.__module__.split("."), ""]
    return folder if package == "tensorproof_reference" else OTHER
