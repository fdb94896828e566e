"""Takes the pictures of docs/gallery.md from a report, in the browser that the tests drive.

`PYTHONPATH=tests python -m report.gallery REPORT DOCS --view VIEW`
"""

import argparse
from pathlib import Path

from PIL import Image
from report.browser import Browser, find_chromium


def take(browser: Browser, report: Path, picture: Path, *, width: int, height: int, scheme: str, view: str) -> None:
    """Write what a window of this size shows of the report at the address `view`."""
    browser.prefer(scheme)
    browser.open(report, width, height, view)
    browser.run("document.getElementById(location.hash.slice(1))?.scrollIntoView({behavior: 'instant'})")
    browser.settle()
    browser.screenshot(picture, whole=False)
    with Image.open(picture) as taken:  # 256 colours are enough, and take a third of the bytes
        small = taken.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    small.save(picture, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("docs", type=Path, help="the folder to write the pictures to")
    parser.add_argument("--view", required=True, help="the video to show, as the report's address has it behind the #")
    options = parser.parse_args()
    program = find_chromium()
    if program is None:
        parser.error("no chromium or google-chrome on the PATH (set AMSX_CHROMIUM)")
    browser = Browser(program)
    view = f"#{options.view}"
    for name, width, height, scheme, address in (
        ("results", 1160, 1180, "light", ""),
        ("video", 1160, 1070, "dark", view),
        ("errors", 1160, 800, "light", "#errors"),
        ("phone", 390, 844, "light", "#results"),
    ):
        picture = options.docs / f"gallery-{name}.png"
        take(browser, options.report, picture, width=width, height=height, scheme=scheme, view=address)
        print(f"{picture}: {picture.stat().st_size / 1000:.0f} kB")
    browser.close()


if __name__ == "__main__":
    main()
