"""The generator of a DCGAN: see the text of ``MODEL``."""

from tensorproof_reference.model import Model
from tensorproof_reference.models._data import normal, uniform
from tensorproof_reference.networks.layers import activation, batch_norm, conv2d_transpose

MODEL = Model(
    name="dcgan_generator",
    text="""From 100 random numbers to a 32×32 colour image, by transposed convolutions and batch normalization.

    Alone it learns here to meet given images, by mean squared error; against its discriminator it learns in ``dcgan``. Source:
    004 §4.4.
    """,
    layers={
        "transpose_1": conv2d_transpose(100, 256, kernel=(4, 4)),
        "norm_1": batch_norm(256),
        "relu_1": activation("relu"),
        "transpose_2": conv2d_transpose(256, 128, kernel=(4, 4), stride=(2, 2), padding=((1, 1), (1, 1))),
        "norm_2": batch_norm(128),
        "relu_2": activation("relu"),
        "transpose_3": conv2d_transpose(128, 64, kernel=(4, 4), stride=(2, 2), padding=((1, 1), (1, 1))),
        "norm_3": batch_norm(64),
        "relu_3": activation("relu"),
        "transpose_4": conv2d_transpose(64, 3, kernel=(4, 4), stride=(2, 2), padding=((1, 1), (1, 1))),
        "tanh": activation("tanh"),
    },
    inputs=normal(100, 1, 1),
    targets=uniform(3, 32, 32),
    loss="mean_squared_error",
    optimizer="adam",
    optimizer_keywords={"learning_rate": 2e-4, "beta1": 0.5},
    batch=2,
    fit={"epochs": 1, "batch": 20},
    batches={"S": 1, "M": 16, "L": 64},
    documents=("004 §4.4",),
)
