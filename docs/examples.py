"""Make the example reports from records of real runs, and their pictures in ``docs/images``.

``python docs/examples.py --measure build/records torch jax tensorflow numpy`` makes the records that the folder lacks: the quick
checks of each backend, timings of some operations, and nights of two operations in two backends, one after the other. That takes
about an hour on two cores; each run that is there already is kept.
``python docs/examples.py torch.ndjson jax.ndjson`` takes records that you have; ``--history=DIR`` adds nights.

The reports are a site in ``build/examples``, which any static host can serve. It needs Chromium and the extras ``browser``
and ``nightly``.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tensorproof.cli import main as tensorproof
from tensorproof.nightly.history import nights
from tensorproof.timing.results.records import read_timing_record

ROOT = Path(__file__).parents[1]
SITE = ROOT / "build" / "examples"
IMAGES = Path(__file__).parent / "images"

TIMED = ("adam", "conv2d", "layer_norm", "matmul", "softmax")
"""Operations whose timings are shown."""

WATCHED = ("matmul", "softmax")
"""Operations of the nights: few, so that a night takes a minute or two."""

NIGHTS = 6
"""The least with which the gates look at a series."""

WINDOW: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
TELEPHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 640}, "color_scheme": "dark"}
PICTURES = (
    ("page.png", "runs.html#matrix", WINDOW, ()),
    (
        "page_check.png",
        "runs.html#matrix",
        WINDOW,
        ("#matrix-table td.known_failure[data-op=softmax]", "#operation-body tbody th a"),
    ),
    ("page_timings.png", "runs.html#timings", WINDOW, ()),
    ("page_history.png", "runs.html#history", WINDOW, ()),
    ("operation.png", "operations/conv2d.html", WINDOW, ()),
    ("operation_telephone.png", "operations/conv2d.html", TELEPHONE, ()),
)
"""The name of each picture, the page, the window, and what is clicked first."""


def run(*arguments: str) -> None:
    """Run a command of tensorproof in a process of its own, as it should be measured; failing checks are no reason to stop."""
    code = subprocess.run([sys.executable, "-m", "tensorproof", *arguments], check=False).returncode
    if code not in (0, 1):
        sys.exit(f"tensorproof {' '.join(arguments)}: exit code {code}")


def measured(folder: Path, backends: Sequence[str]) -> tuple[list[str], Path]:
    """The records of the backends and the nights in a folder; what it lacks is measured first."""
    folder.mkdir(parents=True, exist_ok=True)
    records = []
    for backend in backends:
        records.append(folder / f"{backend}.ndjson")
        if not records[-1].exists():
            run("check", backend, "--quick", "--profile=all", "-q", f"--record={records[-1]}")
    frameworks = [backend for backend in backends if backend != "numpy"]  # the reference's own formulas are no contender
    if frameworks:
        records.append(folder / "timings.ndjson")
        chosen = [f"--op={name}" for name in TIMED]
        if not (records[-1].exists() and read_timing_record(records[-1]).complete):
            run("time", *frameworks, *chosen, "--workload=S", "--series-seconds=1", f"--record={records[-1]}", "--resume")
    history = folder / "nights"
    while len(nights(history)) < NIGHTS:
        chosen = [f"--op={name}" for name in WATCHED]
        places = [f"--env={backend}={sys.prefix}" for backend in (frameworks or backends)[:2]]
        run("nightly", f"--history={history}", *places, *chosen, "--workload=S", "--direction=forward")
    return [str(record) for record in records], history


def main() -> int:
    """Write the site of the records, and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a record, or with --measure a backend")
    parser.add_argument("--measure", type=Path, default=None, metavar="DIR", help="measure what this folder of records lacks")
    parser.add_argument("--history", default=None, metavar="DIR", help="a folder of nights")
    options = parser.parse_args()
    executable = shutil.which("chromium")
    if executable is None:
        sys.exit("no Chromium is installed: apt-get install chromium")
    runs, history = measured(options.measure, options.runs) if options.measure else (options.runs, options.history)
    told = [f"--history={history}"] if history else []
    code = tensorproof(["report", *runs, *told, "--site", str(SITE)])
    if code:
        return code
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        for name, address, window, clicks in PICTURES:
            page = browser.new_context(**window).new_page()
            place, _, anchor = address.partition("#")
            page.goto(f"{(SITE / place).as_uri()}#{anchor}")
            if anchor and not page.locator(f"#{anchor}").count():
                continue  # these records have no timings, or no nights
            for selector in clicks:
                page.click(selector)
            if clicks:
                page.wait_for_selector("#case-body table")
            page.screenshot(path=IMAGES / name)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
