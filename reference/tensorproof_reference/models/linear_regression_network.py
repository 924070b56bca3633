"""Linear regression: see the text of ``MODEL``."""

from tensorproof_reference.model import Model
from tensorproof_reference.models._data import normal
from tensorproof_reference.networks.layers import dense

MODEL = Model(
    name="linear_regression_network",
    text="""Linear regression as a network: one dense unit, mean squared error, SGD.

    The texts write it in Keras and by hand in NumPy. Source: 001 §4.1, 004 §4.1.
    """,
    layers={"dense": dense(1, 1)},
    inputs=normal(1),
    targets=normal(1),
    loss="mean_squared_error",
    optimizer="sgd",
    optimizer_keywords={"learning_rate": 0.01},
    documents=("001 §4.1", "004 §4.1"),
)
