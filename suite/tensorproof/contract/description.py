"""What a backend says of itself, as plain data: enough to list its cases without importing its framework again."""

import importlib
import json
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tensorproof.backend import Backend, PluginError, Unsupported
from tensorproof.contract import outside
from tensorproof.contract.backends import installed, load, specification
from tensorproof.contract.declarations import Declaration
from tensorproof.contract.models import implementation_of
from tensorproof.errors import UsageError, printable, sentence
from tensorproof.instructions import name_of, require_known
from tensorproof.operation_table import did_you_mean
from tensorproof.processes import answer_apart, interruption, run_apart
from tensorproof_reference.operation import DTYPES, Sample
from tensorproof_reference.rounding import HELD, INTEGERS

INDICES = ("int64", "bool")
"""Dtypes that every backend has, for indices and masks."""
HOLDABLE = (*HELD, *INTEGERS, "bool")
"""The dtypes that an array may have where a sample says so."""
SCOPES = ("all", "float32", "spread")
IMPORT_SECONDS = 300


@dataclass(frozen=True)
class Description:
    """A backend on one device."""

    backend: str
    device: str
    dtypes: tuple[str, ...]
    modes: dict[str, str]
    sources: dict[str, str]
    """Implemented operations, each with ``native``, ``library`` or ``composed``."""
    reasons: dict[str, str]
    """Operations that the framework has not, each with the reason."""
    versions: dict[str, str]
    arithmetic: dict[str, str]
    defaults: dict[str, dict[str, str]]
    """What the framework does unless told otherwise, by operation."""
    declarations: str | None
    """Path of the plugin's declarations."""
    kernels: dict[str, str] = field(default_factory=dict)
    """The highest instruction set that each kernel library may use."""
    held: tuple[str, ...] = ()
    """Other dtypes that single arrays may have."""
    variants: dict[str, str] = field(default_factory=dict)
    """Modes outside the default scope. Those that a run asks for are among its ``modes`` too."""

    @property
    def every_mode(self) -> dict[str, str]:
        """The modes, and then the variants."""
        return {**self.modes, **self.variants}

    def modes_asked(self, names: Collection[str]) -> list[str]:
        """Those of the modes and variants that are named; the modes if none is."""
        return [mode for mode in self.every_mode if mode in names] if names else list(self.modes)

    @property
    def available(self) -> frozenset[str]:
        """All dtypes that an array may have."""
        return frozenset({*self.dtypes, *self.held, *INDICES})

    @property
    def instructions(self) -> str:
        """The name of the instruction sets in use: part of the device's identity."""
        return name_of(self.kernels)


def lacking(sample: Sample, available: Collection[str]) -> list[str]:
    """The dtypes that a sample names and that are not available."""
    return [dtype for dtype in dict.fromkeys(sample.own_dtypes.values()) if dtype not in available]


def described(answer: Mapping[str, Any]) -> Description:
    """A description that has come as JSON."""
    return Description(**{**answer, **{name: tuple(answer[name]) for name in ("dtypes", "held")}})


def describe(backend: Backend, device: str | None) -> Description:
    """Open a device (the backend's first by default) and describe the backend on it.

    Raises:
        UsageError: the device is absent, or the plugin breaks the contract.
    """
    try:
        chosen = device or next(iter(backend.devices()), None)
        if chosen is None:
            raise PluginError("devices: expected at least one device, got none")
        try:
            backend.open_device(chosen)
        except ValueError as error:
            raise UsageError(f"backend {backend.name!r}: {error}") from error
        dtypes = tuple(backend.dtypes(chosen))
        for dtype in dtypes:
            if dtype not in DTYPES:
                raise PluginError(f"dtypes: no dtype is called {dtype!r}{did_you_mean(dtype, DTYPES)}")
        if not dtypes or len(set(dtypes)) < len(dtypes):
            raise PluginError(f"dtypes: expected different dtypes, at least one, got {dtypes}")
        held = tuple(dtype for dtype in backend.held_dtypes(chosen) if dtype not in dtypes)
        for dtype in held:
            if dtype not in HOLDABLE:
                raise PluginError(f"held_dtypes: no dtype is called {dtype!r}{did_you_mean(dtype, HOLDABLE)}")
        _check_modes("modes", backend.modes)
        _check_modes("variants", backend.variants)
        for mode in backend.variants:
            if mode in backend.modes:
                raise PluginError(f"variants: {mode} is one of the modes already")
        return Description(
            backend=backend.name,
            device=chosen,
            dtypes=dtypes,
            modes=dict(backend.modes),
            sources={name: item.source for name in specification() if (item := implementation_of(backend, name))},
            reasons=dict(backend.operations.reasons),
            versions={name: str(version) for name, version in {**backend.versions(), **outside.versions()}.items()},
            arithmetic={name: str(value) for name, value in backend.arithmetic(chosen).items()},
            defaults={
                operation: {name: str(value) for name, value in of_operation.items()}
                for operation, of_operation in backend.defaults().items()
            },
            declarations=str(backend.declarations) if backend.declarations else None,
            kernels={library: str(level) for library, level in backend.instructions(chosen).items()},
            held=held,
            variants=dict(backend.variants),
        )
    except UsageError:
        raise
    except BaseException as error:
        if interruption():
            raise KeyboardInterrupt from None
        raise UsageError(f"backend {backend.name!r}: its plugin is broken: {sentence(error)}") from error


def _check_modes(attribute: str, modes: Mapping[Any, Any]) -> None:
    """Refuse modes that are not as the contract has them.

    Raises:
        PluginError: a name is no text, or a scope is none.
    """
    for mode, scope in modes.items():
        if not isinstance(mode, str):
            raise PluginError(f"{attribute}: expected a text as a mode's name, got {mode!r}")
        if scope not in SCOPES:
            raise PluginError(f"{attribute}: {mode}: expected one of {', '.join(SCOPES)}, got {scope!r}")


def with_variants(description: Description, names: Collection[str], thorough: bool) -> Description:
    """The description of a run that asks for modes by name, or for all: with these variants among its modes."""
    asked = {mode: scope for mode, scope in description.variants.items() if thorough or mode in names}
    return replace(description, modes={**description.modes, **asked})


def on_declared_device(description: Description, declarations: Iterable[Declaration]) -> Description:
    """The description with the dtypes and modes that a ``[[device]]`` declaration gives this device."""
    for declaration in declarations:
        table = declaration.table
        if declaration.kind == "device" and table["name"] == description.device:
            dtypes = tuple(table.get("dtypes", description.dtypes))
            named = table.get("modes", description.every_mode)
            modes, variants = (
                {mode: known[mode] for mode in named if mode in known} for known in (description.modes, description.variants)
            )
            return replace(description, dtypes=dtypes, modes=modes, variants=variants)
    return description


def describe_apart(name: str, device: str | None, modules: Sequence[str] = ()) -> Description:
    """Describe a backend from a process of its own, so that this one stays small and outlives a crash.

    ``modules`` are imported first (pytest's ``-p`` plugins, which may make a device).

    Raises:
        UsageError: as ``load`` and ``describe``, and when the process dies or hangs.
    """
    return described(_ask(name, {"device": device, "modules": list(modules)}))


def switches_for(name: str, level: str, modules: Sequence[str] = ()) -> dict[str, str]:
    """The environment variables that keep a backend's kernels to an instruction set, asked in a process of its own.

    Raises:
        UsageError: as ``describe_apart``, or the processor has no such set, or the backend no such switch.
    """
    require_known(level)
    answer: dict[str, str] = _ask(name, {"switches": level, "modules": list(modules)})
    return answer


def _ask(name: str, question: dict[str, Any]) -> dict[str, Any]:
    if name not in installed():
        load(name)  # raises, without importing anything
    request = json.dumps({**question, "name": name, "path": sys.path})
    done = run_apart("tensorproof.contract.description", request, IMPORT_SECONDS)
    if done.code is None:
        raise UsageError(f"backend {name!r}: importing it took longer than {IMPORT_SECONDS} s")
    answer: dict[str, Any] | None = done.answer
    if answer is None:
        raise UsageError(f"backend {name!r}: importing it ended the process ({done.ending}): {printable(done.last_line)}")
    if "error" in answer:
        raise UsageError(answer["error"])
    return answer


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    sys.path[:] = request["path"]
    try:
        for module in request["modules"]:
            importlib.import_module(module)
        backend = load(request["name"])
        if "switches" in request:
            return dict(backend.instruction_switches(request["switches"]))
        return asdict(describe(backend, request["device"]))
    except Unsupported as error:
        return {"error": f"--instructions: backend {request['name']!r}: {error}"}
    except UsageError as error:
        return {"error": str(error)}


if __name__ == "__main__":
    answer_apart(_answer)
