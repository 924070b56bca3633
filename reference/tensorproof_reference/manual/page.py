"""The page of one operation, in Markdown: what it must compute, the samples that check it, and what is timed."""

import inspect
import math

from tensorproof_reference import trees
from tensorproof_reference.manual.markup import linked, markdown
from tensorproof_reference.operation import SIZES, Operation
from tensorproof_reference.sample_classes import CLASSES, class_of
from tensorproof_reference.stream import Stream


def signature(operation: Operation) -> str:
    """Name, arguments and defaults, without annotations: ``softmax(x, *, axis=-1)``."""
    given = inspect.signature(operation.function)
    bare = given.replace(
        parameters=[item.replace(annotation=item.empty) for item in given.parameters.values()],
        return_annotation=given.empty,
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


def millions(count: int) -> str:
    """A count in millions, to four digits.

    >>> millions(2_000), millions(16_770_000)
    ('0.002', '16.77')
    """
    return f"{count / 1e6:,.0f}" if count >= 1e9 else f"{count / 1e6:.4g}"


def _shapes_of(name: str, argument: object) -> str:
    """The shape of an argument's array, or of each of a few; of more only how many they are."""
    leaves = [(path, list(leaf.shape)) for path, leaf in trees.leaves({name: argument})]
    if len(leaves) <= 3:
        return ", ".join(f"`{path}` {shape}" for path, shape in leaves)
    return f"`{name}` {len(leaves)} arrays of {sum(math.prod(shape) for _, shape in leaves):,} numbers"


def _workload_rows(operation: Operation) -> list[str]:
    """A row for each size: the arrays' shapes and the keywords, and the work that they are."""
    if operation.workload is None or operation.work is None:
        return []
    rows = []
    for size in SIZES:
        sample = operation.workload(Stream(0)(operation.name), size)
        work = operation.work(**sample.inputs, **sample.keywords)
        shapes = [_shapes_of(name, argument) for name, argument in sample.inputs.items() if argument is not None]
        arguments = [*shapes, *(f"`{name}={value!r}`" for name, value in sample.keywords.items())]
        counts = (work.flops, work.transcendentals, work.backward_flops, work.backward_transcendentals)
        rows.append(f"| {size} | {', '.join(arguments)} | {' | '.join(millions(count) for count in counts)} |")
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
            signature(operation),
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
