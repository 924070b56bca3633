"""Write a page for each operation and model from the specification, and the counts in README: ``python docs/generate.py``.

``--check`` only says which files are stale.
"""

import inspect
import math
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from rst import first_sentence, linked, markdown

from tensorproof_reference import trees
from tensorproof_reference.catalogue import all_models, all_operations
from tensorproof_reference.model import Layer, Model
from tensorproof_reference.networks.adversaries import Adversaries
from tensorproof_reference.networks.evaluation import parameter_count
from tensorproof_reference.networks.operations import TRAINING
from tensorproof_reference.operation import SIZES, Operation
from tensorproof_reference.registry import basic_operations
from tensorproof_reference.sample_classes import CLASSES, class_of
from tensorproof_reference.stream import Stream

DOCUMENTS = Path(__file__).parent
FOLDER = DOCUMENTS / "operations"
README = DOCUMENTS.parent / "README.md"

KINDS = {
    "operations": "Operations",
    "losses": "Losses",
    "optimizers": "Optimizers, schedules and clipping",
    "data": "Data preparation and accuracy",
    "initializers": "Initialisers and random operations",
}
"""Headings of the index by the folder that an operation is in."""

INTRODUCTION = """\
# Operations and models

Each page says what one operation must compute: the formula, shapes, special values, errors, and the samples that check it.
This index is generated from the docstrings of `reference/tensorproof_reference`.
"""

SOURCE_TEXTS = """\
## Source texts

The specification covers what five texts describe. They are tutorials on deep learning, written in Chinese, with formulas and
code examples. They carry no title, author or date, so pages cite them by number: *001 §4.2* is section 4.2 of text 001.
Text 004 numbers its sections anew in each part: *004 §4.2* is section 2 of part 4.

### Text 000

An introduction to Python's deep-learning libraries: convolutional and recurrent networks, with both as examples in Keras.

### Text 001

An introduction to TensorFlow and PyTorch: linear, logistic and softmax regression, convolutional and recurrent networks.
Examples in TensorFlow and Keras. Appendix B (*App. B*) lists key techniques.

### Text 002

A short introduction to Python's deep-learning libraries: forward and backward propagation, gradient descent, losses and
activation functions. One example in Keras.

### Text 003

A chapter on deep learning in Python: convolutional and recurrent networks. Examples in Keras and in PyTorch.

### Text 004

An introduction to the mathematics of deep learning in Python: gradient descent, activation functions, losses, convolution,
pooling, recurrent layers and gates. Four examples, from linear regression to a generative adversarial network.
"""


def _signature(operation: Operation) -> str:
    signature = inspect.signature(operation.function)
    bare = signature.replace(
        parameters=[item.replace(annotation=item.empty) for item in signature.parameters.values()],
        return_annotation=signature.empty,
    )
    return f"{operation.name}{bare}"


def _facts(operation: Operation) -> list[str]:
    facts = [
        f"- Outputs: {', '.join(f'`{name}`' for name in operation.outputs)}; gradients flow from "
        f"{', '.join(f'`{name}`' for name in operation.cotangents) or 'none'} to "
        f"{', '.join(f'`{name}`' for name in operation.differentiable) or 'none'}.",
        f"- Profile `{operation.profile}`, {'required' if operation.required else 'optional'}, version {operation.version}.",
    ]
    facts += [
        f"- Convention `{name}`: {', '.join(f'`{value!r}`' for value in values)}; a backend must offer at least one."
        for name, values in operation.conventions.items()
    ]
    facts += [f"- Axes of `{name}`: {f'`{axes}`' if axes else 'none'}." for name, axes in operation.axes.items()]
    facts += [f"- Order of axis `{axis}`: `{order}`." for axis, order in operation.orders.items()]
    if operation.documents:
        facts.append(f"- In [the source texts](index.md#source-texts): {linked(', '.join(operation.documents))}.")
    return facts


def _millions(count: int) -> str:
    return f"{count / 1e6:,.0f}" if count >= 1e9 else f"{count / 1e6:.4g}"


def _shapes_of(name: str, argument: object) -> str:
    """The shape of an argument's array, or of each of a few; of more only how many they are."""
    leaves = [(path, list(leaf.shape)) for path, leaf in trees.leaves({name: argument})]
    if len(leaves) <= 3:
        return ", ".join(f"`{path}` {shape}" for path, shape in leaves)
    return f"`{name}` {len(leaves)} arrays of {sum(math.prod(shape) for _, shape in leaves):,} numbers"


def _workload_rows(operation: Operation) -> list[str]:
    """A row for each size: the arrays' shapes and the keywords, and the work that they are."""
    rows = []
    for size in SIZES if operation.workload and operation.work else ():
        sample = operation.workload(Stream(0)(operation.name), size)
        work = operation.work(**sample.inputs, **sample.keywords)
        shapes = [_shapes_of(name, argument) for name, argument in sample.inputs.items() if argument is not None]
        arguments = [*shapes, *(f"`{name}={value!r}`" for name, value in sample.keywords.items())]
        counts = (work.flops, work.transcendentals, work.backward_flops, work.backward_transcendentals)
        rows.append(f"| {size} | {', '.join(arguments)} | {' | '.join(_millions(count) for count in counts)} |")
    return rows


def _workloads(operation: Operation) -> list[str]:
    """The section on what is timed, if the operation is."""
    rows = _workload_rows(operation)
    if not rows:
        return []
    return [
        "## Workloads",
        "",
        "What is timed, and its work in millions of floating-point operations and of transcendental functions, forward and back.",
        "",
        "| size | arguments | forward | transcendentals | back | transcendentals |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
    ]


def page(operation: Operation) -> str:
    """The page of one operation, in Markdown."""
    documentation = inspect.getdoc(operation.function) or ""
    rows = []
    for sample in operation.samples(Stream(0)(operation.name)):
        keywords = ", ".join(f"{name}={value!r}" for name, value in sample.keywords.items())
        need = "required" if sample.required and operation.required else "optional"
        rows.append(f"| `{sample.name}` | {CLASSES[class_of(sample)]} | {f'`{keywords}`' if keywords else ''} | {need} |")
    module = f"reference/{operation.function.__module__.replace('.', '/')}.py"
    return "\n".join(
        [
            f"# {operation.name}",
            "",
            f"<!-- written by docs/generate.py from {module}; edit that -->",
            "",
            "```python",
            _signature(operation),
            "```",
            "",
            markdown(documentation),
            "",
            *_facts(operation),
            "",
            "## Samples",
            "",
            "| sample | class of case | keywords | conformance |",
            "|---|---|---|---|",
            *rows,
            "",
            *_workloads(operation),
        ]
    )


def index() -> str:
    """The list of all operations by kind, of the models, and of the texts that pages cite, in Markdown."""
    lines = [INTRODUCTION]
    for folder, heading in KINDS.items():
        lines += [f"## {heading}", ""]
        lines += [
            f"- [{name}]({name}.md): {first_sentence(inspect.getdoc(operation.function) or '')}"
            for name, operation in basic_operations().items()
            if operation.function.__module__.split(".")[1] == folder
        ]
        lines.append("")
    models = [f"- [{name}]({name}.md): {first_sentence(inspect.cleandoc(model.text))}" for name, model in all_models().items()]
    return "\n".join([*lines, "## Models", "", *models, "", SOURCE_TEXTS])


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
                cells += [_millions(work.flops)] + [_millions(work.backward_flops)] * (name == model.name)
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


def counts() -> dict[str, int]:
    """How many there are of what README counts."""
    faults = re.search(r"(\d+) deliberate faults", (DOCUMENTS / "faults.md").read_text(encoding="utf-8"))
    assert faults, "docs/faults.md begins with the number of faults"
    return {
        "operations": len(basic_operations()),
        "models": len(all_models()),
        "faults": int(faults[1]),
        "findings": len(re.findall(r"^### ", (DOCUMENTS / "findings.md").read_text(encoding="utf-8"), re.MULTILINE)),
    }


def counted(text: str) -> str:
    """A text whose counts, between ``<!-- count: … -->`` and ``<!-- /count -->``, are those of today."""
    numbers = counts()
    return re.sub(
        r"<!-- count: (\w+) -->[^<]*<!-- /count -->",
        lambda match: f"<!-- count: {match[1]} -->{numbers[match[1]]}<!-- /count -->",
        text,
    )


def files() -> dict[Path, str]:
    """What each file that is written here should hold."""
    pages = {f"{name}.md": page(operation) for name, operation in basic_operations().items()} | {"index.md": index()}
    pages |= {f"{name}.md": model_page(model) for name, model in all_models().items()}
    return {FOLDER / name: text for name, text in pages.items()} | {README: counted(README.read_text(encoding="utf-8"))}


def main() -> int:
    """Write the files, or with ``--check`` return 1 if one is stale."""
    wanted = files()
    present = {path: path.read_text(encoding="utf-8") for path in [*FOLDER.glob("*.md"), README]}
    stale = sorted(path for path in wanted.keys() | present.keys() if wanted.get(path) != present.get(path))
    if sys.argv[1:] == ["--check"]:
        names = [path.relative_to(README.parent).as_posix() for path in stale]
        print("\n".join(f"stale: {name}" for name in names) or "all files are up to date")
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for path in stale:
        if path in wanted:
            path.write_text(wanted[path], encoding="utf-8")
        else:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
