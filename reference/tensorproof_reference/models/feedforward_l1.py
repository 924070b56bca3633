"""A feedforward network with an L1 penalty: see the text of ``MODEL``."""

from tensorproof_reference.model import Model
from tensorproof_reference.models._data import normal, one_hot
from tensorproof_reference.networks.layers import activation, dense

MODEL = Model(
    name="feedforward_l1",
    text="""A dense network whose loss has an L1 penalty of its weights, and not of its biases.

    Against over-fitting. Source: 000 §6; the network is ``feedforward``.
    """,
    layers={
        "hidden": dense(5, 8),
        "sigmoid": activation("sigmoid"),
        "scores": dense(8, 4),
        "softmax": activation("softmax"),
    },
    inputs=normal(5),
    targets=one_hot(4),
    loss="categorical_cross_entropy",
    penalties={"l1_penalty": 0.01},
    optimizer="gradient_descent",
    optimizer_keywords={"learning_rate": 0.1},
    documents=("000 §6",),
)
