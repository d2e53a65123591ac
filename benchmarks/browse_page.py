"""`curate browse` in a headless Chromium: pictures of it, and whether it does what it should.

    python -m benchmarks.browse_page RUN FOLDER [--axe axe.min.js]

Needs selenium, Debian's chromium and chromium-driver; with --axe (npm's axe-core) accessibility is checked as well. At
390, 800 and 1300 px, light and dark: records, the cut moved, a record, a review. Ends with 1 where the console holds an
error, a request left for another place, a page is wider than its window, a key did not mark, or axe finds what is
serious.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import curate
from curate.report.words import MAP
from pipelines.browse.bench import Bench
from pipelines.browse.server import Server
from pipelines.browse.table import Query

WIDTHS = ((1300, False), (800, False), (390, False), (1300, True))


def open_browser(width: int, dark: bool) -> Any:
    """A Chromium with windows of ``width`` px."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    if dark:
        features = [{"name": "prefers-color-scheme", "value": "dark"}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    return browser


def until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """Wait for ``condition`` to be true and return its result; TimeoutError after ``seconds``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := condition():
            return result
        time.sleep(0.1)
    raise TimeoutError("the page does not come to what is waited for")


def serious_violations(browser: Any, axe: str) -> list[str]:
    """The rules that axe-core finds broken in earnest."""
    browser.execute_script(axe)
    run = "const done = arguments[0]; axe.run({preload: false}).then(done)"  # a page that is a file may fetch nothing
    violations = browser.execute_async_script(run)["violations"]
    return [v["id"] for v in violations if v["impact"] in ("serious", "critical")]


def visit(server: Server, width: int, dark: bool, folder: Path, axe: str) -> list[str]:
    """Faults at one width; pictures go into ``folder``."""
    browser = open_browser(width, dark)
    name = f"{width}{'-dark' if dark else ''}"
    faults: list[str] = []

    def capture(view: str) -> None:
        time.sleep(0.5)
        browser.save_screenshot(str(folder / f"{view}-{name}.png"))
        if browser.execute_script("return document.documentElement.scrollWidth > innerWidth"):
            faults.append(f"{view}-{name}: wider than its window")
        if axe:
            faults.extend(f"{view}-{name}: axe {rule}" for rule in serious_violations(browser, axe))

    run: Callable[..., Any] = browser.execute_script
    try:
        browser.get(server.address)
        until(lambda: run("return document.querySelectorAll('.card').length"))
        if "token" in browser.current_url:
            faults.append("the token stays in the address")
        run("for (const i of document.images) i.loading = 'eager'")
        until(lambda: run("return [...document.images].every((i) => i.complete)"))
        capture("records")
        move = "const s = document.getElementById('slider'); s.value = 400; s.dispatchEvent(new Event('input'))"
        if run("return !document.getElementById('cut-body').hidden"):
            run(move)
            until(lambda: run("return !document.getElementById('cut-set').hidden"))
            run("document.getElementById('cut-groups').open = true")
            capture("cut")
            run("document.getElementById('back').click()")
        for card, picture in (("", "record"), (":has(.none)", "")):  # the first record, and one without a picture
            if run(f"const b = document.querySelector('.card > button{card}'); b?.click(); return Boolean(b)"):
                until(lambda: run("return document.getElementById('one').open"))
                if picture:
                    capture(picture)
                run("document.getElementById('one').close()")
        run("document.getElementById('cut').open = false")
        _visit_map(server, run, capture)
        _mark_one(server, browser, capture)
    except TimeoutError as error:
        faults.append(f"{name}: {error}")
    faults += _logged(server, browser, name)
    browser.quit()
    return faults


def _visit_map(server: Server, run: Callable[..., Any], capture: Callable[[str], None]) -> None:
    """A click on a point of the map opens its record."""
    run("document.getElementById('map').open = true")
    if (server.bench.run.path / "report" / MAP).exists():
        until(lambda: run("return !document.getElementById('map-body').hidden"))
        run(
            "$('colour').value = 'body_part'; $('colour').dispatchEvent(new Event('change')); $('map').scrollIntoView()"
        )
        capture("map")
        places = "map.records.map((r, i) => [Math.hypot(map.x[i], map.y[i]), i]).sort((a, b) => a[0] - b[0])[0][1]"
        at = "[box.left + mapX(i) * box.width / 1400, box.top + mapY(i) * box.height / 900]"
        click = f"const i = {places}, box = $('plane').getBoundingClientRect(), [clientX, clientY] = {at};"
        click += " $('plane').dispatchEvent(new MouseEvent('click', {clientX, clientY})); return map.records[i].key"
        key = run(click)
        until(lambda: run("return document.querySelector('#one[open] code.key')?.textContent") == key)
        run("document.getElementById('one').close()")
    run("document.getElementById('map').open = false")


def _mark_one(server: Server, browser: Any, capture: Callable[[str], None]) -> None:
    """A record is marked by keyboard, and the sums are shown."""
    run: Callable[..., Any] = browser.execute_script
    until(lambda: run("return document.getElementById('review').open"))  # where there is a reviewer
    run("document.getElementById('begin').click()")
    until(lambda: run("return document.querySelector('#judged .side')"))
    before = len(server.bench.marks.mine())
    browser.find_element("tag name", "body").send_keys("g")
    until(lambda: len(server.bench.marks.mine()) == before + 1)
    run("document.getElementById('sums').open = true; document.getElementById('review').scrollIntoView()")
    until(lambda: run("return document.querySelector('#sums-told table')"))
    capture("review")


def _logged(server: Server, browser: Any, name: str) -> Iterator[str]:
    """Errors of the console, and requests to anybody else."""
    for entry in browser.get_log("browser"):
        if entry["level"] == "SEVERE":
            yield f"{name}: console: {entry['message']}"
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = message["params"]["request"]["url"]
            if not url.startswith((f"http://127.0.0.1:{server.port}/", "data:", "about:")):
                yield f"{name}: a request for {url}"


def timings(server: Server) -> dict[str, float]:
    """Milliseconds of the clock until a Chromium has drawn what was asked for, medians: first paint, first records, a
    filter, a page turn, a search, the cut moved (the slider waits 120 of them for another move)."""
    browser = open_browser(1300, False)
    drawn = """
        const done = arguments[1], at = document.getElementById(arguments[0]), began = performance.now();
        const later = (_, seen) => {
            seen.disconnect();
            requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
        };
        new MutationObserver(later).observe(at, {childList: true, characterData: true, subtree: true});
    """
    box = "document.querySelectorAll('#facets details[data-name=modality] input')[{}].click()"
    slide = "$('slider').value = {}; $('slider').dispatchEvent(new Event('input'))"
    search = "$('q').value = '{}'; $('search').requestSubmit()"
    acts = {
        "filter": [box.format(i % 2) for i in range(6)],
        "page turn": ["$('next').click()"] * 6,
        "search": [search.format(word) for word in ("pneumonia", "fracture", "mediastinal", "")],
        "cut moved": [slide.format(v) for v in (300, 420, 510, 640)],
    }
    try:
        browser.get(server.address)
        until(lambda: browser.execute_script("return document.querySelectorAll('.card').length"), 120)
        painted = "return performance.getEntriesByName('first-contentful-paint')[0].startTime"
        answered = "return performance.getEntriesByType('resource').find((e) => e.name.includes('records')).responseEnd"
        found = {name: browser.execute_script(of) for name, of in (("paint", painted), ("records", answered))}
        for name, steps in acts.items():
            at = "cut-told" if name == "cut moved" else "cards"
            times = [browser.execute_async_script(drawn + step, at) for step in steps]
            found[name] = statistics.median(times)
        return found
    finally:
        browser.quit()


def faults_of_page(page: Path, width: int, dark: bool, axe: str, folder: Path | None = None) -> list[str]:
    """Faults of a page that is a file: wider than its window, an error in the console, a request for another file (not
    in ``folder``) or place, what axe finds serious; so in print, too."""
    browser = open_browser(width, dark)
    name, inside = f"{page.name}-{width}{'-dark' if dark else ''}", (folder or page).as_uri()
    faults = []
    try:
        browser.get(page.as_uri())
        for medium in ("screen", "print"):
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": medium})
            wide = browser.execute_script("return document.documentElement.scrollWidth - innerWidth")
            faults += [f"{name}: {wide} px wider than its window in {medium}"] if wide > 0 else []
            if axe:
                faults += [f"{name}: axe {rule} in {medium}" for rule in serious_violations(browser, axe)]
        faults += [f"{name}: console: {e['message']}" for e in browser.get_log("browser") if e["level"] == "SEVERE"]
        for entry in browser.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                faults += [] if url.startswith((inside, "data:", "about:")) else [f"{name}: a request for {url}"]
    finally:
        browser.quit()
    return faults


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path, help="for the pictures")
    parser.add_argument("--timings", action="store_true", help="only how long a Chromium takes to show what is asked")
    parser.add_argument("--axe", type=Path, help="axe-core's axe.min.js")
    args = parser.parse_args(arguments)
    args.folder.mkdir(parents=True, exist_ok=True)
    axe = args.axe.read_text() if args.axe else ""
    bench = Bench(curate.open(args.run), "browser")
    with tempfile.TemporaryDirectory() as temporary, Server(bench) as server:
        bench.marks.folder = Path(temporary)  # the run's own review is left alone
        threading.Thread(target=server.serve_forever, daemon=True).start()
        if args.timings:
            bench.table.find(Query(text="once"))  # waits for the texts
            print(*(f"| {name} | {ms:.0f} |" for name, ms in timings(server).items()), sep="\n")
            server.shutdown()
            return 0
        faults = [fault for width, dark in WIDTHS for fault in visit(server, width, dark, args.folder, axe)]
        server.shutdown()
    print("\n".join(faults) or f"no faults{'' if axe else '; accessibility was not checked'}")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
