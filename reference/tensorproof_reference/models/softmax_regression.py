"""Softmax regression: see the text of ``MODEL``."""

from tensorproof_reference.model import Model
from tensorproof_reference.models._data import normal, one_hot
from tensorproof_reference.networks.layers import activation, dense

MODEL = Model(
    name="softmax_regression",
    text="""Softmax regression as a network: three dense units with a softmax, categorical cross-entropy, SGD.

    The text gives integer labels to the loss for one-hot labels, and no softmax although the loss takes probabilities: here
    labels are one-hot and the softmax is a layer, as is evidently meant. Source: 001 §4.3.
    """,
    layers={"dense": dense(2, 3), "softmax": activation("softmax")},
    inputs=normal(2),
    targets=one_hot(3),
    loss="categorical_cross_entropy",
    optimizer="sgd",
    optimizer_keywords={"learning_rate": 0.01},
    documents=("001 §4.3",),
)
