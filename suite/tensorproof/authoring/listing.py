"""The command ``tensorproof list``: names, signatures, samples or checks of the specification."""

import argparse
from collections.abc import Iterable

from tensorproof.conformance.selection.cases import Case, adapter_cases, all_cases, own_dtypes
from tensorproof.conformance.selection.options import add_selection_options, selected, selection_of
from tensorproof.conformance.selection.quick import quick_cases, quick_set
from tensorproof.contract.description import HOLDABLE, INDICES, Description
from tensorproof.contract.outlines import outlined_specification
from tensorproof_reference.catalogue import of_profile
from tensorproof_reference.manual.page import signature
from tensorproof_reference.operation import DTYPES, Operation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_selection_options(parser.add_argument)
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--names", action="store_true", help="the names of operations and models, a line for each")
    shown.add_argument("--signatures", action="store_true", help="the signatures of operations, without those of models")
    shown.add_argument("--samples", action="store_true", help="a line for each sample instead of each check")


def cases_of_specification(options: argparse.Namespace, known: dict[str, Operation]) -> Iterable[Case]:
    """Every case, as the options select them, of an imaginary backend that has everything."""
    description = Description(
        *("any", "any", DTYPES, {"any": "all"}),
        sources={},
        reasons={},
        versions={},
        arithmetic={},
        defaults={},
        declarations=None,
        held=tuple(dtype for dtype in HOLDABLE if dtype not in (*DTYPES, *INDICES)),
    )
    chosen, seed = of_profile(known, options.profile), max(options.seed, 0)
    everything = list(all_cases(description, chosen, seed))
    selection = selection_of(options, description, known, (case.sample for case in everything))
    quick = quick_cases(everything, description, quick_set(options.profile)) if options.quick else frozenset()
    # Names, signatures and samples are those of operations, and the adapter is none.
    adapter = (
        [] if options.names or options.signatures or options.samples else adapter_cases(description, own_dtypes(chosen, seed))
    )
    return [case for case, reason in selected([*adapter, *everything], selection, quick) if not reason]


def lines_of(options: argparse.Namespace) -> list[str]:
    """What is printed, without repetitions."""
    known = outlined_specification(max(options.seed, 0))
    cases = cases_of_specification(options, known)
    lines: dict[str, None] = {}
    for case in cases:
        need = "required" if case.required else "optional"
        if options.names:
            lines[case.operation] = None
        elif options.signatures:
            if known[case.operation].model is None:
                lines[signature(known[case.operation])] = None
        elif options.samples:
            lines[f"{need}  {case.operation}  {case.sample}"] = None
        else:
            lines[f"{need}  {case.check:10}  {case.operation}  {case.sample}  {case.dtype}"] = None
    return list(lines)


def run(options: argparse.Namespace) -> int:
    """Print what is asked for."""
    print("\n".join(lines_of(options)))
    return 0
