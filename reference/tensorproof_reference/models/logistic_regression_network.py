"""Logistic regression: see the text of ``MODEL``."""

from tensorproof_reference.model import Model
from tensorproof_reference.models._data import binary, normal
from tensorproof_reference.networks.layers import activation, dense

MODEL = Model(
    name="logistic_regression_network",
    text="""Logistic regression as a network: one dense unit with a sigmoid, binary cross-entropy, SGD.

    Source: 001 §4.2.
    """,
    layers={"dense": dense(1, 1), "sigmoid": activation("sigmoid")},
    inputs=normal(1),
    targets=binary(),
    loss="binary_cross_entropy",
    optimizer="sgd",
    optimizer_keywords={"learning_rate": 0.01},
    documents=("001 §4.2",),
)
