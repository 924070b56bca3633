"""A feedforward network stopped early: see the text of ``MODEL``."""

from tensorproof_reference.model import Model
from tensorproof_reference.models._data import normal, one_hot
from tensorproof_reference.networks.layers import activation, dense

MODEL = Model(
    name="feedforward_early_stopping",
    text="""A dense network whose fitting stops when the validation loss has not improved for two epochs.

    Its learning rate is so large that this happens soon. Source: 000 §6; the network is ``feedforward``.
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
    optimizer_keywords={"learning_rate": 4.0},
    fit={"epochs": 12, "batch": 20, "patience": 2},
    documents=("000 §6",),
)
