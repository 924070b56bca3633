"""What a conformance run shows in a terminal: progress instead of a dot for each check, and the verdict at the very end."""

from collections.abc import Generator
from typing import Any

import pytest

from tensorproof.errors import shown
from tensorproof.runs.progress import Progress
from tensorproof.runs.run import Run


class TerminalPlugin:
    """The hooks of a run's controller that write. With ``-v`` pytest names each check, as ever."""

    def __init__(self, config: pytest.Config, run: Run) -> None:
        self.config = config
        self.run = run
        self.progress: Progress | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Begin to count."""
        reporter = self._reporter()
        if reporter is None or reporter.verbosity > 0 or self.config.option.usepdb:
            return
        writer = self.config.get_terminal_writer()

        def write(text: str) -> None:
            writer.write(text, flush=True)

        live = bool(reporter.isatty) and reporter.verbosity == 0
        self.progress = Progress(write, len(self.run.planned - self.run.before), writer.fullwidth, live)
        reporter.showfspath = False  # else the name of the file stands before the line
        reporter._show_progress_info = False  # pytest's own percentages; it has no option that can be set from here

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(self, report: Any) -> Generator[None, Any, Any]:
        """Print no letter for a check where its progress is shown in another way."""
        found = yield
        return (found[0], "", found[2]) if self.progress is not None and found else found

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Show how far the run is."""
        check = getattr(report, "tensorproof", None)
        if self.progress is not None and check is not None:
            self.progress.add(check)

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_testnodedown(self) -> None:
        """Make room for what xdist says of a worker that ended."""
        if self.progress is not None:
            self.progress.clear()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Make room for what follows."""
        if self.progress is not None:
            self.progress.clear()

    @pytest.hookimpl(tryfirst=True)
    def pytest_unconfigure(self) -> None:
        """The table of outcomes, where the record is, and the verdict: the last that a person reads."""
        reporter = self._reporter()
        if reporter is not None and self.run.ended:
            reporter._keyboardinterrupt_memo = None  # the lines below say why the run ended
        if reporter is not None and self.run.verdict:
            reporter.section("tensorproof")
            for line in (*self.run.lines, self.run.verdict):
                reporter.write_line(shown(line))

    def _reporter(self) -> Any:
        return self.config.pluginmanager.get_plugin("terminalreporter")
