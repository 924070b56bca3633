"""The options of a run as they are when nobody gives any: what the command that reproduces a check depends on."""

from types import SimpleNamespace

from tensorproof.conformance.selection.options import CHECK_TIMEOUT

OPTIONS = SimpleNamespace(
    seed=0, profile="core", instructions=None, plugins=[], declarations=[], strict_declarations=False, check_timeout=CHECK_TIMEOUT
)
