"""From the docstrings of the specification, which are reStructuredText, to Markdown as GitHub shows it.

Formulas become ``$`…`$`` and fenced ``math`` blocks. Between plain dollars GitHub would first read ``_``, ``*`` and ``\\,`` as
Markdown.
"""

import re
from collections.abc import Iterator

SECTIONS = ("Shapes", "Special values", "Raises", "Source")
GREEK = {"α": r"\alpha ", "θ": r"\theta ", "λ": r"\lambda ", "π": r"\pi ", "…": r"\ldots "}
"""What formulas write in one character, and its name in TeX."""


def formula(text: str) -> str:
    """A formula in TeX's own names, on one line."""
    for character, name in GREEK.items():
        # The space after a name is needed before a letter only.
        text = re.sub(rf"{character}(?=\w)", name.replace("\\", r"\\"), text)
        text = text.replace(character, name.rstrip())
    return " ".join(text.split())


def linked(text: str) -> str:
    """Each place in a source text, such as ``001 §3.3``, as a link to what the index says of that text."""
    text = re.sub(r"\b(00\d) ((?:§|App\. )[\w.]*\w)", r"[\1 \2](index.md#text-\1)", text)
    return re.sub(r"\bthe texts,", "[the source texts](index.md#source-texts),", text)


def _inline(text: str) -> str:
    """Roles and literals of a paragraph that is on one line, and links to the source texts."""
    text = re.sub(r":math:`([^`]*)`", lambda match: f"$`{formula(match[1])}`$", text)
    return linked(re.sub(r"``(.+?)``", r"`\1`", text))


def _blocks(text: str) -> Iterator[str]:
    """The paragraphs, items of lists and displayed formulas of a docstring, each on one line, in order."""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        block = ""
        for line in paragraph.splitlines():
            if block and (line.startswith("- ") or line.split(": ")[0].rstrip(":") in SECTIONS):
                yield block
                block = ""
            block = f"{block} {line.strip()}".strip()
        yield block


def _rendered(block: str) -> str:
    if block.startswith(".. math::"):
        return f"```math\n{formula(block.removeprefix('.. math::'))}\n```"
    section, colon, rest = block.partition(":")
    if colon and section in SECTIONS:
        return f"**{section}:** {_inline(rest.strip())}"
    return _inline(block)


def markdown(text: str) -> str:
    """A docstring as Markdown: a paragraph for each section, a line for each item of a list."""
    blocks = [_rendered(block) for block in _blocks(text)]
    return "".join(
        block if not before else f"\n{block}" if block.startswith("- ") and before.startswith("- ") else f"\n\n{block}"
        for before, block in zip(["", *blocks], blocks, strict=False)
    )


def first_sentence(text: str) -> str:
    """The first sentence of a docstring, whole, as Markdown."""
    block = next(_blocks(text))
    inside = re.sub(r"`[^`]*`|\([^)]*\)|\[[^\]]*\]", lambda match: "x" * len(match[0]), block)
    end = re.search(r"\.(?= |$)", inside)
    sentence = block[: end.start()] if end else block
    return _inline(sentence.rstrip(".:")) + "."
