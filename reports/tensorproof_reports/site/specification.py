"""What an operation must compute, as HTML: its docstring, with formulas in MathML, which browsers draw without any script."""

import inspect
import re

import math_core
from markupsafe import Markup, escape

from tensorproof_reference.catalogue import known_operations
from tensorproof_reference.manual.markup import markdown
from tensorproof_reference.manual.page import signature
from tensorproof_reference.sample_classes import CLASSES

FENCE = "```math\n"
INLINE = re.compile(r"\$`(?P<formula>[^`]+)`\$|`(?P<code>[^`]+)`|\*\*(?P<strong>[^*]+)\*\*|\[(?P<link>[^\]]+)\]\([^)\s]*\)")
"""What the manual's Markdown holds in a line; the text of a link stands for it here, where its target is not."""


def mathml(formula: str, *, displayed: bool) -> str:
    """A formula in MathML.

    Raises:
        math_core.LatexError: it is no TeX.
    """
    return math_core.LatexToMathML().convert_with_local_state(formula, displaystyle=displayed)


def specification(name: str) -> Markup:
    """The signature and the docstring of an operation; empty for one that the specification does not know."""
    operation = known_operations().get(name)
    if operation is None:
        return Markup()
    text = markdown(inspect.getdoc(operation.function) or "")
    return Markup("<pre>{}</pre>\n{}").format(signature(operation), html(text))


def html(text: str) -> Markup:
    r"""The manual's Markdown, which has paragraphs, lists, formulas, code, and names of sections in bold, as HTML.

    >>> print(html("**Shapes:** `x` is < 2:\n\n- one\n- [two](a.md)"))
    <p><strong>Shapes:</strong> <code>x</code> is &lt; 2:</p>
    <ul><li>one</li><li>two</li></ul>
    """
    return Markup("\n").join(_block(block) for block in text.split("\n\n"))


def _block(block: str) -> Markup:
    if block.startswith(FENCE):
        formula = Markup(mathml(block.removeprefix(FENCE).removesuffix("\n```"), displayed=True))
        return Markup('<div class="formula">{}</div>').format(formula)
    if block.startswith("- "):
        items = Markup().join(Markup("<li>{}</li>").format(_inline(line.removeprefix("- "))) for line in block.split("\n"))
        return Markup("<ul>{}</ul>").format(items)
    return Markup("<p>{}</p>").format(_inline(block))


def _inline(text: str) -> Markup:
    parts, done = [], 0
    for match in INLINE.finditer(text):
        parts += [escape(text[done : match.start()]), _piece(str(match.lastgroup), match[str(match.lastgroup)])]
        done = match.end()
    return Markup().join([*parts, escape(text[done:])])


def _piece(kind: str, text: str) -> Markup:
    if kind == "formula":
        return Markup(mathml(text, displayed=False))
    element = {"code": "code", "strong": "strong"}.get(kind)
    return Markup("<{0}>{1}</{0}>").format(element, text) if element else escape(text)


def class_of_case(sample: str) -> str:
    """What a sample is for, by the first word of its name; empty if that is no class of the specification.

    >>> class_of_case("nan_each_lane"), class_of_case("mine")
    ('NaN in the input', '')
    """
    return CLASSES.get(sample.split("_")[0], "")
