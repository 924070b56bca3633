"""Declarations: what a backend does not support, where it is known to fail, and the precision it works in, as TOML data.

A declaration is a table in a list named for its kind. The conditions narrow it down; all must hold, and a list means any of::

    [[unsupported]]
    operation = "conv2d"                     # exact names, never parts of them; also sample, dtype, mode, device, check
    dtype = ["float64", "float16"]
    mode = "eager"
    check = "gradient"
    keywords = { groups = { not = 1 } }      # also { any_of = [...] }, { none_of = [...] }, or a value
    given = ["recurrent_bias"]               # array arguments given (absent = [...]: left out), by the last word of their path
    platform = "linux"                       # sys.platform
    versions = { tensorflow = "<2.22" }      # of what Backend.versions reports
    instructions = ["avx512", "avx512_bf16"] # where it was seen; also by kernel library: { onednn = { not = "off" } }
    verified = ["avx2"]                      # where a strict run found it so: tensorproof verified writes it
    reason = "CPU kernels for the gradient are missing"

    [[known_failure]]                        # accepts a numerical mismatch only
    operation = "softplus"
    explanation = "…"                        # what anyone can check in plain framework code
    issue = "https://…"
    sometimes = true                         # a failure that comes and goes, as of memory that nobody wrote: it counts each time,
                                             # and versions must say where it was seen, since no run shows that it has gone

    [[known_program]]                        # a finding of tensorproof fuzz, which then goes on behind it: a failure that is
    program = "v0: float32[9]; v1 = exp(v0) -> v1"  # shrunk to these calls (a list: to one of them), whatever the shapes; it is
    mode = "compile"                         # stale if it passes in these; also dtype, device, platform, versions, instructions
    explanation = "…"

    [[convention]]                           # which reading of the operation this backend has; it is held to it wherever a
    operation = "batch_norm"                 # sample leaves the choice open
    keywords = { running_variance_estimate = "biased" }
    reason = "…"

    [[precision]]
    operation = ["matmul", "dense"]
    device = "cuda"
    matmul_input_bits = 11                   # 24, 16 (bf16x3), 11 (TF32), 8 (bfloat16)
    accumulate = "float32"                   # or "same"
    casts = "wide"                           # of cast: compiled code may go on with the digits that a cast drops ("rounded")
    reason = "…"

    [[device]]                               # a device of an existing framework, brought up without touching its plugin
    name = "privateuseone:0"
    dtypes = ["float32"]
    modes = ["eager"]

``attempt = false`` in an ``unsupported`` table keeps ``--strict-declarations`` from trying the case: for calls that crash or
hang.
"""

import functools
import platform
import re
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from tensorproof.errors import UsageError, printable
from tensorproof.instructions import level_of
from tensorproof.instructions import name_of as name_of_sets
from tensorproof.lines.reading import name_of
from tensorproof.lines.schema import problem_of, validator_of
from tensorproof.lines.toml import read_toml
from tensorproof.operation_table import did_you_mean
from tensorproof_reference import trees
from tensorproof_reference.operation import DTYPES, Operation, Sample, outline_of

KINDS = ("unsupported", "known_failure", "known_program", "convention", "precision", "device")
EXPLANATION = {
    "unsupported": "reason",
    "known_failure": "explanation",
    "known_program": "explanation",
    "convention": "reason",
    "precision": "reason",
}
NAMES = ("operation", "sample", "dtype", "mode", "device", "check")
CONDITIONS = (*NAMES, "keywords", "given", "absent", "platform", "versions", "instructions")
EXTRA = {
    "unsupported": ("reason", "issue", "finding", "attempt", "verified"),
    "known_failure": ("explanation", "issue", "finding", "sometimes", "verified"),
    "known_program": (
        *("program", "dtype", "mode", "device", "platform", "versions", "instructions"),
        *("explanation", "issue", "finding"),
    ),
    "convention": ("operation", "keywords", "platform", "versions", "reason"),
    "precision": ("reason", "matmul_input_bits", "accumulate", "casts"),
    "device": ("name", "dtypes", "modes"),
}
A_PROGRAM = "v0: float32[9]; v1 = exp(v0) -> v1"
CHECKS = ("forward", "gradient", "subset", "purity", "fused", "randomness", "training", "fitting", "declared", "adapter")


class DeclarationError(ValueError):
    """A declaration that cannot be read, or that names nothing; the message says where and what to type instead."""


@dataclass(frozen=True)
class Declaration:
    """One table of a declarations file."""

    kind: str
    table: Mapping[str, Any]
    source: str
    """File and number of the table, for messages: ``declarations.toml: unsupported 3``."""

    @property
    def text(self) -> str:
        """The reason or explanation."""
        return str(self.table.get(EXPLANATION.get(self.kind, ""), ""))


@dataclass(frozen=True)
class Situation:
    """What conditions are tested against: one check of one sample in one dtype, mode and device."""

    operation: str
    sample: str
    dtype: str
    mode: str
    device: str
    check: str
    keywords: Mapping[str, Any]
    arguments: frozenset[str]
    """The last words of the paths of the array arguments that are given."""


def argument_names(sample: Sample) -> frozenset[str]:
    """The names of the array arguments that a sample gives, by the last word of their path."""
    inputs = outline_of(sample.inputs)
    names = set(inputs) - {name for name, value in inputs.items() if value is None}
    return frozenset(names | {path.split(".")[-1] for path, _ in trees.leaves(dict(inputs))})


def read_declarations(
    path: Path, operations: Mapping[str, Operation], modes: Iterable[str], samples: Mapping[str, Collection[str]]
) -> list[Declaration]:
    """The declarations of a file, checked against the specification.

    ``samples`` are the names by operation. A table that may speak of an operation that it lacks has its samples not looked up: a
    run draws those of its own operations only.

    Raises:
        DeclarationError: the file cannot be read, or a table is malformed or names nothing.
    """
    try:
        _, document = read_toml(path, "declarations file ")
    except UsageError as error:
        raise DeclarationError(str(error)) from None
    found = []
    for kind, tables in document.items():
        if kind not in KINDS:
            raise DeclarationError(f"{path.name}: no kind of declaration is called {kind!r}{did_you_mean(kind, KINDS)}")
        if not (isinstance(tables, list) and all(isinstance(table, dict) for table in tables)):
            raise DeclarationError(f"{path.name}: {kind} must be a list of tables, written [[{kind}]]")
        for number, table in enumerate(tables, start=1):
            source = f"{name_of(path)}: {kind} {number}"
            _check_table(kind, table, source, operations, tuple(modes))
            _check_samples(table, source, operations, samples)
            found.append(Declaration(kind, table, source))
    return found


@functools.cache
def _validator() -> Any:
    """The form of a table, from ``declarations.schema.json``."""
    return validator_of("tensorproof.contract", "declarations.schema.json", "table")


def _strings(value: Any, source: str, key: str) -> list[str]:
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str) for item in items):
        raise DeclarationError(f"{source}: {key}: expected a name or a list of names, got {value!r}")
    return items


def _check_table(
    kind: str, table: Mapping[str, Any], source: str, operations: Mapping[str, Operation], modes: Sequence[str]
) -> None:
    allowed = EXTRA[kind] if kind in ("device", "convention", "known_program") else (*CONDITIONS, *EXTRA[kind])
    for key in table:
        if key not in allowed:
            said = (
                f" ({EXPLANATION[kind]!r} is the word in [[{kind}]])" if key in EXPLANATION.values() and kind != "device" else ""
            )
            raise DeclarationError(f"{source}: unknown key {key!r}{said or did_you_mean(key, allowed)}")
    if table.get("matmul_input_bits", 24) not in (24, 16, 11, 8):
        raise DeclarationError(f"{source}: matmul_input_bits: expected 24, 16, 11 or 8, got {table['matmul_input_bits']!r}")
    if table.get("accumulate", "float32") not in ("float32", "same"):
        raise DeclarationError(f"{source}: accumulate: expected 'float32' or 'same', got {table['accumulate']!r}")
    if table.get("sometimes") is True and not table.get("versions"):
        raise DeclarationError(f"{source}: sometimes: name the versions that it was seen in, since no run shows that it has gone")
    if table.get("casts", "rounded") not in ("rounded", "wide"):
        raise DeclarationError(f"{source}: casts: expected 'rounded' or 'wide', got {table['casts']!r}")
    problem = problem_of(_validator(), table)
    if problem:
        where, _, what = problem.partition(": ")
        if "anyOf" in what:
            key = where.split(".")[0]
            wanted = "a value, or not, any_of or none_of" if key in ("keywords", "instructions") else "a name or a list of names"
            what = printable(f"expected {wanted}, got {table.get(key)!r}"[:300])
        raise DeclarationError(f"{source}: {where}: {what}" if what else f"{source}: {where}")
    if kind == "device":
        if not isinstance(table.get("name"), str):
            raise DeclarationError(f"{source}: name: expected the device's name, got {table.get('name')!r}")
    elif not str(table.get(EXPLANATION[kind], "")).strip():
        raise DeclarationError(f"{source}: {EXPLANATION[kind]}: a declaration says why")
    known: dict[str, Iterable[str]] = {"operation": operations, "dtype": DTYPES, "mode": modes, "check": CHECKS}
    for key, names in known.items():
        for name in _strings(table.get(key, []), source, key):
            if name not in names:
                raise DeclarationError(f"{source}: no {key} is called {name!r}{did_you_mean(name, names)}")
    for key in ("dtypes", "modes"):
        for name in _strings(table.get(key, []), source, key):
            if name not in known[key[:-1]]:
                raise DeclarationError(f"{source}: no {key[:-1]} is called {name!r}{did_you_mean(name, known[key[:-1]])}")
    if kind == "convention":
        _check_convention(table, source, operations)
    if kind == "known_program":
        _check_program(table, source, operations)
    for name, condition in table.get("keywords", {}).items():
        if isinstance(condition, Mapping) and not set(condition) <= {"not", "any_of", "none_of"}:
            raise DeclarationError(f"{source}: keywords: {name}: expected a value, or not, any_of or none_of, got {condition!r}")
    for name, specifier in table.get("versions", {}).items():
        try:
            SpecifierSet(specifier)
        except InvalidSpecifier:
            raise DeclarationError(f"{source}: versions: {name} = {specifier!r} is no version specifier") from None
    _strings(table.get("verified", []), source, "verified")
    instructions = table.get("instructions", [])
    for library, wanted in (instructions if isinstance(instructions, Mapping) else {"instructions": instructions}).items():
        _strings([] if isinstance(wanted, Mapping) else wanted, source, f"instructions: {library}")
        if isinstance(wanted, Mapping) and not set(wanted) <= {"not", "any_of", "none_of"}:
            raise DeclarationError(
                f"{source}: instructions: {library}: expected a name, or not, any_of or none_of, got {wanted!r}"
            )


def _check_samples(
    table: Mapping[str, Any], source: str, operations: Collection[str], samples: Mapping[str, Collection[str]]
) -> None:
    named = _strings(table.get("operation", list(operations)), source, "operation")
    if any(operation not in samples for operation in named):
        return
    known = {name for operation in named for name in samples[operation]}
    for name in _strings(table.get("sample", []), source, "sample"):
        if name not in known and name != "none":
            there = f"; it has: {', '.join(sorted(known))}" if len(named) == 1 else ""
            raise DeclarationError(
                f"{source}: no sample of {', '.join(named[:3])} is called {name!r}{did_you_mean(name, known)}{there}"
            )


def _check_convention(table: Mapping[str, Any], source: str, operations: Mapping[str, Operation]) -> None:
    names = _strings(table.get("operation", []), source, "operation")
    if not names or not table.get("keywords"):
        raise DeclarationError(f"{source}: a convention names its operation and its keywords")
    for name in names:
        for keyword, value in table["keywords"].items():
            conventions = operations[name].conventions
            if keyword not in conventions:
                raise DeclarationError(f"{source}: {name} has no convention {keyword!r}{did_you_mean(keyword, conventions)}")
            if value not in conventions[keyword]:
                choices = ", ".join(map(repr, conventions[keyword]))
                raise DeclarationError(f"{source}: {keyword}: expected one of {choices}, got {value!r}")


def _check_program(table: Mapping[str, Any], source: str, operations: Mapping[str, Operation]) -> None:
    texts = _strings(table.get("program", []), source, "program")
    for text in texts:
        called = re.findall(r"v\d+ = (\w+)\(", text)
        shapes = re.match(r"v\d+: \w+\[[\d, ]*\](, v\d+: \w+\[[\d, ]*\])*; ", text)
        if not called or not shapes or not re.search(r" -> v\d+(, v\d+)*$", text):
            raise DeclarationError(f"{source}: program: expected a finding's text, as {A_PROGRAM!r}, got {text!r}")
        for name in called:
            if name not in operations:
                raise DeclarationError(f"{source}: no operation is called {name!r}{did_you_mean(name, operations)}")
    if not texts:
        raise DeclarationError(f"{source}: program: say which calls are known to fail, as {A_PROGRAM!r}")


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def _keyword_matches(condition: Any, value: Any) -> bool:
    value = _plain(value)
    if isinstance(condition, Mapping):
        return all(
            (value in item if key == "any_of" else value not in item) if key != "not" else value != item
            for key, item in condition.items()
        )
    return bool(value == condition)


def in_force(
    declaration: Declaration, versions: Mapping[str, str], kernels: Mapping[str, str], system: str = sys.platform
) -> bool:
    """Whether a declaration speaks of a platform (this one), these versions and these instruction sets (by kernel library)."""
    table = declaration.table
    if "platform" in table and system not in _strings(table["platform"], declaration.source, "platform"):
        return False
    if not _instructions_match(table.get("instructions"), kernels, declaration.source):
        return False
    for name, specifier in table.get("versions", {}).items():
        installed = versions.get(name, platform.python_version() if name == "python" else None)
        try:
            if installed is None or not SpecifierSet(specifier).contains(Version(installed), prereleases=True):
                return False
        except InvalidVersion:
            return False
    return True


def _instructions_match(condition: Any, kernels: Mapping[str, str], source: str) -> bool:
    if condition is None:
        return True
    if not isinstance(condition, Mapping):
        return level_of(name_of_sets(kernels)) in _strings(condition, source, "instructions")
    return all(
        library in kernels
        and (
            _keyword_matches(wanted, kernels[library])
            if isinstance(wanted, Mapping)
            else kernels[library] in _strings(wanted, source, library)
        )
        for library, wanted in condition.items()
    )


def verified_on(declaration: Declaration, instructions: str) -> bool:
    """Whether a declaration was verified on an instruction set, or is not bound to any."""
    return instructions in declaration.table.get("verified", [instructions])


def matches(declaration: Declaration, situation: Situation) -> bool:
    """Whether all conditions of a declaration hold."""
    table = declaration.table
    for key in NAMES:
        if key in table and getattr(situation, key) not in _strings(table[key], declaration.source, key):
            return False
    for name, condition in table.get("keywords", {}).items():
        if name not in situation.keywords or not _keyword_matches(condition, situation.keywords[name]):
            return False
    given = table.get("given", [])
    absent = table.get("absent", [])
    return all(name in situation.arguments for name in given) and not any(name in situation.arguments for name in absent)
