"""Faults in training steps and fitting: gradients, the optimizer's state, epochs and validation."""

from dataclasses import replace
from typing import Any

import numpy as np
from faulty import Faults
from small_backend import SmallBackend, Value, in_working_precision

from faults.models import Called, Description, layers_of
from tensorproof.backend import Implementation
from tensorproof.contract.models import TrainedModel, composed_fit, composed_model, composed_training_step
from tensorproof_reference import trees
from tensorproof_reference.model import Layer, Model

FAULTS = Faults()


class Gradients(SmallBackend):
    """A framework whose training steps take other gradients than those of the loss."""

    def changed(self, gradients: dict[str, Any], primals: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def value_and_vjp(self, function: Any, mode: str) -> Any:
        right = super().value_and_vjp(function, mode)
        if not isinstance(function, TrainedModel):
            return right

        def run(primals: Any, constants: Any, cotangents: Any) -> Any:
            outputs, others, gradients = right(primals, constants, cotangents)
            paths = function.primal_paths
            by_path = self.changed(dict(zip(paths, gradients, strict=True)), dict(zip(paths, primals, strict=True)))
            return outputs, others, tuple(by_path.values())

        return run


def scaled(gradients: dict[str, Any], factor: float, part: str = "") -> dict[str, Any]:
    """The gradients with those whose path contains ``part`` multiplied."""
    return {path: gradient * factor if part in path else gradient for path, gradient in gradients.items()}


@FAULTS.framework("feedforward_training", "training")
class GradientOfOneBiasDropped(Gradients):
    def changed(self, gradients, primals):
        return scaled(gradients, 0.0, "scores.bias")


@FAULTS.framework("feedforward_training", "training")
class FirstLayerFrozen(Gradients):
    def changed(self, gradients, primals):
        return scaled(gradients, 0.0, "hidden.")


@FAULTS.framework("feedforward_training", "training")
class LossSummedOverTheBatch(Gradients):
    def changed(self, gradients, primals):
        return scaled(gradients, 4.0)


@FAULTS.framework("lstm_classifier_small_training", "training")
class OneGateWithoutGradient(Gradients):
    def changed(self, gradients, primals):
        path = "parameters.lstm.parameters.0.0.bias"
        array = in_working_precision(gradients[path]).copy()
        array[1] = 0.0
        return {**gradients, path: self.wrap(array, gradients[path].dtype)}


@FAULTS.framework("linear_regression_network_training", "training")
class GradientsAccumulateOverSteps(Gradients):
    def changed(self, gradients, primals):
        before = self.__dict__.get("before", {})
        self.before = {path: gradient + before[path] if before else gradient for path, gradient in gradients.items()}
        return self.before


@FAULTS.framework("rnn_classifier_training", "training")
class GradientsOfTheStepBefore(Gradients):
    def changed(self, gradients, primals):
        before, self.before = self.__dict__.get("before", gradients), gradients
        return before


@FAULTS.framework("softmax_regression_training", "training")
class GradientsClippedToAHundredth(Gradients):
    def changed(self, gradients, primals):
        clipped = {path: np.clip(gradient.array, -0.01, 0.01) for path, gradient in gradients.items()}
        return {path: self.wrap(array, gradients[path].dtype) for path, array in clipped.items()}


class Step(SmallBackend):
    """A framework whose training step is called with other arguments, or gives other results."""

    def training_step(self, model: Model) -> Implementation:
        right = composed_training_step(self, self.optimized(model)).function

        def function(
            x: Any, target: Any, parameters: Any, state: Any = None, slots: Any = None, taken: Any = 0, **others: Any
        ) -> Any:
            return self.stepped(right, x, target, parameters, state, slots, taken, **others)

        return Implementation(function, "composed")

    def optimized(self, model: Model) -> Model:
        """The model with the optimizer that the framework takes."""
        return model

    def stepped(self, right: Any, x: Any, target: Any, parameters: Any, state: Any, slots: Any, taken: Any, **others: Any) -> Any:
        return right(x, target, parameters, state, slots, taken, **others)


def zeros(slots: Any) -> Any:
    return trees.replace_leaves(slots, lambda path, leaf: leaf * 0.0)


@FAULTS.framework("xor_mlp_training", "training")
class VelocityNotKept(Step):
    def stepped(self, right, x, target, parameters, state, slots, taken, **others):
        return right(x, target, parameters, state, zeros(slots), taken, **others)


@FAULTS.framework("gru_classifier_training", "training")
class SecondMomentNotKept(Step):
    def stepped(self, right, x, target, parameters, state, slots, taken, **others):
        _, second = slots
        return right(x, target, parameters, state, {**slots, second: zeros(slots[second])}, taken, **others)


@FAULTS.framework("lstm_classifier_small_training", "training")
class StepsTakenStayAtZero(Step):
    def stepped(self, right, x, target, parameters, state, slots, taken, **others):
        return right(x, target, parameters, state, slots, self.from_numpy(np.asarray(0), "int64", "cpu"), **others)


@FAULTS.framework("rnn_classifier_training", "training")
class StepsCountedFromOne(Step):
    def stepped(self, right, x, target, parameters, state, slots, taken, **others):
        return right(x, target, parameters, state, slots, self.from_numpy(taken.array + 1, "int64", "cpu"), **others)


@FAULTS.framework("feedforward_weight_decay_training", "training")
class DecayInTheGradient(Step, Gradients):
    def optimized(self, model):
        keywords = {name: value for name, value in model.optimizer_keywords.items() if name != "weight_decay"}
        return replace(model, optimizer="adam", optimizer_keywords=keywords)

    def changed(self, gradients, primals):
        return {path: gradient + primals[path] * 0.1 for path, gradient in gradients.items()}


@FAULTS.framework("xor_mlp_training", "training")
class LearningRateOfAnotherStep(Step):
    """It halves after the tenth step, where it is to stay."""

    def stepped(self, right, x, target, parameters, state, slots, taken, **others):
        loss, after, *rest = right(x, target, parameters, state, slots, taken, **others)
        if taken.array >= 10:
            leaves = dict(trees.leaves(parameters))
            after = trees.replace_leaves(after, lambda path, leaf: leaf * 0.5 + leaves[path] * 0.5)
        return loss, after, *rest


@FAULTS.framework("linear_regression_network_training", "training")
class LossAfterTheStep(Step):
    def stepped(self, right, x, target, parameters, state, slots, taken, **others):
        _, after, *rest = right(x, target, parameters, state, slots, taken, **others)
        loss, *_ = right(x, target, after, state, slots, taken, **others)
        return loss, after, *rest


@FAULTS.framework("logistic_regression_network_training", "training")
class StepBackwards(Step):
    def stepped(self, right, x, target, parameters, state, slots, taken, **others):
        loss, after, *rest = right(x, target, parameters, state, slots, taken, **others)
        leaves = dict(trees.leaves(parameters))
        return loss, trees.replace_leaves(after, lambda path, leaf: leaves[path] * 2.0 + leaf * -1.0), *rest


class Fit(Step):
    """A framework that fits with other data or other settings than it is given, or gives other results."""

    def fit(self, model: Model) -> Implementation:
        right = composed_fit(self, model).function

        def function(
            x: Any, target: Any, validation_x: Any, validation_target: Any, parameters: Any, state: Any = None, **settings: Any
        ) -> Any:
            self.fitting, self.examples, self.settings = model, len(x.array), settings
            return self.fitted(right, (x, target), (validation_x, validation_target), parameters, state, **settings)

        return Implementation(function, "composed")

    def fitted(self, right: Any, data: Any, validation: Any, parameters: Any, state: Any, **settings: Any) -> Any:
        return right(*data, *validation, parameters, state, **settings)

    @property
    def batches(self) -> int:
        """The number of an epoch's batches."""
        return int(self.examples // self.settings.get("batch", 10))


class Ordered(Fit):
    """A framework whose epochs go through the batches in another order."""

    def order(self, batches: list[int]) -> list[int]:
        raise NotImplementedError

    def fitted(self, right, data, validation, parameters, state, **settings):
        batch = settings.get("batch", 10)
        order = [index * batch + item for index in self.order(list(range(self.batches))) for item in range(batch)]
        return right(*(part[order] for part in data), *validation, parameters, state, **settings)


@FAULTS.framework("feedforward_fitting", "fitting")
class LastBatchSkipped(Ordered):
    def order(self, batches):
        return batches[:-1]


@FAULTS.framework("feedforward_fitting", "fitting")
class BatchesInReverseOrder(Ordered):
    def order(self, batches):
        return batches[::-1]


@FAULTS.framework("softmax_regression_fitting", "fitting")
class ShuffleRepeatsOneBatch(Ordered):
    def order(self, batches):
        return [batches[0], batches[0], *batches[2:]]


@FAULTS.framework("softmax_regression_fitting", "fitting")
class LabelsNotShuffledWithTheInputs(Fit):
    def fitted(self, right, data, validation, parameters, state, **settings):
        return right(data[0][::-1], data[1], *validation, parameters, state, **settings)


@FAULTS.framework("rnn_classifier_fitting", "fitting")
class ValidationOnTheTrainingData(Fit):
    def fitted(self, right, data, validation, parameters, state, **settings):
        count = len(validation[0].array)
        return right(*data, *(part[:count] for part in data), parameters, state, **settings)


@FAULTS.framework("linear_regression_network_fitting", "fitting")
class OneEpochTooMany(Fit):
    def fitted(self, right, data, validation, parameters, state, *, epochs=2, **settings):
        return right(*data, *validation, parameters, state, epochs=epochs + 1, **settings)


@FAULTS.framework("feedforward_l2_fitting", "fitting")
class BatchesOfTwiceTheSize(Fit):
    def fitted(self, right, data, validation, parameters, state, *, batch=10, **settings):
        return right(*data, *validation, parameters, state, batch=2 * batch, **settings)


@FAULTS.framework("feedforward_early_stopping_fitting", "fitting")
class PatienceOffByOne(Fit):
    def fitted(self, right, data, validation, parameters, state, *, patience=None, **settings):
        return right(*data, *validation, parameters, state, patience=patience + 1, **settings)


@FAULTS.framework("feedforward_early_stopping_fitting", "fitting")
class PatienceIgnored(Fit):
    def fitted(self, right, data, validation, parameters, state, *, patience=None, **settings):
        return right(*data, *validation, parameters, state, **settings)


class Noting(Fit):
    """A framework that notes each step's loss."""

    def fitted(self, right, data, validation, parameters, state, **settings):
        self.losses = []
        history, y = right(*data, *validation, parameters, state, **settings)
        return self.told(history, np.reshape(self.losses, (-1, self.batches))), y

    def stepped(self, right, *arguments, **others):
        results = right(*arguments, **others)
        self.losses.append(float(results[0].array))
        return results

    def like(self, value: Value, numbers: Any) -> Value:
        return Value(np.asarray(numbers, value.array.dtype), value.dtype, "cpu", self)

    def told(self, history: Any, losses: Any) -> Any:
        raise NotImplementedError


@FAULTS.framework("feedforward_weight_decay_fitting", "fitting")
class LossOfTheLastBatchForTheEpochs(Noting):
    def told(self, history, losses):
        return {**history, "loss": self.like(history["loss"], losses[:, -1])}


@FAULTS.framework("lstm_classifier_small_fitting", "fitting")
class LossAveragedOverAllEpochsSoFar(Noting):
    def told(self, history, losses):
        return {**history, "loss": self.like(history["loss"], [np.mean(losses[: epoch + 1]) for epoch in range(len(losses))])}


@FAULTS.framework("feedforward_fitting", "fitting")
class PredictionsByTheInitialWeights(Fit):
    def fitted(self, right, data, validation, parameters, state, **settings):
        history, _ = right(*data, *validation, parameters, state, **settings)
        y, _, _ = composed_model(self, self.fitting).function(*validation, parameters, state)
        return history, y


@FAULTS.framework("logistic_regression_network_fitting", "fitting")
class ValidationBeforeTheEpoch(Fit, Called):
    """Parameters are kept from the end of the epoch before."""

    def fitted(self, right, data, validation, parameters, state, **settings):
        self.before = parameters
        return right(*data, *validation, parameters, state, **settings)

    def called(self, right, x, target, parameters, state, *, training, **others):
        if not training:
            parameters, self.before = self.before, parameters
        return right(x, target, parameters, state, training=training, **others)


@FAULTS.framework("xor_mlp_fitting", "fitting")
class OptimizerStateNotCarriedBetweenEpochs(Fit):
    def stepped(self, right, x, target, parameters, state, slots, taken, **others):
        slots = slots if taken.array % self.batches else zeros(slots)
        return right(x, target, parameters, state, slots, taken, **others)


@FAULTS.framework("gru_classifier_fitting", "fitting")
class WeightsStartAnewInEveryEpoch(Fit):
    def stepped(self, right, x, target, parameters, state, slots, taken, **others):
        if taken.array == 0:
            self.initial = parameters
        parameters = parameters if taken.array % self.batches else self.initial
        return right(x, target, parameters, state, slots, taken, **others)


@FAULTS.framework("rnn_classifier_fitting", "fitting")
class AccuracyOfTheValidationDataTwice(Fit):
    def fitted(self, right, data, validation, parameters, state, **settings):
        history, y = right(*data, *validation, parameters, state, **settings)
        return {**history, "accuracy": history["validation_accuracy"]}, y


@FAULTS.framework("feedforward_dropout_training", "training")
class DropoutLeftOutOfTraining(Description):
    def described(self, model):
        return layers_of(model, dropout=Layer(operation="dropout", keywords={"rate": 0.0}))


@FAULTS.framework("feedforward_dropout_training", "training")
class DropoutOfAnotherRate(Description):
    def described(self, model):
        return layers_of(model, dropout=Layer(operation="dropout", keywords={"rate": 0.25}))
