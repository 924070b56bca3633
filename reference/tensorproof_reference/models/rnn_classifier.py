"""A simple recurrent classifier: see the text of ``MODEL``."""

from tensorproof_reference.model import Model
from tensorproof_reference.models._data import normal, one_hot
from tensorproof_reference.networks.layers import activation, dense, recurrent

MODEL = Model(
    name="rnn_classifier",
    text="""A simple recurrent classifier: 6 units over five time steps of three features, and four classes.

    The text gives formulas only; the sizes are ours. Cross-entropy of probabilities; Adam. Source: 004 §2.3.
    """,
    layers={
        "recurrent": recurrent("simple_rnn", 3, 6),
        "scores": dense(6, 4),
        "softmax": activation("softmax"),
    },
    inputs=normal(5, 3),
    targets=one_hot(4),
    loss="categorical_cross_entropy",
    optimizer="adam",
    documents=("004 §2.3",),
)
