"""A convolutional network for CIFAR-10: see the text of ``MODEL``."""

from tensorproof_reference.model import Model
from tensorproof_reference.models._data import labels, uniform
from tensorproof_reference.networks.layers import activation, conv2d, dense, flatten, max_pool2d

MODEL = Model(
    name="cifar10_cnn",
    text="""A convolutional network for 32×32 colour images: three convolutions, three poolings, two dense layers.

    Sparse categorical cross-entropy from probabilities; Adam. Source: 000 §4.1.
    """,
    layers={
        "convolution_1": conv2d(3, 32, kernel=(3, 3)),
        "relu_1": activation("relu"),
        "pool_1": max_pool2d((2, 2)),
        "convolution_2": conv2d(32, 64, kernel=(3, 3)),
        "relu_2": activation("relu"),
        "pool_2": max_pool2d((2, 2)),
        "convolution_3": conv2d(64, 128, kernel=(3, 3)),
        "relu_3": activation("relu"),
        "pool_3": max_pool2d((2, 2)),
        "flatten": flatten("channels_last"),
        "hidden": dense(2 * 2 * 128, 512),
        "relu": activation("relu"),
        "scores": dense(512, 10),
        "softmax": activation("softmax"),
    },
    inputs=uniform(3, 32, 32),
    targets=labels(10),
    loss="sparse_categorical_cross_entropy",
    optimizer="adam",
    batch=2,
    documents=("000 §4.1",),
)
