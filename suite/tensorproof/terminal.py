"""What a command prints: output that outlasts its reader, progress instead of dots, and the verdict at the very end."""

import errno
import io
import os
import select
import sys
from collections.abc import Callable, Generator
from typing import Any, ClassVar

import pytest

from tensorproof.errors import shown
from tensorproof.runs.progress import Progress
from tensorproof.runs.run import COULD_NOT_GO_ON, Run


class LastingOutput(io.RawIOBase):
    """Standard output or error that goes on when nobody reads it any more, or its disk is full: what is printed then is dropped.

    A run is worth more than what it prints.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.problem: OSError | None = None
        """Why nothing can be written any more."""
        self.told = False
        """Whether that has been said."""

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """The descriptor, as those who ask for it write to it themselves."""
        return self.descriptor

    def isatty(self) -> bool:
        """Whether somebody may look at it."""
        return os.isatty(self.descriptor)

    def write(self, data: Any) -> int:
        """Write some of ``data``; how many bytes are done with."""
        while self.problem is None:
            try:
                return os.write(self.descriptor, data)
            except BlockingIOError:  # a pipe that somebody else made non-blocking is full
                select.select([], [self.descriptor], [])
            except OSError as error:
                self.problem = error
        return len(data)


class _Made:
    """The streams that took the place of standard output and error, by name. Pytest puts its own in theirs, for a while."""

    streams: ClassVar[dict[str, io.TextIOWrapper]] = {}


def make_outputs_last() -> None:
    """Let standard output and error outlast their readers. What took their place, as in a test, stays."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:  # it was closed before Python started
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for as long as the process lives
        elif stream is getattr(sys, f"__{name}__") and isinstance(stream, io.TextIOWrapper):
            stream.flush()
            buffer = io.BufferedWriter(LastingOutput(number))
            # A terminal may know less letters than a record has.
            lasting = io.TextIOWrapper(buffer, stream.encoding, "backslashreplace", line_buffering=stream.line_buffering)
            setattr(sys, name, lasting)
            _Made.streams[name] = lasting


def code_with_output(code: int) -> int:
    """The exit code of a command that ends with ``code``: another than 0 if what it printed is lost, and that is said.

    A reader that has seen enough (``head``, ``less``) is no fault.
    """
    for stream in _Made.streams.values():
        stream.flush()
    raw = _Made.streams["stdout"].buffer.raw if "stdout" in _Made.streams else None  # type: ignore[attr-defined]
    if not isinstance(raw, LastingOutput):
        return code
    if raw.problem is None or raw.problem.errno == errno.EPIPE:
        return code
    if not raw.told:
        raw.told = True
        print(f"ERROR: what was to be printed cannot be written: {raw.problem.strerror}", file=sys.stderr)
    return code or COULD_NOT_GO_ON


def line_writer(config: pytest.Config) -> Callable[[str], None]:
    """Writes a line to the terminal, unless it is to be plain."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return reporter.write_line if reporter is not None and config.option.verbose >= 0 else lambda text: None


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
        self.progress = Progress(write, self.run.to_do, self.run.kind, writer.fullwidth, live)
        reporter.showfspath = False  # else the name of the file stands before the line
        reporter._show_progress_info = False  # pytest's own percentages; it has no option that can be set from here

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Make room for what follows, and say in a sentence if a report of pytest's own cannot be written."""
        if self.progress is not None:
            self.progress.clear()
        try:
            return (yield)
        except OSError as error:
            if not session.config.option.xmlpath:
                raise
            self.run.lines.append(f"ERROR: --junit-xml: it cannot be written: {error.strerror}")
            session.exitstatus = COULD_NOT_GO_ON

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
