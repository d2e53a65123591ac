"""Pages as a headless Chromium shows them, at a phone's width, a tablet's, a desk's, dark and in print; skipped without
selenium, chromium and chromedriver. With `RADSIFT_TEST_AXE` (npm's axe.min.js) accessibility is checked too."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path

import pytest

import curate
from benchmarks.browse_page import WIDTHS, faults_of_page, open_browser, until, visit
from curate.report.words import PAGES
from pipelines.api import Run
from pipelines.browse.bench import Bench
from pipelines.browse.map import make_map
from pipelines.browse.server import Server
from pipelines.browse.static import write_static
from tests.inline import curate as command
from tests.pipelines.archive import make_archive, recipe_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (shutil.which("chromium") and shutil.which("chromedriver")), reason="no Chromium here"),
]
FILTERS = {"text_quality": {}, "dfn": {"epochs": 1, "batch": 8, "vocab": 512, "embeddings": True}}
PLAIN = {"filters": FILTERS, "select": {"by": "text_quality", "keep": 0.5}, "engine": {"workers": 1}}


@pytest.fixture(scope="module")
def run(secret_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    pytest.importorskip("selenium", reason="selenium drives the browser")
    folder = tmp_path_factory.mktemp("seen")
    archive = make_archive(folder / "a", 40, side=64, blank=0.1)
    run = curate.run(recipe_for(archive, folder / "run", secret_file, **PLAIN), quiet=True)
    make_map(run)
    return run


@pytest.fixture(scope="module")
def axe() -> str:
    named = os.environ.get("RADSIFT_TEST_AXE")
    return Path(named).read_text() if named else ""


@pytest.mark.parametrize(("width", "dark"), WIDTHS)
def test_the_page_of_all_records_does_what_it_should(
    run: Run, axe: str, width: int, dark: bool, tmp_path: Path
) -> None:
    bench = Bench(run, "browser")
    bench.marks.folder = tmp_path / "marks"
    with Server(bench) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        faults = visit(server, width, dark, tmp_path, axe)
        server.shutdown()
    assert not faults


def test_the_page_as_files_answers_as_the_server_does(
    run: Run, axe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.browse.static.RECORDS_PER_FILE", 7)  # a key is found across files
    bench = Bench(run)
    write_static(bench, tmp_path / "page", lambda *_: None)
    page = tmp_path / "page" / "index.html"
    for width, dark in ((390, False), (1300, True)):
        assert not faults_of_page(page, width, dark, axe, page.parent)
    browser = open_browser(1300, False)
    js = browser.execute_script

    def keys(act: str) -> list[str]:
        js(f"window.turned = turn; {act}")
        until(lambda: js("return turn > turned && $('told').textContent.endsWith(' ms')"))
        time.sleep(0.3)
        return list(js("return shown.map((r) => r.key)"))

    try:
        browser.get(page.as_uri())
        until(lambda: js("return document.querySelectorAll('.card').length"))
        asked = {"size": "24"}
        change = "$('{0}').value = '{1}'; $('{0}').dispatchEvent(new Event('change'))"
        keys_there = [r["key"] for r in bench.records({"size": "100"})["records"]]
        some, last = keys_there[3][:9], keys_there[-1]
        for act, more in (
            ("search()", {}),
            (change.format("status", "kept"), {"status": "kept"}),
            (change.format("sort", "text_quality"), {"sort": "text_quality"}),
            ("$('q').value = 'no'; $('search').requestSubmit()", {"q": "no"}),
            ("$('clear').click()", None),
            *(
                (f"$('q').value = '{key}'; $('search').requestSubmit()", {"q": key})
                for key in (some, keys_there[7], last)
            ),
        ):
            asked = {"size": "24"} if more is None else asked | more
            told = bench.records(asked)
            assert keys(act) == [r["key"] for r in told["records"]]
            assert js("return found") == told["found"]
        js("document.querySelector('.card > button').click()")
        until(
            lambda: js("const i = document.querySelector('#one[open] img'); return i && i.complete && i.naturalWidth")
        )
        assert not [e for e in browser.get_log("browser") if e["level"] == "SEVERE"]
    finally:
        browser.quit()


@pytest.mark.parametrize(("width", "dark"), WIDTHS)
def test_pages_of_a_run_fit_their_window_and_load_nothing(
    run: Run, axe: str, width: int, dark: bool, tmp_path: Path
) -> None:
    archive = run.path.parent / "a"
    told = command("analyze", archive / "dicom", archive / "reports" / "reports.csv", "--out", tmp_path / "told")
    assert told.returncode == 0
    pages = [*(run.path / "report" / name for name in ("index.html", *PAGES)), tmp_path / "told" / "index.html"]
    assert not [fault for page in pages for fault in faults_of_page(page, width, dark, axe)]
