"""Embedding and LSTM: see the text of ``MODEL``."""

from tensorproof_reference.model import Model
from tensorproof_reference.models._data import indices, labels
from tensorproof_reference.networks.layers import activation, dense, embedding, recurrent

MODEL = Model(
    name="embedding_lstm",
    text="""Sequences of 20 indices, embedded, read by an LSTM of 64 units, and classified.

    Sparse categorical cross-entropy from probabilities; Adam. Source: 000 §4.2.
    """,
    layers={
        "embedding": embedding(10, 64),
        "lstm": recurrent("lstm", 64, 64),
        "scores": dense(64, 10),
        "softmax": activation("softmax"),
    },
    inputs=indices(20, 10),
    targets=labels(10),
    loss="sparse_categorical_cross_entropy",
    optimizer="adam",
    documents=("000 §4.2",),
)
