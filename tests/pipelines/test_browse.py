"""A run over HTTP as a browser asks for it: who is refused, what is found, a cut that counts as the select stage."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import polars as pl
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from PIL import Image
from scipy.stats import beta

import curate
from curate.errors import RecipeError
from curate.intact import part_path
from filters.clean import shard_records
from pipelines.api import Run
from pipelines.browse.bench import Bench
from pipelines.browse.good import write_good
from pipelines.browse.marks import Marks, agreement, consensus
from pipelines.browse.server import Server
from pipelines.browse.static import Written, write_static
from tests.pipelines.archive import make_archive, recipe_for

PLAIN = {"filters": {"text_quality": {}}, "select": {"by": "text_quality", "keep": 0.5}, "engine": {"workers": 1}}
EVIL = "<script>alert(1)</script> No effusion."


@dataclass(frozen=True)
class Site:
    """A run that is served, and its recipe."""

    run: Run
    recipe: Path
    server: Server

    def ask(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> tuple[int, Any, bytes]:
        """Status, headers and body, as a browser with the cookie would get them; a header of "" is left out."""
        cookie = f"{self.server.cookie}={self.server.token}"
        sent = {"Host": f"127.0.0.1:{self.server.port}", "Cookie": cookie} | headers
        link = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        data = None if body is None else json.dumps(body)
        link.putrequest(method, path, skip_host=True)
        sent |= {"Content-Length": str(len(data))} if data else {}
        for name, value in sent.items():
            if value:
                link.putheader(name, value)
        link.endheaders(data.encode() if data else None)
        answer = link.getresponse()
        return answer.status, answer.headers, answer.read()

    def told(self, path: str, **asked: Any) -> Any:
        """The JSON answer of a question."""
        status, _, body = self.ask(f"/api/{path}?{urlencode(asked)}")
        assert status == 200, body
        return json.loads(body)

    def keys(self, **asked: Any) -> list[str]:
        """The keys that a query finds, up to a hundred."""
        return [r["key"] for r in self.told("records", size=100, **asked)["records"]]


@pytest.fixture(scope="module")
def site(secret_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("browse")
    archive = make_archive(folder / "a", 24, side=64, blank=0.1)
    secret_file.chmod(0o600)
    recipe = recipe_for(archive, folder / "run", secret_file, **PLAIN)
    run = curate.run(recipe, quiet=True)
    part = part_path(run.folder("ingest"), 0)  # as if the scrubber had let markup through
    written = pq.read_table(part)
    said = pc.binary_join_element_wise(written["text"], f"\n{EVIL}", "")
    pq.write_table(written.set_column(written.column_names.index("text"), "text", said), part)
    with Server(Bench(run, "anna")) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Site(run, recipe, server)
        server.shutdown()


@pytest.fixture(scope="module")
def table(site: Site) -> pl.DataFrame:
    return site.run.records().to_polars(payload=True)


def test_who_has_no_token_names_another_host_or_leaves_the_folder_is_refused(site: Site) -> None:
    assert site.server.server_address[0] == "127.0.0.1"
    for cookie in ("", "radsift=1", f"{site.server.cookie}=wrong", "\x7f=;;="):
        for path in ("/", "/page.js", "/api/start", "/thumb/" + site.run.records().keys[0]):
            assert site.ask(path, Cookie=cookie)[0] == 403
    assert site.ask("/?token=wrong", Cookie="")[0] == 403
    assert site.ask("/", Host="evil.example")[0] == site.ask("/", Host="")[0] == 403
    assert site.ask("/", Host=f"localhost:{site.server.port}")[0] == 200
    for path in ("/../recipe.yaml", "/%2e%2e/recipe.yaml", "/thumb/../../recipe.yaml", "/page.py", "/image/..%2f"):
        status, _, body = site.ask(path)
        assert status in (400, 404) and b"archive" not in body
    assert site.ask("/api/start", method="POST", body={}, Origin="http://evil.example")[0] == 403


def test_the_token_becomes_a_cookie_and_the_page_may_load_only_from_here(site: Site) -> None:
    status, headers, _ = site.ask("/?token=" + site.server.token, Cookie="")
    assert status == 303 and headers["Location"] == "/"
    assert "HttpOnly" in headers["Set-Cookie"] and "SameSite=Strict" in headers["Set-Cookie"]
    given = headers["Set-Cookie"].partition(";")[0]
    status, headers, page = site.ask("/", Cookie=given)
    assert status == 200 and site.server.token.encode() not in page
    policy = dict(p.strip().split(" ", 1) for p in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'" and set(policy.values()) == {"'none'", "'self'"}
    assert headers["Cache-Control"] == "no-store" and headers["Referrer-Policy"] == "no-referrer"
    for named in re.findall(rb'(?:src|href)="([^"]+)"', page):
        assert named.startswith(b"/") and site.ask(named.decode())[0] == 200


@pytest.fixture(scope="module")
def static(site: Site, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Written]:
    folder = tmp_path_factory.mktemp("static") / "page"
    return folder, write_static(site.server.bench, folder, lambda *_: None)


def unpacked(folder: Path, name: str) -> bytes:
    script = (folder / "data" / f"{name}.js").read_text("ascii")
    found = re.fullmatch(rf'local\.put\("{name}", "([A-Za-z0-9+/=]*)"\);\n', script)  # nothing else is code
    assert found
    return gzip.decompress(base64.b64decode(found[1]))


def test_files_hold_what_the_server_would_say_and_name_nothing_outside(
    site: Site, static: tuple[Path, Written], table: pl.DataFrame
) -> None:
    folder, written = static
    records = json.loads(unpacked(folder, "records-00000"))
    assert records == [site.told("record", key=key)["record"] for key in sorted(table["key"])]
    start, begun = json.loads(unpacked(folder, "start")), site.told("start")
    same = ("name", "records", "kept", "facets", "scores")
    assert [start[n] for n in same] == [begun[n] for n in same]
    for facet, values in start["values"].items():
        codes = np.frombuffer(unpacked(folder, f"column-{facet}"), "<i4")
        said = [{part.split("@")[0] for part in str(r.get(facet, "")).split(";")} for r in records]
        assert [set(values[code]) for code in codes] == said
    scores = np.frombuffer(unpacked(folder, "column-score"), "<f4")
    assert [None if np.isnan(s) else float(str(s)) for s in scores] == [r["scores"].get("score") for r in records]
    assert start["firsts"] == [records[0]["key"]]
    pictures = sorted(folder.glob("pictures/*/*.jpg"))
    with_one = table.filter(pl.col("image").is_not_null() & (pl.col("image").bin.size() > 0))
    assert sorted(p.stem for p in pictures) == sorted(with_one["key"]) and written.pictures == len(pictures)
    assert written.picture_bytes == sum(p.stat().st_size for p in pictures)
    assert written.data_bytes == sum(p.stat().st_size for p in (folder / "data").iterdir())
    page = (folder / "index.html").read_text()
    assert "default-src 'none'" in page and not re.search(r'(?:src|href)="(?:/|[a-z]+:)', page)
    assert all((folder / name).is_file() for name in re.findall(r'(?:src|href)="([^"]+)"', page))
    assert not re.search(r"innerHTML|eval\(|Function\(|https?:", (folder / "static.js").read_text())
    with pytest.raises(RecipeError, match="not empty"):
        write_static(site.server.bench, folder, lambda *_: None)


def test_markup_in_a_text_stays_text(site: Site) -> None:
    status, headers, body = site.ask("/api/records?" + urlencode({"q": "<script>alert(1)"}))
    assert status == 200 and headers["Content-Type"].startswith("application/json")
    records = json.loads(body)["records"]
    assert records and all("<script>alert(1)</script>" in r["text"] for r in records)
    script = (files("pipelines.browse") / "page.js").read_text()
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(|https?://(?!www\.w3\.org/2000/svg)",
        script,
    )


def test_every_record_is_found_once_page_by_page(site: Site, table: pl.DataFrame) -> None:
    told = site.told("start")
    assert told["records"] == len(table) and told["kept"] == table["drop_reason"].null_count()
    seen: list[str] = []
    for page in range(-(-len(table) // 7)):
        answer = site.told("records", size=7, page=page)
        assert answer["found"] == len(table)
        seen += [r["key"] for r in answer["records"]]
    assert seen == sorted(table["key"])


def test_filters_search_and_order_find_what_a_plain_scan_finds(site: Site, table: pl.DataFrame) -> None:
    def same(expression: pl.Expr, **asked: Any) -> None:
        assert site.keys(**asked) == sorted(table.filter(expression)["key"])[:100]

    same(pl.col("drop_reason").is_null(), status="kept")
    same(pl.col("drop_reason") == "blank_image", drop_reason="blank_image")
    same(pl.col("drop_step").is_in(["dedup", "select"]), drop_step="dedup|select", status="dropped")
    same((pl.col("modality") == "CT") & (pl.col("split") == "train"), modality="CT", split="train")
    same(pl.col("modality").is_null(), modality="")
    text = pl.col("text").str.to_lowercase()
    same(text.str.contains("no") & text.str.contains("effusion"), q="Effusion no")
    same(text.str.contains("no effusion", literal=True), q='"NO effusion"')
    middle = float(table["text_quality"].median() or 0)
    same(pl.col("text_quality") >= np.float32(middle), column="text_quality", low=middle)
    findings = pl.col("findings_scored").str.split(";").list.eval(pl.element().str.split("@").list.first())
    named = site.told("start")["facets"]["finding"]
    for value in [v for v, _ in named if v][:3]:
        same(findings.list.contains(value), finding=value)
        assert dict(named)[value] == table.select(findings.list.contains(value).sum()).item()
    key = table["key"][3]
    assert site.keys(q=key[:12].upper()) == [key]
    scores = [
        r["scores"]["text_quality"]
        for r in site.told("records", size=100, sort="score", status="kept")["records"]
        if "text_quality" in r["scores"]
    ]
    assert scores == sorted(scores, reverse=True) and len(scores) > 3
    counts = dict(site.told("records", modality="CT")["facets"]["drop_reason"])
    told = table.filter(pl.col("modality") == "CT").group_by(pl.col("drop_reason").fill_null("")).len()
    assert counts == dict(told.rows())


def test_a_wrong_question_is_told_by_its_field(site: Site) -> None:
    for asked, said in (
        ({"low": "x"}, "low"), ({"low": 1, "column": "no"}, "no score"), ({"sort": "nothing"}, "no score"),
        ({"status": "lost"}, "status"), ({"size": 1000}, "size"), ({"page": "one"}, "page"),
        ({"among": "odd"}, "among"),
    ):  # fmt: skip
        status, _, body = site.ask("/api/records?" + urlencode(asked))
        assert status == 400 and said in json.loads(body)["error"]
    assert site.ask("/api/record?key=" + "0" * 32)[0] == 400
    for asked in (
        {"kind": "keep", "value": 0},
        {"kind": "keep", "value": 1.5},
        {"kind": "odd", "value": 1},
        {"kind": "threshold", "value": "nan"},
    ):
        assert site.ask("/api/cut?" + urlencode(asked))[0] == 400


def test_a_record_comes_with_its_picture_its_boxes_and_what_was_kept_instead(site: Site, table: pl.DataFrame) -> None:
    doubled = table.filter(pl.col("duplicate_of").is_not_null()).row(0, named=True)
    told = site.told("record", key=doubled["key"])
    assert told["record"]["text"] == doubled["text"] and told["record"]["drop_reason"] == doubled["drop_reason"]
    assert told["kept_instead"]["key"] == doubled["duplicate_of"] and told["kept_instead"]["kept"] is not None
    status, headers, body = site.ask("/thumb/" + doubled["key"])
    assert (status, headers["Content-Type"]) == (200, "image/jpeg")
    assert max(Image.open(BytesIO(body)).size) <= 240
    assert site.ask("/image/" + doubled["key"])[2][:2] == b"\xff\xd8"
    painted = table.filter(pl.col("painted").list.len() > 0)
    for key, boxes in painted.select("key", "painted").rows():
        assert site.told("record", key=key)["record"]["painted"] == boxes
    blank = table.filter(pl.col("drop_reason") == "blank_image")["key"][0]
    assert site.ask("/thumb/" + blank)[0] == 404 and "text" not in site.told("record", key=blank)["record"]


def test_marks_are_kept_by_reviewer_and_drawn_blind_and_fair(site: Site, table: pl.DataFrame) -> None:
    train = table.filter((pl.col("split") == "train") & pl.col("text_quality").is_not_null())
    kept = sorted(train.filter(pl.col("drop_reason").is_null())["key"])

    def mark(key: str, verdict: str, **more: Any) -> int:
        return site.ask("/api/mark", "POST", {"key": key, "verdict": verdict, **more})[0]

    drawn = site.told("draw", mode="random")
    assert drawn["record"]["key"] == kept[0] and not {"kept", "drop_reason", "split"} & drawn["record"].keys()
    assert drawn["record"]["scores"] == {} and drawn["record"]["text"]
    assert mark(kept[0], "good", drawn="random") == 200 and site.told("draw", mode="random")["record"]["key"] == kept[1]
    assert mark(kept[1], "bad", why="wrong_side", drawn="random") == mark(kept[2], "bad") == 200
    assert mark(kept[2], "good") == 200  # said anew
    assert mark(kept[4], "bad", drawn="near") == 200  # not the next: precision leaves it out
    told = site.told("marks")["precision"]
    assert (told["good"], told["records"]) == (2, 3)
    assert told["low"] == pytest.approx(beta.ppf(0.025, 2, 2)) and told["high"] == pytest.approx(beta.ppf(0.975, 3, 1))
    stored = pq.read_table(site.run.path / "review" / "anna.parquet").to_pydict()
    assert stored["key"] == [kept[0], kept[1], kept[2], kept[4]] and stored["why"] == [None, "wrong_side", None, None]
    assert site.keys(among="good") == [kept[0], kept[2]] and site.keys(among="bad") == [kept[1], kept[4]]
    near = site.told("draw", mode="near")["record"]["key"]
    scores = train.sort("text_quality", "key", descending=[False, True])["key"].to_list()
    line = len(train) - len(kept)
    assert near not in stored["key"] and abs(scores.index(near) - line) < len(train) / 2
    assert mark(kept[4], "") == 200 and site.keys(among="bad") == [kept[1]]
    for wrong in (
        {"verdict": "fine"},
        {"verdict": "bad", "why": "Mr. Smith"},
        {"verdict": "good", "why": "wrong_side"},
    ):
        assert mark(kept[5], **wrong) == 400
    assert mark("0" * 32, "good") == 400 and site.ask("/api/marks/x", "POST", {})[0] == 404
    assert site.ask("/api/mark", "POST", {"key": kept[5], "verdict": "good"}, Origin="http://evil.example")[0] == 403
    assert site.ask("/api/draw?mode=odd")[0] == 400 and len(site.told("marks")["marks"]) == 2


def test_two_reviewers_agree_as_kappa_says_and_what_is_good_becomes_a_clean_set(site: Site, tmp_path: Path) -> None:
    run, folder = site.run, site.run.path / "review"
    train = sorted(site.run.records(split="train").keys)[:10]
    a, b = Marks(tmp_path / "review", "a"), Marks(tmp_path / "review", "b")
    for i, key in enumerate(train):
        a.mark(key, "good" if i < 5 else "bad", None, "random")
        b.mark(key, "unsure" if i == 9 else "good" if i in (0, 1, 2, 5) else "bad", None, "shared")
    (pair,) = agreement(a.table())
    alike, chance = 6 / 9, (5 / 9) * (4 / 9) + (4 / 9) * (5 / 9)
    assert (pair["reviewers"], pair["records"]) == (["a", "b"], 9) and pair["agree"] == pytest.approx(alike)
    assert pair["kappa"] == pytest.approx((alike - chance) / (1 - chance))
    assert dict(consensus(a.table()).rows())[train[3]] is None  # one says good, one bad
    both = {train[0], train[1], train[2]}
    assert write_good(run, a.table(), tmp_path / "good") == len(both)
    brought = shard_records(tmp_path / "good")
    assert set(brought.keys) == both and all(brought.images) and all(brought.texts)
    with pytest.raises(RecipeError, match="not empty"):
        write_good(run, a.table(), tmp_path / "good")
    with pytest.raises(RecipeError, match="no record"):
        write_good(run, Marks(tmp_path / "none").table(), tmp_path / "new")
    for name in ("../x", "Dr. Who", ""):
        with pytest.raises(RecipeError, match="is no name"):
            Marks(folder, name)
    with pytest.raises(ValueError, match="--reviewer"):
        Marks(folder).mark(train[0], "good", None, None)


def test_what_is_least_certain_is_asked_once_there_are_marks_of_both_kinds(site: Site, tmp_path: Path) -> None:
    bench = Bench(site.run)
    bench.marks = bench.review.marks = Marks(tmp_path, "a")
    assert bench.review.draw("uncertain") == (None, "uncertain") and bench.review.draw("shared")[0] is None
    order = bench.review.rows[np.argsort(bench.review._scores, kind="stable")]
    for i in range(5):
        for row, verdict in ((order[i], "bad"), (order[-1 - i], "good")):
            bench.marks.mark(bench.table.keys[row].decode(), verdict, None, "near")
    row, drawn = bench.review.draw("uncertain")
    assert drawn == "uncertain" and row in order[5:-5]
    other = Marks(tmp_path, "b")
    bench.marks = bench.review.marks = other
    shared, drawn = bench.review.draw("shared")
    assert drawn == "shared" and shared in [*order[:5], *order[-5:]]
    assert {bench.review.draw("mixed")[1] for _ in range(2)} == {"random"}


def test_the_moved_cut_counts_as_the_select_stage_run_with_what_it_prints(site: Site, table: pl.DataFrame) -> None:
    train = table.filter((pl.col("split") == "train") & pl.col("text_quality").is_not_null())
    scores = train["text_quality"].to_numpy()
    told = site.told("cut", kind="keep", value=0.5)  # the recipe's own
    assert (told["in"], told["out"], told["now"]) == (0, 0, train["drop_reason"].null_count())
    line = float(np.quantile(scores, 0.3))
    told = site.told("cut", kind="threshold", value=line)
    assert told["then"] == int((scores >= np.float32(line)).sum()) > told["now"]
    come = site.keys(among="in")
    assert len(come) == told["in"] == told["then"] - told["now"] and told["out"] == 0
    assert set(come) <= set(train.filter(pl.col("drop_reason").is_not_null())["key"])
    groups = told["groups"]["modality"]
    assert sum(g["then"] for g in groups) == told["then"] and sum(g["now"] for g in groups) == told["now"]
    changes = dict(s.removeprefix("select.").split("=") for s in told["set"].split(" ") if s != "--set")
    assert set(changes) == {"keep", "threshold"}
    again = curate.run(site.recipe, {"select.keep": None, "select.threshold": float(changes["threshold"])}, quiet=True)
    cut = again.records(split="train").to_polars()
    assert cut["drop_reason"].null_count() == told["then"]
    assert set(cut.filter(pl.col("drop_reason").is_null())["key"]) >= set(come)
