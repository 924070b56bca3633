"""Made-up records of conformance as fixtures, and a browser to open pages in."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_records import HEADER, check, made_record

from tensorproof.runs.records import Record
from tensorproof_reports.page import no_earlier_run, write_page


@pytest.fixture(name="made", scope="session")
def made_fixture() -> Any:
    """The functions of this file, since tests do not import each other."""

    class Made:
        record = staticmethod(made_record)

        @staticmethod
        def check(operation: str = "softmax", sample: str = "plain_rows", wrong: bool = False, **changed: Any) -> dict[str, Any]:
            line = check(random.Random(1), operation, sample, "float32", "eager", "forward", wrong)
            return {**line, **changed}

        @staticmethod
        def of(*checks: dict[str, Any], **header: Any) -> Record:
            return Record({**HEADER, "planned": len(checks), **header}, list(checks), end={"kind": "end"}, name="made.ndjson")

    return Made


@pytest.fixture(name="browser", scope="session")
def browser_fixture() -> Iterator[Any]:
    """Chromium, driven by Playwright; what needs it is skipped where either is absent."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright is installed: pip install playwright")
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    options = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=executable, args=[*options, "--disable-component-update"])
        yield started
        started.close()


class Opened:
    """A page open in a browser, with what it asked for and what it complained of."""

    def __init__(self, browser: Any, path: Path, fragment: str, settings: dict[str, Any]) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.address = path.as_uri()
        self.page.goto(self.address + fragment)
        if settings.get("java_script_enabled", True):
            self.page.wait_for_selector("html[data-ready]", state="attached")

    def query(self, text: str) -> str:
        """Ask a query; what the page says of it."""
        self.page.fill("#query", text)
        self.page.press("#query", "Enter")
        return str(self.page.inner_text("#query-said"))


@pytest.fixture(name="opened")
def opened_fixture(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """A function that writes the page of records and opens it."""
    found: list[Opened] = []

    def opened(
        records: Any,
        timings: Any = (),
        fragment: str = "",
        earlier: Any = no_earlier_run,
        history: Any = None,
        campaigns: Any = (),
        **settings: Any,
    ) -> Opened:
        path = tmp_path / f"page_{len(found)}.html"
        write_page(records, path, timings, earlier, history, campaigns)
        found.append(Opened(browser, path, fragment, settings))
        return found[-1]

    yield opened
    for one in found:
        one.context.close()
