"""The page and the badge of a statement: a data sheet of one backend on one device."""

from collections.abc import Mapping
from typing import Any

import jinja2

from tensorproof.statements.statement import sentence, wrong_of


def _template(name: str) -> jinja2.Template:
    loader = jinja2.PackageLoader("tensorproof_reports")
    return jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True).get_template(
        name
    )


def _rows(statement: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each operation: required checks that pass, of how many, and the dtypes in which all do."""
    return [
        {
            "name": name,
            "passed": item["required"].get("passed", 0),
            "required": sum(item["required"].values()),
            "wrong": wrong_of(item["required"]),
            "optional": f"{item['optional'].get('passed', 0)} of {sum(item['optional'].values())}",
            "conforms": item["conforms"],
        }
        for name, item in statement["operations"].items()
    ]


def statement_page(statement: Mapping[str, Any]) -> str:
    """The data sheet of a statement, as one HTML page that loads nothing."""
    return _template("statement.html").render(statement=statement, sentence=sentence(statement), rows=_rows(statement))


def badge_words(statement: Mapping[str, Any]) -> tuple[str, str]:
    """The two halves of a badge: which specification, and how many of its required checks pass."""
    required = statement["required"]
    passed, total = required.get("passed", 0), sum(required.values())
    # Rounded down: nothing that fails may read as 100 %.
    share = f"{100 * passed // max(1, total)} % of {total:,}"
    return statement["specification"]["frozen"] or statement["profile"], "conforms" if statement[
        "verdict"
    ] == "conforms" else share


def statement_badge(statement: Mapping[str, Any]) -> str:
    """A badge as SVG."""
    left, right = badge_words(statement)
    # Seven pixels a letter fit every letter of the font at this size.
    widths = [7 * len(f"tensorproof {left}") + 12, 7 * len(right) + 12]
    fill = "#1f6f43" if statement["verdict"] == "conforms" else "#8a4b08"
    return _template("badge.svg").render(left=f"tensorproof {left}", right=right, widths=widths, fill=fill)
