"""A small LSTM classifier: see the text of ``MODEL``."""

from tensorproof_reference.model import Model
from tensorproof_reference.models._data import normal, one_hot
from tensorproof_reference.networks.layers import activation, dense, recurrent

MODEL = Model(
    name="lstm_classifier_small",
    text="""An LSTM of 3 units over two time steps of one feature, and two classes.

    The text gives the LSTM a table without a time axis, which it refuses: here the two columns are two time steps, of shape
    (3, 2, 1) as is evidently meant. Categorical cross-entropy; Adam. Source: 001 §4.5.
    """,
    layers={
        "lstm": recurrent("lstm", 1, 3),
        "scores": dense(3, 2),
        "softmax": activation("softmax"),
    },
    inputs=normal(2, 1),
    targets=one_hot(2),
    loss="categorical_cross_entropy",
    optimizer="adam",
    batch=3,
    documents=("001 §4.5",),
)
