"""Optimizers of ``torch.optim``."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

import torch

from tensorproof.backend import Forward, Function, Native, Unsupported
from tensorproof_torch.table import operations

Natives = Sequence[Native]
Rate = float | Sequence[float]
Step = Callable[[], None]

SPECIFIC = {
    "gradient_descent": torch.optim.SGD,
    "sgd": torch.optim.SGD,
    "momentum": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "mixed_adamw": torch.optim.AdamW,
    "master_adamw": torch.optim.AdamW,
    "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta,
    "nadam": torch.optim.NAdam,
    "adamax": torch.optim.Adamax,
    "radam": torch.optim.RAdam,
    "rprop": torch.optim.Rprop,
    "adafactor": torch.optim.Adafactor,
    "muon": torch.optim.Muon,
}
WORDS = {
    "lr": "learning_rate",
    "eps": "epsilon",
    "alpha": "rho",
    "initial_accumulator_value": "initial_accumulator",
}


def optimizer_defaults() -> dict[str, dict[str, Any]]:
    """The defaults of each optimizer's numbers, as its constructor has them, by the names of the specification."""
    found: dict[str, dict[str, Any]] = {}
    for name, kind in SPECIFIC.items():
        defaults = {item.name: item.default for item in inspect.signature(kind).parameters.values()}
        betas = defaults.pop("betas", None)
        numbers = {WORDS.get(key, key): value for key, value in defaults.items() if isinstance(value, int | float)}
        numbers |= dict(zip(("beta1", "beta2"), betas, strict=True)) if betas else {}
        found[name] = {key: float(value) for key, value in numbers.items() if not isinstance(value, bool)}
    return found


OPTIMIZER_DEFAULTS = optimizer_defaults()


class Living:
    """An optimizer that lives on from call to call, since its compiled step is of this very object."""

    def __init__(self, compiled: Callable[[Step], Step]) -> None:
        self.compiled = compiled
        self.optimizer: torch.optim.Optimizer | None = None
        self.step: Step


_living: ContextVar[Living | None] = ContextVar("living", default=None)


def with_compiled_step(function: Function, compiled: Callable[[Step], Step]) -> Forward:
    """The function of an optimizer, whose ``step`` is compiled as users do it: outside of the compiled code lives the optimizer.

    Compiled as a whole, the function would make a new optimizer in each call, for which Dynamo compiles anew.
    """
    living = Living(compiled)

    def call(primals: Sequence[Native], constants: Sequence[Native]) -> Any:
        token = _living.set(living)
        try:
            return function(primals, constants)
        finally:
            _living.reset(token)

    return call


def _optimizer(
    kind: Callable[..., torch.optim.Optimizer], parameters: Natives, learning_rate: Rate, options: Mapping[str, Any], starts: bool
) -> tuple[torch.optim.Optimizer, list[Native], Step]:
    """An optimizer of copies of the parameters, these copies, and its step: new ones, unless one lives and its state is given."""
    living = _living.get()
    copies = [parameter.clone() for parameter in parameters]
    if living is not None and living.optimizer is not None and not starts:
        leaves = [leaf for group in living.optimizer.param_groups for leaf in group["params"]]
        for leaf, copy in zip(leaves, copies, strict=True):
            leaf.data = copy
        return living.optimizer, leaves, living.step
    leaves = [torch.nn.Parameter(copy) for copy in copies]
    if isinstance(learning_rate, float | int):
        optimizer = kind(leaves, lr=learning_rate, **options)
    else:
        groups = [{"params": [leaf], "lr": rate} for leaf, rate in zip(leaves, learning_rate, strict=True)]
        optimizer = kind(groups, **options)
    if living is None:
        return optimizer, leaves, optimizer.step
    living.optimizer, living.step = optimizer, living.compiled(optimizer.step)
    return optimizer, leaves, living.step


def optimizer_steps(
    kind: Callable[..., torch.optim.Optimizer],
    parameters: Natives,
    gradients: Sequence[Sequence[Native | None]],
    slots: Mapping[str, Natives | None],
    learning_rate: Rate,
    others: Callable[[], Mapping[str, Native]] | None = None,
    **options: Any,
) -> tuple[list[Native], ...]:
    """The parameters and the ``slots`` of state after the steps; those that the optimizer does not have yet are zero.

    State is put in place where any is given, together with the ``others`` that go with it; otherwise the optimizer starts
    its own. Gradients are handed over as they are; parameters and state are copied, for ``step`` changes them in place.
    """
    starts = bool(slots) and all(given is None for given in slots.values())
    optimizer, leaves, step = _optimizer(kind, parameters, learning_rate, options, starts)
    if slots and not starts:
        for index, leaf in enumerate(leaves):
            state = {
                name: torch.zeros_like(parameters[index]) if given is None else given[index].clone()
                for name, given in slots.items()
            }
            before = optimizer.state[leaf]
            for name, value in {**(others() if others else {}), **state}.items():
                if name in before:
                    before[name].data = value
                else:
                    before[name] = value
    for of_step in gradients:
        for leaf, gradient in zip(leaves, of_step, strict=True):
            leaf.grad = gradient
        step()
    states = [[optimizer.state[leaf].get(name, torch.zeros_like(leaf)).detach() for leaf in leaves] for name in slots]
    return ([leaf.detach() for leaf in leaves], *states)


def step_counter(taken: int) -> Callable[[], Mapping[str, Native]]:
    """State of an optimizer that has taken so many steps."""
    return lambda: {"step": torch.tensor(float(taken))}


def require_updates(counted: str) -> None:
    """``torch.optim`` counts the updates of each parameter."""
    if counted != "updates":
        raise Unsupported("torch.optim counts the updates of each parameter")


@operations.native
def gradient_descent(
    parameters: Natives, gradients: Sequence[Sequence[Native | None]], *, learning_rate: Rate = 0.01
) -> list[Native]:
    """``torch.optim.SGD``."""
    return optimizer_steps(torch.optim.SGD, parameters, gradients, {}, learning_rate)[0]


@operations.native
def sgd(
    parameters: Natives,
    gradients: Sequence[Sequence[Native | None]],
    *,
    learning_rate: Rate = 0.01,
    weight_decay: float = 0.0,
) -> list[Native]:
    """``torch.optim.SGD`` with weight decay."""
    return optimizer_steps(torch.optim.SGD, parameters, gradients, {}, learning_rate, weight_decay=weight_decay)[0]


@operations.native
def momentum(
    parameters: Natives,
    gradients: Sequence[Sequence[Native | None]],
    velocity: Natives | None = None,
    *,
    learning_rate: Rate = 0.01,
    coefficient: float = 0.9,
    dampening: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    decay: str = "coupled",
    accumulated: str = "gradients",
    first_step: str = "undampened",
) -> tuple[list[Native], ...]:
    """``torch.optim.SGD`` with momentum."""
    if decay != "coupled":
        raise Unsupported("torch.optim.SGD adds weight decay to the gradient")
    if accumulated != "gradients":
        raise Unsupported("torch.optim.SGD accumulates gradients")
    if first_step != "undampened":
        raise Unsupported("torch.optim.SGD does not dampen the first gradient")
    options: dict[str, Any] = {
        "momentum": coefficient,
        "dampening": dampening,
        "nesterov": nesterov,
        "weight_decay": weight_decay,
    }
    kept = velocity if coefficient else None
    return optimizer_steps(torch.optim.SGD, parameters, gradients, {"momentum_buffer": kept}, learning_rate, **options)


@operations.native
def rmsprop(
    parameters: Natives,
    gradients: Sequence[Sequence[Native | None]],
    mean_square: Natives | None = None,
    mean_gradient: Natives | None = None,
    velocity: Natives | None = None,
    *,
    learning_rate: Rate = 0.001,
    rho: float = 0.9,
    epsilon: float = 1e-8,
    epsilon_placement: str = "outside",
    centered: bool = False,
    momentum: float = 0.0,
    accumulated: str = "gradients",
    weight_decay: float = 0.0,
) -> tuple[list[Native], ...]:
    """``torch.optim.RMSprop``."""
    if epsilon_placement != "outside":
        raise Unsupported("torch.optim.RMSprop adds epsilon to the root")
    if accumulated != "gradients":
        raise Unsupported("torch.optim.RMSprop accumulates gradients")
    slots = {"square_avg": mean_square, "grad_avg": mean_gradient, "momentum_buffer": velocity}
    options = {"alpha": rho, "eps": epsilon, "centered": centered, "momentum": momentum, "weight_decay": weight_decay}
    moved, squares, means, velocities = optimizer_steps(
        torch.optim.RMSprop, parameters, gradients, slots, learning_rate, step_counter(1), **options
    )
    return moved, squares, means if centered else [], velocities if momentum else []


def _adam(
    kind: Callable[..., torch.optim.Optimizer],
    parameters: Natives,
    gradients: Sequence[Sequence[Native | None]],
    states: Sequence[Natives | None],
    taken: int,
    learning_rate: Rate,
    conventions: tuple[str, bool, str, str],
    **options: Any,
) -> tuple[list[Native], ...]:
    epsilon_placement, bias_correction, maximum, counted = conventions
    require_updates(counted)
    if epsilon_placement != "after_correction":
        raise Unsupported(f"torch.optim.{kind.__name__} corrects before it adds epsilon")
    if not bias_correction:
        raise Unsupported(f"torch.optim.{kind.__name__} corrects the bias always")
    if maximum != "raw":
        raise Unsupported(f"torch.optim.{kind.__name__} takes the maximum before the correction")
    slots = dict(zip(("exp_avg", "exp_avg_sq", "max_exp_avg_sq"), states, strict=True))
    if not options["amsgrad"]:
        del slots["max_exp_avg_sq"]
    moved, *moments = optimizer_steps(kind, parameters, gradients, slots, learning_rate, step_counter(taken), **options)
    return (moved, *moments) if options["amsgrad"] else (moved, *moments, [])


@operations.native
def adam(
    parameters: Natives,
    gradients: Sequence[Sequence[Native | None]],
    first_moment: Natives | None = None,
    second_moment: Natives | None = None,
    maximum_second_moment: Natives | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    epsilon_placement: str = "after_correction",
    bias_correction: bool = True,
    amsgrad: bool = False,
    maximum: str = "raw",
    weight_decay: float = 0.0,
    counted: str = "updates",
) -> tuple[list[Native], ...]:
    """``torch.optim.Adam``."""
    conventions = (epsilon_placement, bias_correction, maximum, counted)
    states = (first_moment, second_moment, maximum_second_moment)
    options = {"betas": (beta1, beta2), "eps": epsilon, "amsgrad": amsgrad, "weight_decay": weight_decay}
    return _adam(torch.optim.Adam, parameters, gradients, states, taken, learning_rate, conventions, **options)


@operations.native
def adamw(
    parameters: Natives,
    gradients: Sequence[Sequence[Native | None]],
    first_moment: Natives | None = None,
    second_moment: Natives | None = None,
    maximum_second_moment: Natives | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    epsilon_placement: str = "after_correction",
    bias_correction: bool = True,
    amsgrad: bool = False,
    maximum: str = "raw",
    weight_decay: float = 0.01,
    counted: str = "updates",
) -> tuple[list[Native], ...]:
    """``torch.optim.AdamW``."""
    conventions = (epsilon_placement, bias_correction, maximum, counted)
    states = (first_moment, second_moment, maximum_second_moment)
    options = {"betas": (beta1, beta2), "eps": epsilon, "amsgrad": amsgrad, "weight_decay": weight_decay}
    return _adam(torch.optim.AdamW, parameters, gradients, states, taken, learning_rate, conventions, **options)


@operations.native
def adagrad(
    parameters: Natives,
    gradients: Sequence[Sequence[Native | None]],
    sum_of_squares: Natives | None = None,
    *,
    learning_rate: Rate = 0.01,
    initial_accumulator: float = 0.0,
    epsilon: float = 1e-8,
    epsilon_placement: str = "outside",
    weight_decay: float = 0.0,
) -> tuple[list[Native], ...]:
    """``torch.optim.Adagrad``."""
    if epsilon_placement != "outside":
        raise Unsupported("torch.optim.Adagrad adds epsilon to the root")
    options = {"initial_accumulator_value": initial_accumulator, "eps": epsilon, "weight_decay": weight_decay}
    slots = {"sum": sum_of_squares}
    return optimizer_steps(torch.optim.Adagrad, parameters, gradients, slots, learning_rate, step_counter(1), **options)


@operations.native
def adadelta(
    parameters: Natives,
    gradients: Sequence[Sequence[Native | None]],
    mean_square: Natives | None = None,
    mean_square_update: Natives | None = None,
    *,
    learning_rate: Rate = 1.0,
    rho: float = 0.95,
    epsilon: float = 1e-6,
    weight_decay: float = 0.0,
    decay: str = "coupled",
) -> tuple[list[Native], ...]:
    """``torch.optim.Adadelta``."""
    if decay != "coupled":
        raise Unsupported("torch.optim.Adadelta adds weight decay to the gradient")
    slots = {"square_avg": mean_square, "acc_delta": mean_square_update}
    options = {"rho": rho, "eps": epsilon, "weight_decay": weight_decay}
    return optimizer_steps(torch.optim.Adadelta, parameters, gradients, slots, learning_rate, step_counter(1), **options)


@operations.native
def nadam(
    parameters: Natives,
    gradients: Sequence[Sequence[Native | None]],
    first_moment: Natives | None = None,
    second_moment: Natives | None = None,
    *,
    taken: int = 0,
    learning_rate: Rate = 0.002,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    schedule: str = "warming",
    momentum_decay: float = 0.004,
    weight_decay: float = 0.0,
    counted: str = "updates",
) -> tuple[list[Native], ...]:
    """``torch.optim.NAdam``, whose state has the product of the momenta so far."""
    require_updates(counted)
    if schedule != "warming":
        raise Unsupported("torch.optim.NAdam has a momentum that rises")
    product = 1.0
    for step in range(1, taken + 1):
        product *= beta1 * (1.0 - 0.5 * 0.96 ** (step * momentum_decay))
    options = {"betas": (beta1, beta2), "eps": epsilon, "momentum_decay": momentum_decay, "weight_decay": weight_decay}

    def others() -> Mapping[str, Native]:
        return {"step": torch.tensor(float(taken)), "mu_product": torch.tensor(product)}

    slots = {"exp_avg": first_moment, "exp_avg_sq": second_moment}
    return optimizer_steps(torch.optim.NAdam, parameters, gradients, slots, learning_rate, others, **options)
