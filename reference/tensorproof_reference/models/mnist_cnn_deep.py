"""A deeper convolutional network for MNIST: see the text of ``MODEL``."""

from tensorproof_reference.model import Model
from tensorproof_reference.models._data import labels, uniform
from tensorproof_reference.networks.layers import activation, conv2d, dense, flatten, max_pool2d

MODEL = Model(
    name="mnist_cnn_deep",
    text="""A deeper convolutional network for 28×28 digits: three convolutions, two poolings, two dense layers.

    The text ends in a softmax and yet tells the loss that it gets logits: the loss takes the softmax of a softmax. It is kept
    as documented, since it trains, only more slowly. Source: 001 §4.4.
    """,
    layers={
        "convolution_1": conv2d(1, 32, kernel=(3, 3)),
        "relu_1": activation("relu"),
        "pool_1": max_pool2d((2, 2)),
        "convolution_2": conv2d(32, 64, kernel=(3, 3)),
        "relu_2": activation("relu"),
        "pool_2": max_pool2d((2, 2)),
        "convolution_3": conv2d(64, 64, kernel=(3, 3)),
        "relu_3": activation("relu"),
        "flatten": flatten("channels_last"),
        "hidden": dense(3 * 3 * 64, 64),
        "relu": activation("relu"),
        "scores": dense(64, 10),
        "softmax": activation("softmax"),
    },
    inputs=uniform(1, 28, 28),
    targets=labels(10),
    loss="softmax_cross_entropy",
    optimizer="adam",
    batch=2,
    documents=("001 §4.4",),
)
