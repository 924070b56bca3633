"""Make the example reports from records of real runs, and their pictures in ``docs/images``.

``python docs/examples.py torch.ndjson jax.ndjson tensorflow.ndjson numpy.ndjson`` takes records of conformance and of timings;
``--history=DIR`` adds nights. The reports are a site in ``build/examples``, which any static host can serve. It needs Chromium
and the extra ``browser``.
"""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tensorproof.cli import main as tensorproof

ROOT = Path(__file__).parents[1]
SITE = ROOT / "build" / "examples"
IMAGES = Path(__file__).parent / "images"

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
    ("operation.png", "operations/conv2d.html", WINDOW, ()),
    ("operation_telephone.png", "operations/conv2d.html", TELEPHONE, ()),
)
"""The name of each picture, the page, the window, and what is clicked first."""


def main() -> int:
    """Write the site of the records, and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--history", default=None, metavar="DIR")
    options = parser.parse_args()
    executable = shutil.which("chromium")
    if executable is None:
        sys.exit("no Chromium is installed: apt-get install chromium")
    nights = [f"--history={options.history}"] if options.history else []
    code = tensorproof(["report", *options.runs, *nights, "--site", str(SITE)])
    if code:
        return code
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        for name, address, window, clicks in PICTURES:
            page = browser.new_context(**window).new_page()
            place, _, anchor = address.partition("#")
            page.goto(f"{(SITE / place).as_uri()}#{anchor}")
            for selector in clicks:
                page.click(selector)
            if clicks:
                page.wait_for_selector("#case-body table")
            page.screenshot(path=IMAGES / name)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
