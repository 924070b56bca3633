"""A feedforward network with weight decay: see the text of ``MODEL``."""

from tensorproof_reference.model import Model
from tensorproof_reference.models._data import normal, one_hot
from tensorproof_reference.networks.layers import activation, dense

MODEL = Model(
    name="feedforward_weight_decay",
    text="""A dense network whose optimizer shrinks all weights, biases too, beside each step.

    Adam with decoupled weight decay. Source: Loshchilov & Hutter (2019); 000 §6; the network is ``feedforward``.
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
    optimizer="adamw",
    optimizer_keywords={"learning_rate": 0.01, "weight_decay": 0.1},
    documents=("000 §6",),
)
