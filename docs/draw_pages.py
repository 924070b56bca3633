"""Write the pictures of pages in this folder: ``python docs/draw_pages.py torch.ndjson jax.ndjson tensorflow.ndjson``.

The records are of conformance. It needs Chromium and the extra ``browser``.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tensorproof.runs.records import read_record
from tensorproof_reports.page import write_page

DOCUMENTS = Path(__file__).parent
SIZE = {"width": 1280, "height": 800}
CHECK = "#matrix-table td.known_failure[data-op=softmax]"


def main() -> None:
    """Write the page of the records, and take the pictures."""
    executable = shutil.which("chromium")
    if executable is None or len(sys.argv) < 2:
        sys.exit("usage: python docs/draw_pages.py RECORD…, with Chromium installed")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        path = Path(folder) / "page.html"
        write_page((read_record(Path(name)) for name in sys.argv[1:]), path)
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(viewport=SIZE).new_page()
        page.goto(f"{path.as_uri()}#matrix")
        page.wait_for_selector("html[data-ready]", state="attached")
        page.screenshot(path=DOCUMENTS / "page.png")
        page.click(CHECK)
        page.click("#operation-body tbody th a")
        page.wait_for_selector("#case-body table")
        page.screenshot(path=DOCUMENTS / "page_check.png")
        browser.close()


if __name__ == "__main__":
    main()
