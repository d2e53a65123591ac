"""Pages as a headless Chromium shows them, at a phone's width, a tablet's, a desk's, dark and in print; skipped without
selenium, chromium and chromedriver. With `RADSIFT_TEST_AXE` (npm's axe.min.js) accessibility is checked too."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

import curate
from benchmarks.browse_page import WIDTHS, faults_of_page, visit
from curate.report.words import PAGES
from pipelines.api import Run
from pipelines.browse.bench import Bench
from pipelines.browse.server import Server
from tests.inline import curate as command
from tests.pipelines.archive import make_archive, recipe_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (shutil.which("chromium") and shutil.which("chromedriver")), reason="no Chromium here"),
]
PLAIN = {"filters": {"text_quality": {}}, "select": {"by": "text_quality", "keep": 0.5}, "engine": {"workers": 1}}


@pytest.fixture(scope="module")
def run(secret_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    pytest.importorskip("selenium", reason="selenium drives the browser")
    folder = tmp_path_factory.mktemp("seen")
    archive = make_archive(folder / "a", 24, side=64, blank=0.1)
    return curate.run(recipe_for(archive, folder / "run", secret_file, **PLAIN), quiet=True)


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


@pytest.mark.parametrize(("width", "dark"), WIDTHS)
def test_pages_of_a_run_fit_their_window_and_load_nothing(
    run: Run, axe: str, width: int, dark: bool, tmp_path: Path
) -> None:
    archive = run.path.parent / "a"
    told = command("analyze", archive / "dicom", archive / "reports" / "reports.csv", "--out", tmp_path / "told")
    assert told.returncode == 0
    pages = [*(run.path / "report" / name for name in ("index.html", *PAGES)), tmp_path / "told" / "index.html"]
    assert not [fault for page in pages for fault in faults_of_page(page, width, dark, axe)]
