"""Draw what a command printed, as a terminal shows it: ``… | python docs/draw_terminal.py TITLE FILE.png``.

``docs/images/failing_case.png`` is what PyTorch's softplus gives without the plugin's declaration of it. It needs
vl-convert-python.
"""

import re
import sys

import vl_convert
from rich.console import Console
from rich.text import Text

COLOURS = {r"^failed:": "bold red", r"^FAILED": "bold red", r"^reproduce:": "bold green", r"^\$ .*": "bold", r"^_{3,}.*": "red"}


def drawing(text: str, title: str) -> bytes:
    """A PNG of the text, with long lines wrapped."""
    console = Console(record=True, width=118, file=sys.stderr)
    for line in text.splitlines():
        shown = Text(line)
        for pattern, colour in COLOURS.items():
            for match in re.finditer(pattern, line):
                shown.stylize(colour, *match.span())
        console.print(shown, soft_wrap=False)
    svg = re.sub(r"@font-face \{.*?\}", "", console.export_svg(title=title), flags=re.DOTALL).replace(
        "Fira Code", "DejaVu Sans Mono"
    )
    png: bytes = vl_convert.svg_to_png(svg, scale=1.0)
    return png


if __name__ == "__main__":
    with open(sys.argv[2], "wb") as file:
        file.write(drawing(sys.stdin.read(), sys.argv[1]))
