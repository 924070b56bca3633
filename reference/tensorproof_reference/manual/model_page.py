"""The page of one model, in Markdown: its layers, loss and optimizer, and what is timed."""

import inspect
from collections.abc import Mapping

from tensorproof_reference import trees
from tensorproof_reference.catalogue import all_operations
from tensorproof_reference.manual.markup import markdown
from tensorproof_reference.manual.page import millions
from tensorproof_reference.model import Layer, Model
from tensorproof_reference.networks.adversaries import Adversaries
from tensorproof_reference.networks.evaluation import parameter_count
from tensorproof_reference.networks.operations import TRAINING
from tensorproof_reference.operation import SIZES
from tensorproof_reference.stream import Stream


def _shapes(layer: Layer) -> str:
    return ", ".join(f"`{path}` {list(weight.shape)}" for path, weight in trees.leaves({**layer.parameters, **layer.state}))


def _keywords(keywords: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in keywords.items())


def _linked_call(name: str, keywords: Mapping[str, object]) -> str:
    link = f"[{name}]({name}.md)"
    return f"{link} with `{_keywords(keywords)}`" if keywords else link


def _model_workloads(model: Model) -> list[str]:
    """The section on what is timed of a model: the examples of a batch, and the work by size."""
    rows = []
    for size in SIZES:
        cells = [size, str(model.batches[size])]
        for name in (model.name, f"{model.name}{TRAINING}"):
            operation = all_operations().get(name)
            if operation and operation.workload and operation.work:
                sample = operation.workload(Stream(0)(name), size)
                work = operation.work(**sample.inputs, **sample.keywords)
                cells += [millions(work.flops)] + [millions(work.backward_flops)] * (name == model.name)
            else:
                cells += ["–"] * (2 if name == model.name else 1)
        rows.append(f"| {' | '.join(cells)} |")
    return [
        "## Workloads",
        "",
        "What is timed, and its work in millions of floating-point operations.",
        "",
        "| size | examples | output and loss | back | training step |",
        "|---|---|---|---|---|",
        *rows,
        "",
    ]


def model_page(model: Model) -> str:
    """The page of one model, in Markdown."""
    rows = [
        f"| `{name}` | [{layer.operation}]({layer.operation}.md) | {f'`{_keywords(layer.keywords)}`' if layer.keywords else ''} "
        f"| {_shapes(layer)} |"
        for name, layer in model.layers.items()
    ]
    penalties = [f"- Penalty: `{name}`, strength {strength}, of every `weight`." for name, strength in model.penalties.items()]
    fit = {"epochs": 2, "batch": 10, **model.fit}
    fitting = [] if isinstance(model, Adversaries) else [f"- Fitted with `{_keywords(fit)}`."]
    return "\n".join(
        [
            f"# {model.name}",
            "",
            f"<!-- written by docs/generate.py from reference/tensorproof_reference/models/{model.name}.py; edit that -->",
            "",
            markdown(inspect.cleandoc(model.text)),
            "",
            f"- {parameter_count(model):,} trainable weights.",
            f"- Loss: {_linked_call(model.loss, model.loss_keywords)}.",
            *penalties,
            f"- Optimizer: {_linked_call(model.optimizer, model.optimizer_keywords)}.",
            f"- Checked on {model.batch} examples at a time.",
            *fitting,
            "",
            "| layer | operation | keywords | weights |",
            "|---|---|---|---|",
            *rows,
            "",
            *_model_workloads(model),
        ]
    )
