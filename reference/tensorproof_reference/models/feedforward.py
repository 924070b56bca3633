"""A feedforward network: see the text of ``MODEL``."""

from tensorproof_reference.model import Model
from tensorproof_reference.models._data import normal, one_hot
from tensorproof_reference.networks.layers import activation, dense

MODEL = Model(
    name="feedforward",
    text="""A dense network with one hidden layer of sigmoid units, and four classes.

    The text gives formulas only; the sizes are ours. Cross-entropy of probabilities; gradient descent. Source: 004 §2.2.
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
    optimizer="gradient_descent",
    optimizer_keywords={"learning_rate": 0.1},
    documents=("004 §2.2",),
)
