"""An LSTM over ten time steps: see the text of ``MODEL``."""

from tensorproof_reference.model import Model
from tensorproof_reference.models._data import normal, one_hot
from tensorproof_reference.networks.layers import activation, dense, recurrent

MODEL = Model(
    name="lstm_regressor",
    text="""An LSTM of 50 units over ten time steps of three features, and three classes.

    Categorical cross-entropy; Adam; batches of 10. Source: 004 §4.3.
    """,
    layers={
        "lstm": recurrent("lstm", 3, 50),
        "scores": dense(50, 3),
        "softmax": activation("softmax"),
    },
    inputs=normal(10, 3),
    targets=one_hot(3),
    loss="categorical_cross_entropy",
    optimizer="adam",
    batch=10,
    batches={"S": 1, "M": 10, "L": 40},
    documents=("004 §4.3",),
)
