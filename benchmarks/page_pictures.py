"""The documentation's pictures of pages, drawn anew from a demo as it is.

    make demo && python -m benchmarks.page_pictures demo

Writes docs/images/{report,compare,radiologist,privacy,cluster,analysis,browse,map,review}.png by a headless Chromium
(`benchmarks.browse_page`; needs selenium, Debian's chromium and chromium-driver). What the demo lacks is left as it
is, and said.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

import curate
from benchmarks.browse_page import open_browser, visit
from curate.report.render import render
from pipelines.browse.bench import Bench
from pipelines.browse.map import make_map
from pipelines.browse.server import Server
from pipelines.survey.analyze import analyze

OUT = Path("docs/images")
PAGES = {  # below the demo's folder; px
    "report": ("run/report/index.html", 820, 2350),
    "compare": ("run/compare/*/index.html", 960, 675),
    "radiologist": ("run/report/radiologist.html", 820, 1160),
    "privacy": ("run/report/privacy.html", 820, 1160),
    "cluster": ("run/report/cluster.html", 1040, 700),
}
_COLOURS = 128


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("demo", type=Path, help="the folder of `make demo`")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args(arguments)
    args.out.mkdir(parents=True, exist_ok=True)
    for name, (place, width, height) in PAGES.items():
        drawn = sorted(args.demo.glob(place), key=lambda path: path.stat().st_mtime)
        if drawn:
            keep(args.out / f"{name}.png", photograph(drawn[-1], width, height))
        else:
            print(f"{name}.png: there is no {place}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        found = analyze([args.demo / "archive" / "dicom", args.demo / "archive" / "reports"])
        (folder / "index.html").write_text(render("analysis.html.j2", a=found), encoding="utf-8")
        keep(args.out / "analysis.png", photograph(folder / "index.html", 1300, 1330), 0.7)
        run = curate.open(args.demo / "run")
        make_map(run)
        bench = Bench(run, "anna")
        bench.marks.folder = folder  # the run's own review is left alone
        with Server(bench) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            faults = visit(server, 1300, False, folder, "")
            server.shutdown()
        if faults:
            raise SystemExit("\n".join(faults))
        keep(args.out / "browse.png", (folder / "cut-1300.png").read_bytes())
        keep(args.out / "map.png", (folder / "map-1300.png").read_bytes(), 0.7)
        keep(args.out / "review.png", (folder / "review-1300.png").read_bytes(), 0.7)


def photograph(page: Path, width: int, height: int) -> bytes:
    """The upper part of a page that is a file, as PNG."""
    browser = open_browser(width, False)
    try:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(page.resolve().as_uri())
        return bytes(browser.get_screenshot_as_png())
    finally:
        browser.quit()


def keep(path: Path, png: bytes, scale: float = 1.0) -> None:
    """The picture in few colours, a third of the bytes."""
    whole = Image.open(io.BytesIO(png)).convert("RGB")
    size = round(whole.width * scale), round(whole.height * scale)
    few = whole.resize(size, Image.Resampling.LANCZOS).quantize(_COLOURS, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    print(f"{path}: {few.width} x {few.height}, {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
