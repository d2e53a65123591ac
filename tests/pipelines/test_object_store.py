"""A run whose sources and folder are on a real S3 server: the shards of a local run, byte by byte."""

from __future__ import annotations

import errno
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

pytest.importorskip("s3fs", reason="s3fs is not installed")
pytest.importorskip("moto.server", reason="moto's server is not installed")

from curate.engine import start_engine
from curate.engine.guard import withheld
from curate.engine.resources import Resources
from curate.errors import RecipeError, RunError, SourceError
from curate.export.webdataset import read_index
from curate.lease import Lease
from curate.places import file_system, patiently, place
from curate.storage import claim, commit_marker, exclusive
from pipelines.commands.screen import pipeline_of
from pipelines.recipe.load import load_recipe
from pipelines.report.drawn import summary_of
from pipelines.run.check import check, check_local, save_recipe
from pipelines.run.execute import run_pipeline
from pipelines.upkeep.verify import verify_run
from pipelines.upkeep.withdrawal import withdraw
from tests.pipelines.archive import make_archive, recipe_for
from tests.s3server import forget_servers, s3_server

PLAIN = {"filters": {"text_quality": {}}, "select": {"by": "text_quality", "keep": 0.5}}


def silent(name: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with s3_server("records"):
        yield "s3://records"


def shards(run: Path) -> dict[str, bytes]:
    """What readers of the shards see; export.json names the steps, which names the sources' places."""
    files = {p.relative_to(run / "shards").as_posix(): p for p in (run / "shards").rglob("*.*")}
    return {name: path.read_bytes() for name, path in files.items() if name != "export.json"}


def test_places_and_leases_on_a_real_server(bucket: str) -> None:
    run = place(f"{bucket}/quick")
    (run / "a" / "b.json").write_bytes(b"x" * 100_000)
    assert [p.name for p in run.rglob("*")] == ["b.json"] and (run / "a" / "b.json").stat().etag
    with (run / "a" / "b.json").open("rb") as file:
        assert file.seek(99_999) and file.read(9) == b"x"
    assert [(run / "l").create(b"1"), (run / "l").create(b"2"), (run / "none").exists()] == [True, False, False]
    with exclusive(run / "private" / "lock") as check_held:
        check_held()
        held = Lease(run / "private" / "lock.lease", beat=0.2, stale=60)
        with pytest.raises(RunError, match="another run"):
            held._is_free = lambda number: False  # type: ignore[method-assign]  # watched long enough
            held.take()
    with pytest.raises(FileNotFoundError):
        (run / "none").read_bytes()


def test_what_s3_cannot_do_is_refused_before_any_work(bucket: str, tmp_path: Path, secret_file: Path) -> None:
    archive = make_archive(tmp_path / "a", 1, side=64)
    written = recipe_for(archive, tmp_path / "run", secret_file, **PLAIN)
    recipe = load_recipe(written, [f"out={bucket}/run"])
    with pytest.raises(RecipeError, match="trained in a folder"):
        check_local(recipe)
    nowhere = load_recipe(written, ["out=s3://no-such-bucket/run"])
    with pytest.raises(RecipeError, match="cannot write to s3://no-such-bucket/run"):
        check(nowhere)
    with pytest.raises(RecipeError, match="credentials"):
        load_recipe(written, ["out=s3://me:word@records/run"])


@pytest.mark.slow  # 40 CPU-seconds: two runs
def test_a_run_on_s3_makes_the_shards_of_a_local_one(bucket: str, tmp_path: Path, secret_file: Path) -> None:
    archive = make_archive(tmp_path / "a", 24, side=64)
    written = recipe_for(archive, tmp_path / "run", secret_file, truth=None, **PLAIN)
    far = yaml.safe_load(written.read_text()) | {"out": f"{bucket}/run"}
    far["images"][0]["path"], far["reports"][0]["path"] = f"{bucket}/dicom", f"{bucket}/reports/reports.csv"
    s3 = file_system("s3")
    s3.put(str(archive / "dicom"), "records/dicom", recursive=True)
    s3.put(str(archive / "reports"), "records/reports", recursive=True)
    (tmp_path / "far.yaml").write_text(yaml.safe_dump(far))
    engine = start_engine(Resources(workers=2))
    try:
        done = {}
        for path in (written, tmp_path / "far.yaml"):
            recipe = load_recipe(path)
            check(recipe)
            save_recipe(recipe)
            pipeline, manifests = run_pipeline(recipe, engine, silent)
            summary_of(pipeline, manifests)
            done[path] = pipeline.run
        near, remote = map(shards, done.values())
        assert near == remote and len(near) > 6
        assert not list(Path.cwd().glob("s3*")) and not list(tmp_path.glob("s3*"))
        assert all(m.reused for m in run_pipeline(recipe, engine, silent)[1])
        damaged = remote_part(done[tmp_path / "far.yaml"])
        whole = damaged.read_bytes()
        damaged.write_bytes(whole[: len(whole) // 2])
        pseudo = recipe.secret_source().pseudonymizer()
        found = verify_run(recipe.out, pseudo)
        assert [name for name, _ in found.damaged] == [damaged.relative_to(recipe.out).as_posix()]
        redone = {m.step for m in run_pipeline(recipe, engine, silent)[1] if not m.reused}
        assert redone == {"ingest"} and damaged.read_bytes() == whole
        assert not verify_run(recipe.out, pseudo).damaged
        # a patient leaves both, and both are equal again
        key = read_index(tmp_path / "run" / "shards")["key"][0].as_py()
        for path in done:
            kept = withdraw(pipeline_of(done[path]), [], [key], silent)
            assert kept.records and not kept.found
        left, remote = map(shards, done.values())
        assert left == remote and left != near and all(key.encode() not in data for data in remote.values())
        assert all(m.reused for m in run_pipeline(recipe, engine, silent)[1])
    finally:
        engine.close()


def remote_part(run: Path) -> Path:
    return next((run / "steps").glob("ingest-*/part-00001.parquet"))


class _Refuses(http.server.BaseHTTPRequestHandler):
    """Answers every write as a store that is full, or that this key may not write to."""

    status, code, protocol_version = 507, "XMinioStorageFull", "HTTP/1.1"

    def do_PUT(self) -> None:
        self.close_connection = True
        body = f"<Error><Code>{self.code}</Code><Message>said of DOE JANE</Message></Error>".encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.mark.parametrize(
    ("status", "code", "number", "told"),
    [
        (507, "XMinioStorageFull", errno.ENOSPC, "no room"),
        (400, "QuotaExceeded", errno.ENOSPC, "no room"),
        (403, "AccessDenied", errno.EACCES, "policy"),
    ],
)
def test_a_full_bucket_and_one_that_refuses_say_what_to_do(
    monkeypatch: pytest.MonkeyPatch, status: int, code: str, number: int, told: str
) -> None:
    handler = type("Handler", (_Refuses,), {"status": status, "code": code})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("RADSIFT_PATIENCE", "0")
        key = {"key": "nobody", "secret": "nothing", "endpoint_url": f"http://127.0.0.1:{server.server_port}"}
        store = file_system("s3").__class__(**key, skip_instance_cache=True, client_kwargs={"region_name": "us-east-1"})
        with pytest.raises(OSError) as failed:
            patiently(lambda: store.pipe_file("records/part", b"x"))
        server.shutdown()
    assert failed.value.errno == number and "DOE" not in str(failed.value)
    assert told in str(withheld(failed.value))


def test_a_bucket_that_may_not_be_read_or_written_stops_before_any_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, secret_file: Path
) -> None:
    handler = type("Handler", (_Refuses,), {"status": 403, "code": "AccessDenied"})
    archive = make_archive(tmp_path / "a", 1, side=64)
    written = recipe_for(archive, tmp_path / "run", secret_file, **PLAIN)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        told = {"ENDPOINT_URL": url, "ACCESS_KEY_ID": "nobody", "SECRET_ACCESS_KEY": "-", "DEFAULT_REGION": "us-east-1"}
        for name, value in told.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        monkeypatch.setenv("RADSIFT_PATIENCE", "0")
        forget_servers()
        with pytest.raises(RecipeError, match=r"images\.0\.path: s3://shut/pacs cannot be read \(Permission denied"):
            check(load_recipe(written, ["images.0.path=s3://shut/pacs"]))
        with pytest.raises(RecipeError, match=r"out: s3://shut/run cannot be read \(Permission denied"):
            check(load_recipe(written, ["out=s3://shut/run"]))
        claim(tmp_path / "run")
        commit_marker(tmp_path / "run" / "listing.json", {"files": {"archive": 3}})  # it was read once
        with pytest.raises(SourceError, match=r"'archive' cannot be read: Permission denied \(it held 3 files"):
            check(load_recipe(written, ["images.0.path=s3://shut/pacs"]))
        forget_servers()
        server.shutdown()
    assert not (tmp_path / "run" / "steps").exists()
