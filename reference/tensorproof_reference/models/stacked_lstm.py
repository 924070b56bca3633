"""A stacked LSTM: see the text of ``MODEL``."""

from tensorproof_reference.model import Model
from tensorproof_reference.models._data import labels, normal
from tensorproof_reference.networks.layers import dense, recurrent

MODEL = Model(
    name="stacked_lstm",
    text="""Two layers of LSTM with 256 units, whose last time step is classified by a dense layer.

    In the text PyTorch's LSTM has two trainable bias vectors, which learn twice as fast as one: so it is here. Initial states are
    zero. Cross-entropy from logits; Adam. Source: 003 §4.2.
    """,
    layers={
        "lstm": recurrent("lstm", 100, 256, layers=2, biases=2),
        "scores": dense(256, 10),
    },
    inputs=normal(7, 100),
    targets=labels(10),
    loss="softmax_cross_entropy",
    optimizer="adam",
    documents=("003 §4.2",),
)
