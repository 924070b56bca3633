"""What a page is made with: templates, style and scripts of this package, and the policy that lets nothing else run."""

import base64
import functools
import hashlib
from importlib.resources import files

import jinja2

SCRIPTS = (
    *("dom.js", "data.js", "query.js", "charts.js", "matrix.js", "case.js", "operation.js"),
    *("timing.js", "training.js", "history.js", "tables.js", "main.js"),
)
"""In the order in which they stand; each may use what those before it define."""


@functools.cache
def environment() -> jinja2.Environment:
    """The templates, compiled once; what they show is escaped."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("tensorproof_reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@functools.cache
def style() -> str:
    """The style sheet."""
    return "\n" + _text("page.css")


@functools.cache
def script() -> str:
    """All scripts as one, in a scope of their own."""
    return '\n"use strict";\n{\n' + "\n".join(_text(name) for name in SCRIPTS) + "}\n"


@functools.cache
def policy() -> str:
    """The content security policy: our style and script, known by their digests, and nothing from elsewhere."""
    return f"{still_policy()}; script-src '{_digest(script())}'"


@functools.cache
def still_policy() -> str:
    """The policy of a page without a script: our style, and nothing from elsewhere."""
    return f"default-src 'none'; base-uri 'none'; form-action 'none'; style-src '{_digest(style())}'"


def _text(name: str) -> str:
    return (files("tensorproof_reports") / "web" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
