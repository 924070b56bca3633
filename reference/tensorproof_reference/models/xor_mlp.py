"""A network for exclusive or: see the text of ``MODEL``."""

from tensorproof_reference.model import Model
from tensorproof_reference.models._data import binary, bits
from tensorproof_reference.networks.layers import activation, dense

MODEL = Model(
    name="xor_mlp",
    text="""A network with two hidden units for exclusive or, one example at a time.

    Binary cross-entropy; SGD with momentum. Source: 002 §4.
    """,
    layers={
        "hidden": dense(2, 2),
        "relu": activation("relu"),
        "scores": dense(2, 1),
        "sigmoid": activation("sigmoid"),
    },
    inputs=bits(2),
    targets=binary(),
    loss="binary_cross_entropy",
    optimizer="momentum",
    optimizer_keywords={"learning_rate": 0.1, "coefficient": 0.9},
    fit={"epochs": 3, "batch": 1},
    batches={"S": 1, "M": 4, "L": 16},
    documents=("002 §4",),
)
