"""The discriminator of a DCGAN: see the text of ``MODEL``."""

from tensorproof_reference.model import Model
from tensorproof_reference.models._data import binary, uniform
from tensorproof_reference.networks.layers import activation, batch_norm, conv2d, flatten

MODEL = Model(
    name="dcgan_discriminator",
    text="""From a 32×32 colour image to the probability that it is a real one, by convolutions and batch normalization.

    Binary cross-entropy; Adam. Source: 004 §4.4.
    """,
    layers={
        "convolution_1": conv2d(3, 64, kernel=(4, 4), stride=(2, 2), padding=((1, 1), (1, 1))),
        "leaky_relu_1": activation("leaky_relu", negative_slope=0.2),
        "convolution_2": conv2d(64, 128, kernel=(4, 4), stride=(2, 2), padding=((1, 1), (1, 1))),
        "normalization_2": batch_norm(128),
        "leaky_relu_2": activation("leaky_relu", negative_slope=0.2),
        "convolution_3": conv2d(128, 256, kernel=(4, 4), stride=(2, 2), padding=((1, 1), (1, 1))),
        "normalization_3": batch_norm(256),
        "leaky_relu_3": activation("leaky_relu", negative_slope=0.2),
        "convolution_4": conv2d(256, 1, kernel=(4, 4)),
        "sigmoid": activation("sigmoid"),
        "flatten": flatten("channels_last"),
    },
    inputs=uniform(3, 32, 32),
    targets=binary(),
    loss="binary_cross_entropy",
    optimizer="adam",
    optimizer_keywords={"learning_rate": 2e-4, "beta1": 0.5},
    batch=2,
    fit={"epochs": 1, "batch": 20},
    batches={"S": 1, "M": 16, "L": 64},
    documents=("004 §4.4",),
)
