"""What a command line of pytest is about, conformance, timings or neither; what is refused, and left out, before it runs."""

from pathlib import Path
from typing import Any

import pytest

from tensorproof.errors import UsageError
from tensorproof.lines.outputs import require_place
from tensorproof.lines.reading import name_of, opened
from tensorproof.timing.front_door import BENCHMARKS

CONFORMANCE = BENCHMARKS.parent / "conformance"


def is_timing(config: pytest.Config) -> bool:
    """Whether this run is about timings: pytest-benchmark is told to run benchmarks only."""
    asked = bool(getattr(config.option, "benchmark_only", False))
    named = config.option.backend is not None or named_in(config, BENCHMARKS) or named_in(config, CONFORMANCE)
    return asked and bool(named)


def is_conformance(config: pytest.Config) -> bool:
    """Whether this run is about conformance: ``--backend`` is given, or what is collected is the conformance folder."""
    if is_timing(config):
        return False
    return config.option.backend is not None or bool(named_in(config, CONFORMANCE))


def named_in(config: pytest.Config, folder: Path) -> list[str]:
    """The arguments that name a folder of this package, or something in it."""
    start = config.invocation_params.dir
    paths = [(name, name.partition("::")[0]) for name in config.args]
    module = f"tensorproof.{folder.name}"
    return [name for name, path in paths if path.startswith(module) or (start / path).resolve().is_relative_to(folder)]


def require_own_checks(config: pytest.Config) -> None:
    """Refuse checks of another checkout than the package that is imported: their modules would be taken for tests of a stranger.

    Raises:
        UsageError: an argument is such a folder, or in one.
    """
    for name in config.args:
        path = (config.invocation_params.dir / name.partition("::")[0]).resolve()
        folder = next((item for item in (path, *path.parents) if item.parts[-2:] == CONFORMANCE.parts[-2:]), None)
        if folder is not None and folder != CONFORMANCE:
            raise UsageError(
                f"the checks in {folder} are not those of the installed tensorproof, which is {CONFORMANCE.parent}: "
                "install this checkout (pip install -e .), or run tensorproof check"
            )


def require_own_report(option: Any) -> None:
    """Refuse a place for pytest's own report, which replaces whatever is there, if that is no such report.

    Raises:
        UsageError: it is a file of this run, or holds something else.
    """
    if not getattr(option, "xmlpath", None):
        return
    path = Path(option.xmlpath)
    files = [Path(name) for name in (option.record, option.report, option.baseline, *option.declarations) if name]
    try:
        with opened(path) as file:
            head = file.read(200).lstrip()
    except OSError:
        head = b""  # nothing is there, or pytest says why it cannot be written
    require_place("--junit-xml", path, files, force=True)
    if head and not head.startswith((b"<?xml", b"<testsuite")) and path.is_file() and not option.force:
        raise UsageError(f"--junit-xml: {name_of(path)} is no report of pytest; give another name, or --force to replace it")


def leave_logs(config: pytest.Config) -> None:
    """Keep pytest from capturing logs, unless they are asked for: each time it visits all loggers, and frameworks have many."""
    plugin = config.pluginmanager.get_plugin("logging-plugin")
    if plugin is None or config.getini("log_cli"):
        return
    if not any(config.getoption(name) for name in ("log_level", "log_cli_level", "log_file")):
        config.pluginmanager.unregister(plugin)
        plugin.pytest_unconfigure()  # closes its file
