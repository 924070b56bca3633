"""A small convolutional network for MNIST: see the text of ``MODEL``."""

from tensorproof_reference.model import Model
from tensorproof_reference.models._data import labels, uniform
from tensorproof_reference.networks.layers import activation, conv2d, dense, flatten, max_pool2d

MODEL = Model(
    name="mnist_cnn_small",
    text="""A small convolutional network for 28×28 digits: one convolution, one pooling, two dense layers.

    Sparse categorical cross-entropy from probabilities; Adam. Source: 003 §4.1.
    """,
    layers={
        "convolution_1": conv2d(1, 32, kernel=(3, 3)),
        "relu_1": activation("relu"),
        "pool_1": max_pool2d((2, 2)),
        "flatten": flatten("channels_last"),
        "hidden": dense(13 * 13 * 32, 128),
        "relu": activation("relu"),
        "scores": dense(128, 10),
        "softmax": activation("softmax"),
    },
    inputs=uniform(1, 28, 28),
    targets=labels(10),
    loss="sparse_categorical_cross_entropy",
    optimizer="adam",
    batch=2,
    documents=("003 §4.1",),
)
