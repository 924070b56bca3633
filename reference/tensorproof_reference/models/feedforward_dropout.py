"""A feedforward network with dropout: see the text of ``MODEL``."""

from tensorproof_reference.model import Model
from tensorproof_reference.models._data import normal, one_hot
from tensorproof_reference.networks.layers import activation, dense, dropout

MODEL = Model(
    name="feedforward_dropout",
    text="""A dense network with dropout in front of its last layer, one example at a time.

    Against over-fitting. What a step drew shows in the last layer's weights: those of a dropped unit stay as they are. Told that,
    the reference says all the rest. Source: 000 §6; the network is ``feedforward``.
    """,
    layers={
        "hidden": dense(5, 8),
        "sigmoid": activation("sigmoid"),
        "dropout": dropout(0.5),
        "scores": dense(8, 4),
        "softmax": activation("softmax"),
    },
    inputs=normal(5),
    targets=one_hot(4),
    loss="categorical_cross_entropy",
    optimizer="gradient_descent",
    optimizer_keywords={"learning_rate": 0.1},
    batch=1,
    documents=("000 §6",),
)
