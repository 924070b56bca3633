"""Faults in models: layers, weights, running statistics and penalties."""

from dataclasses import replace
from typing import Any

import numpy as np
from faulty import Faults
from small_backend import SmallBackend

from tensorproof.backend import Implementation
from tensorproof.contract.models import composed_model
from tensorproof_reference.model import Layer, Model

FAULTS = Faults()


class Description(SmallBackend):
    """A framework that builds another model than the described."""

    def described(self, model: Model) -> Model:
        raise NotImplementedError

    def model(self, model: Model) -> Implementation:
        # Described when it runs: a fault is one of a single model, and the others are listed only.
        def function(*arguments: Any, **keywords: Any) -> Any:
            return composed_model(self, self.described(model)).function(*arguments, **keywords)

        return Implementation(function, "composed")


def layers_of(model: Model, **changed: Layer) -> Model:
    return replace(model, layers={**model.layers, **changed})


@FAULTS.framework("xor_mlp", "plain")
class ActivationLeftOut(Description):
    def described(self, model):
        return replace(model, layers={name: layer for name, layer in model.layers.items() if name != "relu"})


@FAULTS.framework("rnn_classifier", "plain")
class SoftmaxTwice(Description):
    def described(self, model):
        return layers_of(model, again=Layer(operation="softmax"))


@FAULTS.framework("feedforward", "plain")
class AnotherActivation(Description):
    def described(self, model):
        return layers_of(model, sigmoid=Layer(operation="tanh"))


@FAULTS.framework("mnist_cnn_small", "plain")
class FlattenInTheOtherOrder(Description):
    def described(self, model):
        return layers_of(model, flatten=Layer(operation="flatten", keywords={"order": "channels_first"}))


@FAULTS.framework("gru_classifier", "plain")
class ResetAfterTheProduct(Description):
    def described(self, model):
        layer = model.layers["recurrent"]
        return layers_of(model, recurrent=replace(layer, keywords={**layer.keywords, "reset": "after"}))


def normalized(momentum: float | None = None, estimate: str | None = None) -> type[Description]:
    """A framework whose batch normalization has another momentum, or another estimate of the running variance."""
    changed = {"momentum": momentum, "running_variance_estimate": estimate}
    keywords = {name: value for name, value in changed.items() if value is not None}

    class Normalized(Description):
        def described(self, model):
            norms = {name: layer for name, layer in model.layers.items() if layer.operation == "batch_norm"}
            return layers_of(model, **{name: replace(layer, keywords=keywords) for name, layer in norms.items()})

    return Normalized


@FAULTS.framework("dcgan_discriminator", "statistics")
class MomentumExchanged(normalized(momentum=0.1)):
    pass


@FAULTS.framework("dcgan_discriminator", "statistics")
class BiasedRunningVariance(normalized(estimate="biased")):
    pass


class Called(SmallBackend):
    """A framework whose model is called with other arguments, or gives other results."""

    def model(self, model: Model) -> Implementation:
        right = composed_model(self, model).function

        def function(
            x: Any,
            target: Any,
            parameters: Any,
            state: Any = None,
            *,
            training: bool = False,
            conventions: Any = (),
        ) -> Any:
            return self.called(right, x, target, parameters, state, training=training, conventions=dict(conventions))

        return Implementation(function, "composed")

    def called(self, right: Any, x: Any, target: Any, parameters: Any, state: Any, *, training: bool, **others: Any) -> Any:
        raise NotImplementedError


@FAULTS.framework("dcgan_discriminator", "statistics")
class RunningStatisticsNotUpdated(Called):
    def called(self, right, x, target, parameters, state, **others):
        y, loss, _ = right(x, target, parameters, state, **others)
        return y, loss, state


@FAULTS.framework("dcgan_discriminator", "plain")
class TrainingStatisticsAtInference(Called):
    def called(self, right, x, target, parameters, state, *, training, **others):
        y, loss, after = right(x, target, parameters, state, training=True, **others)
        return y, loss, after if training else state


@FAULTS.framework("dcgan_discriminator", "statistics")
class InferenceStatisticsInTraining(Called):
    def called(self, right, x, target, parameters, state, *, training, **others):
        return right(x, target, parameters, state, training=False, **others)


@FAULTS.framework("logistic_regression_network", "plain")
class LabelsInReverseOrder(Called):
    def called(self, right, x, target, parameters, state, **others):
        return right(x, target[::-1], parameters, state, **others)


@FAULTS.framework("softmax_regression", "plain")
class ClassesInReverseOrder(Called):
    def called(self, right, x, target, parameters, state, **others):
        return right(x, target[:, ::-1], parameters, state, **others)


@FAULTS.framework("stacked_lstm", "plain")
class RecurrentWeightsOfTheFirstLayerInTheSecond(Called):
    def called(self, right, x, target, parameters, state, **others):
        ((first,), (second,)) = parameters["lstm"]["parameters"]
        shared = [[first], [{**second, "recurrent_weights": first["recurrent_weights"]}]]
        return right(x, target, {**parameters, "lstm": {"parameters": shared}}, state, **others)


@FAULTS.framework("feedforward", "gradient")
class LossWithoutGradient(Called):
    def called(self, right, x, target, parameters, state, **others):
        y, _, after = right(x, target, parameters, state, **others)
        with self.tape():
            _, detached, _ = right(x, target, parameters, state, **others)
        return y, detached, after


@FAULTS.framework("feedforward_l2", "plain")
class PenaltyOnBiasesToo(Called):
    def called(self, right, x, target, parameters, state, **others):
        y, loss, after = right(x, target, parameters, state, **others)
        for layer in parameters.values():
            loss = loss + self.call("l2_penalty", layer["bias"], strength=0.01)
        return y, loss, after


@FAULTS.framework("lstm_classifier_small", "plain")
class ForgetGateBiasDropped(SmallBackend):
    def _replaced(self, operation, part):
        right = super()._replaced(operation, part)
        if (operation, part) != ("lstm", "function"):
            return right

        def without(*, parameters, **others):
            ((leaf,),) = parameters
            gates = np.array([[1.0], [0.0], [1.0], [1.0]], leaf["bias"].dtype)
            return right(parameters=[[{**leaf, "bias": leaf["bias"] * gates}]], **others)

        return without


@FAULTS.framework("feedforward_l1", "plain")
class PenaltyLeftOutOfTheLoss(SmallBackend):
    def call(self, operation, *first, **others):
        penalty = super().call(operation, *first, **others)
        return penalty * 0.0 if operation == "l1_penalty" else penalty


@FAULTS.framework("feedforward_l2_training", "training")
class PenaltyLeftOutOfTheGradient(SmallBackend):
    def call(self, operation, *first, **others):
        if operation != "l2_penalty":
            return super().call(operation, *first, **others)
        with self.tape():
            return super().call(operation, *first, **others)
