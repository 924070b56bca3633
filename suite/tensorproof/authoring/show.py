"""The command ``tensorproof show``: the page of an operation or a model in the terminal."""

import argparse
import re
import sys

from rich.console import Console

from tensorproof.contract.backends import specification
from tensorproof.errors import UsageError
from tensorproof.operation_table import did_you_mean
from tensorproof_reference.manual.model_page import model_page
from tensorproof_reference.manual.page import page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("operation", metavar="OPERATION", help="an operation or a model; tensorproof list --names prints all")


def text_of(name: str) -> str:
    """The page of an operation, or of the model that it is made of, in Markdown without what only a browser needs.

    Raises:
        UsageError: nothing has that name.
    """
    known = specification()
    if name not in known:
        raise UsageError(f"no operation is called {name!r}{did_you_mean(name, known)}; tensorproof list --names prints all names")
    model = known[name].model
    text = page(known[name]) if model is None else model_page(model)
    text = re.sub(r"<!--.*?-->\n\n?", "", text)
    text = re.sub(r"\$(`[^`]*`)\$", r"\1", text)
    return re.sub(r"(?<!!)\[([^\]]*)\]\([^)]*\)", r"\1", text)


def run(options: argparse.Namespace) -> int:
    """Print the page: set for a terminal, as Markdown elsewhere."""
    text = text_of(options.operation)
    if sys.stdout.isatty():
        from rich.markdown import Markdown  # takes as long as NumPy, and no other command needs it

        Console().print(Markdown(text))
    else:
        print(text)
    return 0
