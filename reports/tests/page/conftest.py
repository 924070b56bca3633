"""Made-up records of conformance, of any size and the same each time, and a browser to open pages in."""

import functools
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import made_lines
import pytest

from tensorproof.contract.backends import specification
from tensorproof.runs.records import Record
from tensorproof_reports.page import no_earlier_run, write_page

HEADER = made_lines.run(
    specification="146.146", backend="torch", dtypes=["float64", "float32", "bfloat16", "float16"],
    modes={"eager": "all", "compile": "spread"}, versions={"torch": "2.13"}, arithmetic={"TF32": "off"},
    sources={"softmax": "native"}, defaults={"adam": {"learning_rate": "0.001", "epsilon": "1e-08"}},
)  # fmt: skip

CHECKS = ("forward", "gradient", "fused", "purity")
DTYPES = ("float64", "float32", "bfloat16", "float16")


def finding(source: random.Random, place: str, output: str, wrong: bool) -> dict[str, Any]:
    """One judged output, with numbers as random as real ones."""
    bars = 10 ** source.uniform(1.1, 6) if wrong else source.uniform(0, 3)
    got, expected = source.gauss(0, 1), source.gauss(0, 1)
    index = [source.randrange(18), source.randrange(17)]
    line = f"{place} {output}: {bars:.3g} bars from the reference (limit 10) at {index}: got {got}, expected {expected} ± 1e-9"
    told: dict[str, Any] = {
        "output": output, "label": f"{place} {output}", "outcome": "failed" if wrong else "passed", "reason": "bars",
        "line": line, "size": 306, "outside": source.randrange(1, 306) if wrong else 0, "largest_z": bars, "rms_z": bars / 3,
        "share": bars / 10, "index": index, "got": got, "expected": expected, "bar": source.uniform(1e-9, 1e-8),
        "ulp": source.uniform(0, 1e6),
    }  # fmt: skip
    if wrong:
        told |= {"input": {"x": source.gauss(0, 1)}, "shapes": {"x": [18, 17]}, "keywords": {"axis": "-1"}, "fits": []}
    return told


def check(source: random.Random, operation: str, sample: str, dtype: str, mode: str, kind: str, wrong: bool) -> dict[str, Any]:
    """A check's line of a record."""
    place = f"{operation} {sample} {dtype}"
    outputs = ["y"] if kind == "forward" else [] if kind == "purity" else ["y", "d_x", "d_w"]
    findings = [finding(source, place, output, wrong) for output in outputs]
    return {
        "kind": "check", "check": kind, "operation": operation, "operation_version": 1, "sample": sample, "sample_version": 1,
        "dtype": dtype, "mode": mode, "required": True, "status": "failed" if wrong else "passed",
        "message": findings[0]["line"] if findings else "inputs unchanged, results repeat", "findings": findings,
        "declaration": "", "stale": False, "unverified": False, "traceback": "",
        "inputs": f"{source.getrandbits(64):016x}", "source": "native", "placement": "cpu",
        "duration_ns": source.randrange(10**6, 10**8), "framework_ns": source.randrange(10**6),
        "command": f"tensorproof check torch --op={operation} --check={kind} --sample={sample} --dtype={dtype} --mode={mode}",
    }  # fmt: skip


def made_record(count: int, wrong: float = 0.0, seed: int = 0, **header: Any) -> Record:
    """A record of ``count`` checks, a share of them ``wrong``, of operations that the specification has."""
    checks = list(made_checks(count, wrong, seed))
    return Record({**HEADER, "planned": count, **header}, checks, end={"kind": "end"}, name=f"made_{seed}.ndjson")


@functools.lru_cache(maxsize=4)
def made_checks(count: int, wrong: float, seed: int) -> list[dict[str, Any]]:
    """Its checks; they are shared by tests, which change none."""
    source = random.Random(seed)
    names = list(specification())
    checks: list[dict[str, Any]] = []
    sample = 0
    while len(checks) < count:
        for name in names:
            for dtype in DTYPES:
                checks += [
                    check(source, name, f"sample_{sample}", dtype, mode, kind, source.random() < wrong)
                    for mode in ("eager", "compile")
                    for kind in CHECKS
                ]
        sample += 1
    return checks[:count]


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
        records: Any, timings: Any = (), fragment: str = "", earlier: Any = no_earlier_run, history: Any = None, **settings: Any
    ) -> Opened:
        path = tmp_path / f"page_{len(found)}.html"
        write_page(records, path, timings, earlier, history)
        found.append(Opened(browser, path, fragment, settings))
        return found[-1]

    yield opened
    for one in found:
        one.context.close()
