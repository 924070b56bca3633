"""The end of a made-up plugin: a backend called ``fake`` of the operations above it. ``conftest.PREAMBLE`` is its beginning."""

BACKEND = """
class Fake(NumpyBackend):
    name = "fake"
    operations = operations

@hookimpl
def tensorproof_backend():
    return Fake()
"""
