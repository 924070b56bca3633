"""A convolutional network for MNIST: see the text of ``MODEL``."""

from tensorproof_reference.model import Model
from tensorproof_reference.models._data import labels, uniform
from tensorproof_reference.networks.layers import activation, conv2d, dense, flatten, max_pool2d

MODEL = Model(
    name="mnist_cnn",
    text="""A convolutional network for 28×28 digits: two convolutions, two poolings, two dense layers.

    Sparse categorical cross-entropy from probabilities; Adam. Source: 004 §4.2.
    """,
    layers={
        "convolution_1": conv2d(1, 32, kernel=(3, 3)),
        "relu_1": activation("relu"),
        "pool_1": max_pool2d((2, 2)),
        "convolution_2": conv2d(32, 64, kernel=(3, 3)),
        "relu_2": activation("relu"),
        "pool_2": max_pool2d((2, 2)),
        "flatten": flatten("channels_last"),
        "hidden": dense(5 * 5 * 64, 128),
        "relu": activation("relu"),
        "scores": dense(128, 10),
        "softmax": activation("softmax"),
    },
    inputs=uniform(1, 28, 28),
    targets=labels(10),
    loss="sparse_categorical_cross_entropy",
    optimizer="adam",
    batch=2,
    batches={"S": 1, "M": 64, "L": 256},
    documents=("004 §4.2",),
)
