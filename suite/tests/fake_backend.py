"""The end of a made-up plugin: a backend called ``fake`` of the operations above it. ``conftest.PREAMBLE`` is its beginning."""

import textwrap


def backend(body: str = "") -> str:
    """The class, with more attributes and methods in its body, and the hook that returns it."""
    return f"""
class Fake(NumpyBackend):
    name = "fake"
    operations = operations
{textwrap.indent(textwrap.dedent(body), "    ")}

@hookimpl
def tensorproof_backend():
    return Fake()
"""


BACKEND = backend()
