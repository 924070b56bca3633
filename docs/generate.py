"""Write a page for each operation and model, the counts in README, and the table of injected faults: ``python docs/generate.py``.

``--check`` only says which files are stale.
"""

import inspect
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tensorproof.conformance.selection.quick import quick_set
from tensorproof_reference.catalogue import all_models
from tensorproof_reference.manual.groups import GROUPS, group_of
from tensorproof_reference.manual.markup import first_sentence
from tensorproof_reference.manual.model_page import model_page
from tensorproof_reference.manual.page import page
from tensorproof_reference.operation import CORE, Operation
from tensorproof_reference.registry import basic_operations, extended_operations

DOCUMENTS = Path(__file__).parent
FOLDER = DOCUMENTS / "operations"
README = DOCUMENTS.parent / "README.md"

INTRODUCTION = """\
# Operations and models

Each page says what one operation must compute: the formula, shapes, special values, errors, and the samples that check it.
This index is generated from the docstrings of `reference/tensorproof_reference`.
"""

EXTENDED = """\
## Profile extended

What people who run these frameworks use beyond the texts. `tensorproof check NAME --profile=extended` checks these, with a
version and a verdict of their own.
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


def _groups(operations: Mapping[str, Operation], mark: str) -> list[str]:
    """A heading for each group that has some of the operations, and a line for each of these."""
    lines = []
    for group, heading in GROUPS.items():
        entries = [
            f"- [{name}]({name}.md): {first_sentence(inspect.getdoc(operation.function) or '')}"
            for name, operation in operations.items()
            if group_of(operation) == group
        ]
        lines += [f"{mark} {heading}", "", *entries, ""] if entries else []
    return lines


def index() -> str:
    """The list of all operations by group, of the models, and of the texts that pages cite, in Markdown."""
    models = [f"- [{name}]({name}.md): {first_sentence(inspect.cleandoc(model.text))}" for name, model in all_models().items()]
    core, extended = _groups(basic_operations(), "##"), _groups(extended_operations(), "###")
    return "\n".join([INTRODUCTION, *core, "## Models", "", *models, "", EXTENDED, *extended, SOURCE_TEXTS])


def counts() -> dict[str, int]:
    """How many there are of what README counts."""
    pages = [(DOCUMENTS / name).read_text(encoding="utf-8") for name in ("faults.md", "faults_extended.md")]
    faults = [re.search(r"(\d+) deliberate faults", page) for page in pages]
    assert all(faults), "a page of faults begins with their number"
    quick = quick_set(CORE)
    return {
        "operations": len(basic_operations()),
        "models": len(all_models()),
        "quick": len(quick.in_first_mode("eager")),
        "quick_percent": quick.percent_noticed("eager"),
        "faults": sum(int(found[1]) for found in faults if found),
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


def injected(text: str) -> str:
    """A text whose table of injected faults is that which the tests inject."""
    sys.path.append(str(DOCUMENTS.parent / "suite" / "tests"))
    from injection.cells import HEADS, table_text

    head = re.escape(f"| {' | '.join(HEADS)} |")
    return re.sub(rf"{head}\n(\|.*\n)*\n*", lambda match: f"{table_text()}\n", text)


MENDED: dict[Path, Callable[[str], str]] = {README: counted, DOCUMENTS / "reliability.md": injected}
"""Files that people write, and of which parts are written here."""


def files() -> dict[Path, str]:
    """What each file that is written here should hold."""
    everything = {**basic_operations(), **extended_operations()}
    pages = {f"{name}.md": page(operation) for name, operation in everything.items()} | {"index.md": index()}
    pages |= {f"{name}.md": model_page(model) for name, model in all_models().items()}
    return {FOLDER / name: text for name, text in pages.items()} | {
        path: mend(path.read_text(encoding="utf-8")) for path, mend in MENDED.items()
    }


def main() -> int:
    """Write the files, or with ``--check`` return 1 if one is stale."""
    wanted = files()
    present = {path: path.read_text(encoding="utf-8") for path in [*FOLDER.glob("*.md"), *MENDED]}
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
