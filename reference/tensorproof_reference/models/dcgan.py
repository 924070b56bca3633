"""The two players of a DCGAN: see the text of ``MODEL``."""

from tensorproof_reference.models._data import normal, uniform
from tensorproof_reference.models.dcgan_discriminator import MODEL as DISCRIMINATOR
from tensorproof_reference.models.dcgan_generator import MODEL as GENERATOR
from tensorproof_reference.networks.adversaries import Adversaries

MODEL = Adversaries(
    name="dcgan",
    text="""A DCGAN: a generator of images from noise, and a discriminator of real images from generated ones, in turn.

    The discriminator steps first, on the sum of its losses for real images (label 1) and generated ones (label 0); then the
    generator, on the loss of the discriminator for its images under label 1. In the text's code the labels are swapped and
    ``fake_image`` is not defined: labels are those of the definition of the game. Source: 004 §2.5, §4.4.
    """,
    generator=GENERATOR,
    discriminator=DISCRIMINATOR,
    layers={**GENERATOR.layers, **DISCRIMINATOR.layers},
    inputs=uniform(3, 32, 32),
    targets=normal(100, 1, 1),
    loss="binary_cross_entropy",
    optimizer="adam",
    optimizer_keywords=GENERATOR.optimizer_keywords,
    batch=2,
    batches={"S": 1, "M": 16, "L": 64},
    documents=("004 §2.5", "004 §4.4"),
)
