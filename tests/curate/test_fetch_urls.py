"""Pictures by URL through img2dataset, from a web server on this machine: what comes is what was served, what does not
come is counted, and a second command goes on. Without img2dataset only what is refused before it is tried.

The environment that has it is named by RADSIFT_IMG2DATASET (its Python); it pins other versions than ours does.
"""

from __future__ import annotations

import http.server
import json
import os
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest

from curate.engine import Engine
from curate.errors import DropRecord, RecipeError, RunError
from curate.fetch.job import FetchRules
from curate.fetch.urls import UrlRules, _reason, fetch_urls, read_urls
from curate.record import Reason
from curate.sources.sniff import NOT_FETCHED, sniff
from pipelines.recipe.load import load_recipe
from pipelines.run.execute import run_pipeline
from tests.inline import curate

PYTHON = os.environ.get("RADSIFT_IMG2DATASET") or None
needs_img2dataset = pytest.mark.skipif(
    PYTHON is None and find_spec("img2dataset") is None, reason="no img2dataset; RADSIFT_IMG2DATASET names its Python"
)
QUICK = FetchRules(tries=2, pause=0.01)
RULES = UrlRules(text="report", user_agent="radsift-test", timeout=2, python=Path(PYTHON) if PYTHON else None)


def picture(seed: int) -> bytes:
    grey = np.random.default_rng(seed).integers(0, 255, (80, 80), np.uint8)
    return cv2.imencode(".png", cv2.resize(grey, (160, 160)))[1].tobytes()


class Web(http.server.ThreadingHTTPServer):
    """/N.png is a picture; /gone, /secret, /noai, /broken, /page, /slow are what their names say; /later fails once."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.asked: list[tuple[float, str, str]] = []

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class _Answer(http.server.BaseHTTPRequestHandler):
    server: Web

    def do_GET(self) -> None:
        name = self.path.strip("/")
        before = sum(path == name for _, path, _ in self.server.asked)
        self.server.asked.append((time.monotonic(), name, self.headers["User-Agent"]))
        status = {"gone": 404, "secret": 403, "broken": 500}.get(name, 200)
        if name == "later" and not before:
            status = 503
        if name == "slow":
            time.sleep(4)
        body = b"<html>no picture</html>" if name == "page" else picture(len(name) + ord(name[0]))
        self.send_response(status)
        if name == "noai":
            self.send_header("X-Robots-Tag", "noai")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def listed(folder: Path, urls: list[str | None]) -> Path:
    path = folder / "urls.parquet"
    said = [f"FINDINGS: there is a nodule of {i + 2} mm in the left lung." for i in range(len(urls))]
    pq.write_table(pa.table({"url": pa.array(urls, pa.string()), "report": said, "width": range(len(urls))}), path)
    return path


def silent(name: str, done: int, total: int) -> None:
    pass


@pytest.mark.slow  # img2dataset's imports are 6 s, twice a round
@needs_img2dataset
def test_what_is_served_comes_and_what_does_not_is_in_the_funnel(
    web: Web, tmp_path: Path, secret_file: Path, inline_engine: Engine
) -> None:
    names = ["1.png", "2.png", "gone", "secret", "noai", "broken", "page", "slow", "later"]
    urls = [*map(web.url, names), "file:///etc/hostname", None]
    table, out = listed(tmp_path, urls), tmp_path / "pool"
    done = curate(
        *("fetch", out, "--urls", table, "--text-column", "report", "--user-agent", "radsift-test", "--timeout", "2"),
        *("--per-second", "20", "--tries", "2", *(("--img2dataset", PYTHON) if PYTHON else ())),
    )
    assert done.returncode == 1 and "url_failed=2, lines 6, 8" in done.stdout, done.stdout + done.stderr
    told = json.loads((out / "fetch.json").read_text())
    assert told["pictures"] == 4 and told["failures"] == {"url_not_found": 1, "url_refused": 4, "url_failed": 2}
    assert Counter(name for _, name, _ in web.asked)["later"] == 2  # a round later, and the picture came
    assert Counter(name for _, name, _ in web.asked)["gone"] == 1  # what is gone is not asked for again
    assert all("radsift-test" in agent for _, _, agent in web.asked)
    times = sorted(t for t, _, _ in web.asked)[: len(names)]
    assert times[-1] - times[0] >= (len(names) - 1) / 20 * 0.9
    with tarfile.open(out / "images" / "r0-00000.tar") as tar:
        served = {tar.extractfile(m).read() for m in tar.getmembers() if m.name.endswith(".jpg")}  # type: ignore[union-attr]
    assert served == {picture(5 + ord("1")), picture(5 + ord("2")), b"<html>no picture</html>"}

    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"""
out: {tmp_path / "run"}
secret: {secret_file}
images: [{{name: pool, path: {out / "images"}, exclude: ["*.json"]}}]
reports: [{{path: {out / "images"}, format: txt}}]
pair: {{by: [image]}}
deid: {{burned_in: trust}}
filters: {{}}
""")
    _, manifests = run_pipeline(load_recipe(recipe), inline_engine, silent)
    index = next(m for m in manifests if m.step == "index")
    assert index.kept == 3
    reasons = {k: n for k, n in index.dropped.items() if k.startswith("url_") or k == "not_an_image"}
    assert reasons == {"url_not_found": 1, "url_refused": 4, "url_failed": 2, "not_an_image": 1}


@pytest.mark.slow
@needs_img2dataset
def test_a_fetch_that_was_killed_goes_on_with_what_is_left(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curate.fetch.urls._PER_SHARD", 4)
    table, out = read_urls(listed(tmp_path, [web.url(f"{i}.png") for i in range(10)]), RULES), tmp_path / "pool"

    class Killed(BaseException):
        pass

    def kill(what: str, done: int, total: int) -> None:
        if done:
            raise Killed

    with pytest.raises(Killed):
        fetch_urls(out, table, RULES, FetchRules(per_second=8), kill)
    asked = len(web.asked)
    first = {path.name: path.read_bytes() for path in (out / "images").iterdir()}
    assert 4 <= asked < 10 and "r0-00000.tar" in first
    time.sleep(0.5)
    assert len(web.asked) <= asked + 1  # nothing goes on behind our back
    done = fetch_urls(out, table, RULES, QUICK, silent)
    assert done.studies == 10 and not done.failures and not (out / "images" / "not-fetched.tar").exists()
    assert {name: (out / "images" / name).read_bytes() for name in first} == first
    again = len(web.asked)
    assert fetch_urls(out, table, RULES, QUICK, silent).studies == 10 and len(web.asked) == again
    with pytest.raises(RecipeError, match="another table"):
        fetch_urls(out, table.slice(1), RULES, QUICK, silent)


def test_an_img2dataset_that_ends_too_early_is_said(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\n[ "$1" = -c ] || exit 3\n')
    python.chmod(0o755)
    table = read_urls(listed(tmp_path, ["http://127.0.0.1:9/a.png"]), RULES)
    with pytest.raises(RunError, match="at 0 of 1 shards, with exit code 3; the same command goes on"):
        fetch_urls(tmp_path / "pool", table, UrlRules(python=python), QUICK, silent)


def test_what_is_wrong_is_said_before_anything_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = listed(tmp_path, ["http://127.0.0.1:9/a.png"])
    for rules, field in ((UrlRules(url="link"), "--url-column"), (UrlRules(text="said"), "--text-column")):
        with pytest.raises(RecipeError) as error:
            read_urls(path, rules)
        assert error.value.field == field and "report" in error.value.fix
    (tmp_path / "broken.parquet").write_bytes(b"no table")
    with pytest.raises(RecipeError, match="cannot be read"):
        read_urls(tmp_path / "broken.parquet", UrlRules())
    none = tmp_path / "no-python"
    for python in (none, Path("/bin/false")):
        with pytest.raises(RecipeError, match="has no img2dataset"):
            fetch_urls(tmp_path / "pool", read_urls(path, UrlRules()), UrlRules(python=python), QUICK, silent)
    csv.write_csv(pq.read_table(path), tmp_path / "urls.csv")
    assert read_urls(tmp_path / "urls.csv", RULES).equals(read_urls(path, RULES))
    assert read_urls(path, RULES).column_names == ["url", "caption", "width_", "row"]
    assert curate("fetch", tmp_path / "o", "--urls", path, "--dicomweb", "https://x").returncode == 2


def test_messages_become_reasons_and_reasons_are_read_back(tmp_path: Path) -> None:
    said = {
        "HTTP Error 404: Not Found": Reason.URL_NOT_FOUND,
        "HTTP Error 403: Forbidden": Reason.URL_REFUSED,
        "Use of image disallowed by X-Robots-Tag directive": Reason.URL_REFUSED,
        "HTTP Error 429: Too Many Requests": Reason.URL_FAILED,
        "<urlopen error timed out>": Reason.URL_FAILED,
    }
    for message, reason in said.items():
        assert _reason(message) is reason
        (tmp_path / "x.url").write_bytes(NOT_FETCHED + reason.value.encode())
        with pytest.raises(DropRecord) as dropped:
            sniff(tmp_path / "x.url")
        assert dropped.value.reason is reason
    (tmp_path / "x.url").write_bytes(NOT_FETCHED + b"blank_image")  # nobody else's reason can be claimed
    assert sniff(tmp_path / "x.url") == "none"
